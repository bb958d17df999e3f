/** The events of a search in words. */

import * as format from "../format.js";

/** An event in words; `metric` is that of the search. */
export function told({ kind, data }, metric) {
  if (kind === "stage" || kind === "log") return data.text;
  if (kind === "state")
    return `The search is ${data.state}${data.why ? `: ${data.why}` : ""}${data.error ? `: ${data.error.detail}` : ""}.`;
  const best =
    typeof data.best === "number"
      ? ` · best ${format.value(data.best, metric)} with ${format.count(data.best_nnz)} non-zeros`
      : "";
  const left = typeof data.left === "number" ? ` · about ${format.duration(data.left)} left` : "";
  return `Round ${data.round + 1}, ${format.way(data.way)}: ${format.trainings(data.trainings)} of ${format.count(data.budget)} trainings · ${format.count(data.proposed)} proposed, ${format.count(data.screened)} screened, ${data.chosen} chosen, ${data.again} trained again${best}${left}`;
}
