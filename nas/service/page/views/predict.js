/** Predict the accuracy of an ONNX file from its structure, and say how far to trust it. */

import { Problem, all, call, names } from "../api.js";
import { fill, h, s } from "../dom.js";
import * as format from "../format.js";
import { field, select } from "../form/field.js";
import { share } from "../parts/share.js";
import { table } from "../parts/table.js";
import { modelFacts, nameOf, uploadModel } from "../form/upload.js";
import { uploaded } from "../form/uploaded.js";

const WEIGHTS = { own: "with the weights that a method left", fresh: "trained again from fresh weights" };

export async function predict({ root, signal }) {
  let asked = 0;
  const [tasks, methods, models, datasets] = await Promise.all([
    names("tasks"),
    names("methods"),
    all("v1/models"),
    all("v1/datasets"),
  ]);
  const file = uploaded({
    items: models,
    chosen: null,
    list: { label: "earlier upload", key: "model", name: (one) => nameOf(one), none: "an earlier upload…" },
    facts: (one) => [
      h("strong", {}, nameOf(one)),
      ` · ${modelFacts(one.facts)} · ${format.bytes(one.bytes)}`,
    ],
    place: "v1/models",
    file: {
      label: "Drop an .onnx file, or choose one",
      hint: "It is kept on the service, under its hash.",
      accept: ".onnx",
    },
    upload: uploadModel,
    onchange: () => (file.sha256 ? ask() : drawNothing()),
  });
  const task = select(
    [
      ["", "every known task that fits"],
      ...tasks.map((one) => one.name),
      ...datasets.map((one) => [one.sha256, `your data: ${nameOf(one)}`]),
    ],
    "digits",
  );
  const method = select([["", "not known"], ...methods.map((one) => one.name)], "");
  const keep = h("input", { type: "number", min: 1, step: 1, placeholder: "as in the file" });
  const out = h("div", { class: "stack", "aria-live": "polite" });
  const form = h(
    "form",
    {
      class: "panel",
      onsubmit: (event) => {
        event.preventDefault();
        ask();
      },
    },
    file.element,
    h("div", { onchange: ask }, field("Task", task)),
    h(
      "details",
      { class: "advanced", onchange: ask },
      h("summary", {}, "How it was pruned"),
      h(
        "div",
        { class: "fields" },
        field("Method", method, { help: "The mask method, if it is known." }),
        field("Non-zero weights to keep", keep, {
          help: "For a dense network: what the method would reach if it kept so many.",
        }),
      ),
    ),
  );
  fill(
    root,
    h(
      "div",
      { class: "head" },
      h("h1", {}, "Predict"),
      h(
        "p",
        { class: "note" },
        "How accurate will this network get? The predictor reads its structure: operators, shapes, and the places of the zeros.",
      ),
    ),
    h("div", { class: "split even" }, form, out),
  );
  file.draw();
  drawNothing();

  function drawNothing() {
    asked += 1;
    fill(out, h("div", { class: "card empty" }, h("p", { class: "note" }, "The answer appears here.")));
  }

  async function ask() {
    if (!file.sha256) return;
    asked += 1;
    const mine = asked;
    const json = { explain: true };
    if (task.value) json.task = task.value;
    if (method.value) json.method = method.value;
    if (keep.value) json.nnz = Number(keep.value);
    out.setAttribute("aria-busy", "true");
    try {
      const found = await call(`v1/models/${file.sha256}:predict`, { method: "POST", json, signal });
      if (mine === asked) fill(out, [found, ...found.others].map(shown));
    } catch (problem) {
      if (signal.aborted) return;
      if (!(problem instanceof Problem)) throw problem;
      if (mine === asked) fill(out, h("p", { class: "banner bad" }, problem.message));
    }
    out.removeAttribute("aria-busy");
  }
}

function shown(found) {
  const name = format.task(found.task ?? "the described task");
  return h(
    "article",
    { class: "card prediction" },
    h(
      "div",
      { class: "row between" },
      h("h2", {}, name, found.weights && h("span", { class: "sub" }, WEIGHTS[found.weights])),
      h("span", { class: `chip ${found.support}` }, found.support),
    ),
    h(
      "p",
      { class: "big" },
      h("strong", { class: "figure" }, format.percent(found.accuracy, 1)),
      h("span", { class: "note" }, `90 % interval ${format.interval(found.interval)}`),
    ),
    bar(found),
    h("p", { class: "why" }, `${found.why.charAt(0).toUpperCase()}${found.why.slice(1)}.`),
    found.explanation && explained(found.explanation),
  );
}

/** The interval on a line from 0 to 100 %. */
function bar({ accuracy, interval: [low, high] }) {
  const x = (value) => 2 + 396 * Math.min(1, Math.max(0, value));
  return s(
    "svg",
    {
      viewBox: "0 0 400 34",
      class: "interval",
      role: "img",
      "aria-label": `accuracy ${format.percent(accuracy, 1)}, interval ${format.interval([low, high])}`,
    },
    s("rect", { x: 2, y: 8, width: 396, height: 4, rx: 2, class: "track" }),
    s("rect", { x: x(low), y: 6, width: Math.max(2, x(high) - x(low)), height: 8, rx: 4, class: "kept" }),
    s("circle", { cx: x(accuracy), cy: 10, r: 6, class: "ink" }),
    [0, 0.25, 0.5, 0.75, 1].map((value) =>
      s(
        "text",
        { x: x(value), y: 31, class: "tick", "text-anchor": value === 0 ? "start" : value === 1 ? "end" : "middle" },
        `${100 * value}%`,
      ),
    ),
  );
}

function explained(found) {
  const layers = table(
    [
      { name: "layer", cell: (one) => one.name, label: true },
      { name: "kept", cell: (one) => share(one.density) },
      { name: "cost of its sparsity", cell: (one) => `${format.points(one.sparsity_cost)} points` },
      {
        name: "worth of its pattern",
        cell: (one) => `${format.points(one.pattern_worth)} ± ${(100 * one.pattern_spread).toFixed(2)}`,
      },
    ],
    { caption: "what each layer costs" },
  );
  layers.show(found.layers);
  const features = table(
    [
      { name: "features", cell: (one) => one.name, label: true },
      { name: "effect in points", cell: (one) => `${format.points(one.effect)} ± ${(100 * one.error).toFixed(2)}` },
    ],
    { caption: "what moved the prediction" },
  );
  features.show(found.features);
  return [
    h("h3", {}, "What each layer costs"),
    layers.element,
    h(
      "p",
      { class: "note" },
      "Cost: how the prediction changes if the layer had all its connections. Worth: its pattern against random patterns with as many connections.",
    ),
    h("h3", {}, "What moved the prediction"),
    features.element,
    h("p", { class: "note" }, `Away from ${format.percent(found.typical, 1)}, that of typical features.`),
  ];
}
