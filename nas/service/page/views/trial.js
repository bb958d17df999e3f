/** The details of one trial in a dialog: its candidate, its figures, its learning curve and its log. */

import { Problem, answer, call } from "../api.js";
import { learningCurve } from "../charts/learning_curve.js";
import { figure } from "../charts/legend.js";
import { ofMetric } from "../charts/scale.js";
import { fill, h, newId } from "../dom.js";
import * as format from "../format.js";
import { table } from "../parts/table.js";

/** Open the dialog; `metric` is the metric of the search. */
export async function showTrial(search, trial, metric) {
  const id = newId("trial");
  const [architecture, mask] = format.candidate(trial.candidate);
  const log = h("pre", { tabindex: "0", role: "region", "aria-label": "log of the trial" }, h("code", {}, "…"));
  const curves = h("div", { class: "grid", "aria-busy": "true" }, h("p", { class: "note" }, "…"));
  const close = () => dialog.close();
  const facts = [
    ["way", format.way(trial.way)],
    ["architecture", architecture],
    ["mask", mask],
    [`${metric.name}, validation`, format.value(trial.accuracy, metric)],
    [`${metric.name}, training`, format.value(trial.train_accuracy, metric)],
    [`${metric.name}, predicted`, format.spread(trial.score, trial.score_std, metric)],
    ["non-zeros", format.count(trial.nnz)],
    ["parameters", format.count(trial.params)],
    ["multiplications", format.count(trial.macs)],
    ["bytes", format.count(trial.bytes)],
    ["latency", format.milliseconds(trial.latency)],
    ["dead units", format.count(trial.dead_units)],
    ["cost in trainings", format.trainings(trial.cost)],
    ["seconds", trial.seconds?.toFixed(1) ?? "–"],
    ["seed", String(trial.seed ?? "–")],
    ["candidate", trial.digest],
  ];
  const dialog = h(
    "dialog",
    { class: "dialog wide", "aria-labelledby": id, onclose: () => dialog.remove() },
    h(
      "div",
      { class: "row between" },
      h("h2", { id }, `Trial ${trial.number}`),
      h("button", { type: "button", class: "quiet", onclick: close }, "Close"),
    ),
    trial.error && h("p", { class: "banner bad" }, `This training failed: ${trial.error}`),
    h(
      "dl",
      { class: "facts" },
      facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
    h(
      "details",
      {},
      h("summary", {}, "Candidate as JSON"),
      h(
        "pre",
        { tabindex: "0", role: "region", "aria-label": "candidate" },
        h("code", {}, JSON.stringify(trial.candidate, null, 2)),
      ),
    ),
    h("h3", {}, "Learning curve"),
    curves,
    h("h3", {}, "Log"),
    log,
  );
  document.body.append(dialog);
  dialog.showModal();
  const path = `v1/searches/${search}/trials/${trial.number}`;
  await Promise.all([
    shown(curves, async () => fill(curves, drawn((await call(path)).curve, metric))),
    shown(log.firstChild, async () => {
      log.firstChild.textContent = await (await answer(`${path}/log`)).text();
    }),
  ]);
}

/** Show a part; a problem stands in its place. */
async function shown(element, show) {
  try {
    await show();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    element.textContent = problem.message;
  }
  element.removeAttribute("aria-busy");
}

/** Loss and metric by epoch, as charts and as a table. */
function drawn(curve, metric) {
  if (!curve) return h("p", { class: "note" }, "There is no learning curve of this training.");
  const loss = (value) => (typeof value === "number" ? String(Number(value.toPrecision(4))) : "–");
  const grid = table(
    [
      { name: "epoch", cell: (one) => String(one.epoch), label: true },
      { name: "loss", cell: (one) => loss(one.loss) },
      { name: metric.name, cell: (one) => format.value(one.accuracy, metric) },
    ],
    { caption: "learning curve by epoch", tall: true },
  );
  grid.show(curve.losses.map((value, index) => ({ epoch: index + 1, loss: value, accuracy: curve.accuracies[index] })));
  return [
    figure(
      "Training loss",
      [],
      learningCurve(curve.losses, "training loss", loss, { label: loss }),
      "The mean over each epoch, over all phases of the training.",
    ),
    figure(
      format.title(metric.name),
      [],
      learningCurve(
        curve.accuracies,
        `${metric.name}, validation`,
        (value) => format.value(value, metric),
        ofMetric(metric),
      ),
      "Measured on the validation examples after each epoch.",
    ),
    h("details", { class: "whole" }, h("summary", {}, "The same as a table"), grid.element),
  ];
}
