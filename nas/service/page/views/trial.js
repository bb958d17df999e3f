/** The details of one trial in a dialog: its candidate, its figures and its log. */

import { Problem, answer } from "../api.js";
import { h, newId } from "../dom.js";
import * as format from "../format.js";

/** Open the dialog. */
export async function showTrial(search, trial) {
  const id = newId("trial");
  const [architecture, mask] = format.candidate(trial.candidate);
  const log = h("pre", { tabindex: "0", role: "region", "aria-label": "log of the trial" }, h("code", {}, "…"));
  const close = () => dialog.close();
  const facts = [
    ["way", format.way(trial.way)],
    ["architecture", architecture],
    ["mask", mask],
    ["measured, validation", format.percent(trial.accuracy)],
    ["measured, training", format.percent(trial.train_accuracy)],
    [
      "predicted",
      typeof trial.score === "number" ? `${format.percent(trial.score)} ± ${(100 * trial.score_std).toFixed(2)}` : "–",
    ],
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
    h("h3", {}, "Log"),
    log,
  );
  document.body.append(dialog);
  dialog.showModal();
  try {
    log.firstChild.textContent = await (await answer(`v1/searches/${search}/trials/${trial.number}/log`)).text();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    log.firstChild.textContent = problem.message;
  }
}
