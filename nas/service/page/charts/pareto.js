/** Validation metric against a cost: every trial, the Pareto front, and the winner. */

import * as format from "../format.js";
import { frame } from "./frame.js";
import { around, counts, ofMetric } from "./scale.js";

/** `sets` are `{trials, front, winner, name, classes: [trial, front, line]}`; `cost` is the name of the cost, `metric` the metric of the search. */
export function pareto(sets, cost, costName, metric) {
  const trials = sets.map((set) => set.trials.filter((one) => known(one, cost)));
  const fronts = sets.map((set) =>
    set.front.filter((one) => known(one, cost)).sort((a, b) => value(a, cost) - value(b, cost)),
  );
  const shown = [...trials.flat(), ...fronts.flat()];
  const chart = frame(
    around(
      shown.map((one) => value(one, cost)),
      { log: true, label: counts },
    ),
    around(
      shown.map((one) => one.accuracy),
      ofMetric(metric),
    ),
    costName,
    `${metric.name}, validation`,
  );
  const told = (name, one) =>
    `${name}: ${format.value(one.accuracy, metric)} with ${Number(value(one, cost).toPrecision(6)).toLocaleString("en-US")} ${costName}`;
  const marks = sets.map((set, index) => [
    trials[index].map((one) =>
      chart.dot(value(one, cost), one.accuracy, told(`trial ${one.number}`, one), set.classes[0], 2.6),
    ),
    chart.line(
      fronts[index].map((one) => [value(one, cost), one.accuracy]),
      set.classes[2],
    ),
    fronts[index].map((one) =>
      chart.dot(value(one, cost), one.accuracy, told(`${set.name} front`, one), set.classes[1], 3.4),
    ),
    winnerOf(set, fronts[index], trials[index]).map((one) =>
      chart.dot(value(one, cost), one.accuracy, told("winner", one), "winner", 6),
    ),
  ]);
  return chart.drawn(`${metric.name} against ${costName} of all trials`, marks);
}

/** The winner as on the front, else with the mean over its trainings; nothing if it has none. */
function winnerOf(set, front, trials) {
  const known = front.filter((one) => one.digest === set.winner);
  const own = trials.filter((one) => one.digest === set.winner);
  if (known.length || !own.length) return known;
  return [{ ...own[0], accuracy: own.reduce((sum, one) => sum + one.accuracy, 0) / own.length }];
}

const value = (one, cost) => one[cost] ?? one.metrics?.[cost];
const known = (one, cost) =>
  typeof one.accuracy === "number" && typeof value(one, cost) === "number" && value(one, cost) > 0;
