/** The tables of a search: trials, ways of searching, rounds. */

import { h } from "../dom.js";
import * as format from "../format.js";
import { table } from "./table.js";

/** All trials; `open(trial)` is called for the number of a trial. `metric` is that of the search. */
export function trialTable(open, metric) {
  const number = (trial) =>
    h(
      "button",
      { type: "button", class: "link", "data-key": `trial-${trial.number}`, onclick: () => open(trial) },
      String(trial.number),
    );
  return table(
    [
      { name: "trial", cell: number, order: (one) => one.number, label: true },
      {
        name: "way",
        cell: (one) => h("span", { class: `way ${one.way}` }, format.way(one.way)),
        order: (one) => one.way,
        label: true,
      },
      {
        name: "measured",
        cell: (one) => (one.error ? h("span", { class: "bad-text" }, "failed") : format.value(one.accuracy, metric)),
        order: (one) => one.accuracy,
      },
      {
        name: "predicted",
        cell: (one) => format.spread(one.score, one.score_std, metric, 1),
        order: (one) => one.score,
      },
      { name: "non-zeros", cell: (one) => format.count(one.nnz), order: (one) => one.nnz },
      { name: "round", cell: (one) => String(one.round + 1), order: (one) => one.round },
      { name: "training", cell: (one) => `${one.repeat + 1}.`, order: (one) => one.repeat },
      {
        name: "seconds",
        cell: (one) => (typeof one.seconds === "number" ? one.seconds.toFixed(1) : "–"),
        order: (one) => one.seconds,
      },
      {
        name: "architecture",
        cell: (one) => format.candidate(one.candidate)[0],
        order: (one) => format.candidate(one.candidate)[0],
        label: true,
      },
      {
        name: "mask",
        cell: (one) => format.candidate(one.candidate)[1],
        order: (one) => format.candidate(one.candidate)[1],
        label: true,
      },
    ],
    { caption: "trials", sortable: true, tall: true },
  );
}

/** What each way of searching has spent so far. */
export function waysFigure(rows, metric) {
  const ways = [...new Set(rows.map((one) => one.way))];
  const of = (way) => rows.filter((one) => one.way === way);
  const sign = metric.goal === "minimize" ? -1 : 1;
  const best = (way) => sign * Math.max(...of(way).map((one) => sign * (one.accuracy ?? -sign * Infinity)));
  const grid = table(
    [
      { name: "way", cell: (way) => format.way(way), label: true },
      { name: "trials", cell: (way) => String(of(way).length) },
      { name: "trainings", cell: (way) => format.trainings(of(way).reduce((sum, one) => sum + (one.cost ?? 1), 0)) },
      { name: "best", cell: (way) => (Number.isFinite(best(way)) ? format.value(best(way), metric) : "–") },
    ],
    { caption: "ways of searching" },
  );
  grid.show(ways);
  return h(
    "div",
    {},
    h("h3", {}, "Ways of searching"),
    grid.element,
    h("p", { class: "note" }, "What each way has spent, and the best single training that it found."),
  );
}

/** What was screened and chosen in each round. */
export function roundTable(found, metric) {
  const grid = table(
    [
      { name: "round", cell: (one) => String(one.round + 1), label: true },
      { name: "way", cell: (one) => format.way(one.way), label: true },
      { name: "proposed", cell: (one) => format.count(one.proposed) },
      { name: "screened", cell: (one) => format.count(one.screened) },
      { name: "chosen", cell: (one) => format.count(one.chosen) },
      { name: "trained again", cell: (one) => format.count(one.again) },
      { name: "failed", cell: (one) => format.count(one.failed) },
      { name: "trainings", cell: (one) => format.trainings(one.trainings) },
      { name: "best", cell: (one) => format.value(one.best, metric) },
      { name: "τ", cell: (one) => format.rank(one.agreement?.kendall) },
    ],
    { caption: "rounds: what was screened and chosen" },
  );
  grid.show(found);
  return grid.element;
}
