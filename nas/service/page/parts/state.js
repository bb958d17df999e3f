/** The state of a search as a chip, and its progress as a bar. */

import { h } from "../dom.js";
import * as format from "../format.js";

/** A chip with the state. */
export function chip(search) {
  const state = search.cancelling ? "cancelling" : search.state;
  return h("span", { class: `chip ${state}` }, state);
}

/** Whether the search still waits or runs. */
export const active = (search) => search.state === "queued" || search.state === "running";

/** A bar of the trainings that are spent, with the same in words. */
export function progress(search) {
  const done = search.progress?.trainings ?? 0;
  const total = search.trainings;
  const left =
    search.state === "running" && typeof search.progress?.left === "number"
      ? `, about ${format.duration(search.progress.left)} left`
      : "";
  const words = `${format.trainings(done)} of ${format.count(total)} trainings${left}`;
  return h(
    "div",
    { class: "progress" },
    h("progress", { max: total, value: Math.min(done, total), "aria-label": "trainings that are spent" }),
    h("span", { class: "note" }, words),
  );
}
