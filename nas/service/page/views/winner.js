/** The winner of a search: figures with intervals, verdict, drawing, files, and how to use it. */

import { Problem, address, call, save, token } from "../api.js";
import { fill, h } from "../dom.js";
import * as format from "../format.js";
import { code, shellWord } from "../parts/code.js";
import { drawn } from "../parts/drawing.js";
import { share } from "../parts/share.js";
import { table } from "../parts/table.js";

const NAMES = { winner: "Winner", dense: "Dense", "by hand": "By hand", random: "Random" };
const MEANINGS = {
  dense: "the same architecture without a mask",
  "by hand": "the best of what an expert would run first",
  random: "the best of random search",
};
const FILES = {
  "best.onnx": "the winner, for raw inputs",
  "report.html": "the whole report",
  "report.json": "the report for programs",
  "trials.csv": "every training",
  "pareto.png": "the Pareto front as a picture",
  "config.toml": "all options, for nas search --config",
  "journal.log": "the study, for Optuna",
};

/** Fill the element with the winner of a search that is done. What takes longer is added when it is there. */
export async function winner(element, search, signal) {
  const path = `v1/searches/${search.id}`;
  const report = await given(() => call(`${path}/artifacts/report.json`, { signal }));
  const files = await given(() => call(`${path}/artifacts`, { signal }));
  if (!report) return;
  const graph = h("div", { class: "grid", "aria-busy": "true" }, h("p", { class: "note" }, "…"));
  const lines = h("div", {}, usage(search, null));
  fill(
    element,
    h(
      "section",
      { class: "won" },
      h("h2", {}, "The winner"),
      h("p", { class: "lead" }, report.headline),
      h("p", { class: "verdict" }, report.verdict),
      report.leaders && h("p", { class: "note" }, report.leaders),
      networks(report, format.metric(search)),
      h(
        "p",
        { class: "note" },
        `${format.title(report.task.metric)} on ${format.count(report.task.test)} test examples, which the search did not see. Intervals hold 95 %.`,
      ),
    ),
    h("section", {}, h("h2", {}, "Its graph"), graph),
    h(
      "section",
      {},
      h("h2", {}, "Use it"),
      h("div", { class: "grid" }, h("div", {}, h("h3", {}, "Files"), files && download(files, search)), lines),
    ),
  );
  later(
    given(() => call(`${path}/network`, { signal })),
    signal,
    (network) => {
      graph.removeAttribute("aria-busy");
      fill(
        graph,
        network ? [drawing(network), layers(network)] : h("p", { class: "note" }, "The graph cannot be shown."),
      );
    },
  );
  later(
    given(() => call(`v2/models/${search.id}`, { signal })),
    signal,
    (model) => model && fill(lines, usage(search, model)),
  );
}

/** Show an answer when it arrives; a problem with it is a line, and does not end the view. */
async function later(asked, signal, show) {
  let found = null;
  try {
    found = await asked;
  } catch (problem) {
    if (signal.aborted) return;
    if (!(problem instanceof Problem)) throw problem;
  }
  show(found);
}

/** What a call gives; null if the service does not have it. */
async function given(ask) {
  try {
    return await ask();
  } catch (problem) {
    if (problem instanceof Problem && [404, 405, 422].includes(problem.status)) return null;
    throw problem;
  }
}

function networks(report, metric) {
  const rows = [report.best, ...Object.values(report.baselines)];
  const grid = table(
    [
      {
        name: "network",
        cell: (one) => [
          h("strong", {}, NAMES[one.name] ?? one.name),
          MEANINGS[one.name] && h("span", { class: "sub" }, MEANINGS[one.name]),
        ],
        label: true,
      },
      { name: "measured", cell: (one) => format.value(one.test.mean, metric) },
      { name: "95 % interval", cell: (one) => format.range(one.interval, metric) },
      { name: "trainings", cell: (one) => String(one.accuracies.length) },
      { name: "non-zeros", cell: (one) => format.count(one.nnz) },
      { name: "bytes", cell: (one) => format.count(one.bytes) },
      { name: "latency", cell: (one) => format.milliseconds(one.latency) },
    ],
    {
      caption: "the winner and the networks that it is compared with",
      rowClass: (one) => (one.name === "winner" ? "winner-row" : null),
    },
  );
  grid.show(rows);
  return grid.element;
}

function drawing(network) {
  const picture = network.drawing && drawn(network.drawing);
  if (!picture) return h("p", { class: "note" }, "The network has too many layers to draw.");
  return h(
    "figure",
    {},
    h("div", { class: "drawing", tabindex: "0", role: "region", "aria-label": "drawing of the winner" }, picture),
    h("figcaption", {}, "Layers with their units, and how many of their weights are non-zero; the bar is that share."),
  );
}

function layers(network) {
  const grid = table(
    [
      { name: "weight", cell: (one) => one.weight, label: true },
      { name: "shape", cell: (one) => one.shape, label: true },
      { name: "non-zeros", cell: (one) => format.count(one.nnz) },
      { name: "kept", cell: (one) => share(one.density) },
      { name: "inputs per unit", cell: (one) => one.inputs.toFixed(1) },
    ],
    { caption: "weights by layer" },
  );
  grid.show(network.layers);
  return h(
    "div",
    {},
    h("h3", {}, "Sparsity by layer"),
    grid.element,
    h(
      "p",
      { class: "note" },
      `${format.count(network.nnz)} of ${format.count(network.weights)} weights are kept. Units without input or output are removed.`,
    ),
  );
}

function download(files, search) {
  const known = Object.keys(FILES);
  const place = (one) => (known.includes(one.name) ? known.indexOf(one.name) : known.length);
  const items = [...files.items].sort((a, b) => place(a) - place(b));
  return h(
    "ul",
    { class: "files" },
    items.map((one) => {
      const path = `v1/searches/${search.id}/artifacts/${one.name}`;
      const opens = one.name.endsWith(".html");
      const link = token()
        ? h("button", { type: "button", class: "link", onclick: () => save(path, one.name) }, one.name)
        : h(
            "a",
            { href: address(path), ...(opens ? { target: "_blank", rel: "noopener" } : { download: one.name }) },
            one.name,
          );
      return h(
        "li",
        {},
        h("div", {}, link, h("span", { class: "note" }, FILES[one.name] ?? "")),
        h("span", { class: "note right", title: `sha256 ${one.sha256}` }, format.bytes(one.bytes)),
      );
    }),
  );
}

function usage(search, model) {
  const bearer = token() ? ' \\\n  -H "Authorization: Bearer $NAS_TOKEN"' : "";
  const file = address(`v1/searches/${search.id}/artifacts/best.onnx`);
  const blocks = [code(`curl -o best.onnx ${file}${bearer}`, "Download with curl")];
  if (!model) return blocks;
  const { name, shape, datatype } = model.inputs[0];
  const sizes = shape.map((size) => Math.max(size, 1));
  const size = sizes.reduce((a, b) => a * b, 1);
  const tuple = sizes.length === 1 ? `${sizes[0]},` : sizes.join(", ");
  blocks.push(
    code(
      [
        "import numpy as np",
        "import onnxruntime as ort",
        "",
        'session = ort.InferenceSession("best.onnx")',
        `x = np.zeros((${tuple}), np.float32)  # raw values`,
        `outputs = session.run(None, {${JSON.stringify(name)}: x})[0]`,
        "print(outputs.argmax(axis=-1))  # the class",
      ].join("\n"),
      "Call the file from Python",
    ),
  );
  const program = `import json\nx = {"name": ${JSON.stringify(name)}, "datatype": "${datatype}", "shape": ${JSON.stringify(sizes)}, "data": [0] * ${size}}\nprint(json.dumps({"inputs": [x]}))`;
  blocks.push(
    code(
      [
        `python3 -c ${shellWord(program)} |`,
        `curl ${address(`v2/models/${search.id}/infer`)}${bearer} \\`,
        '  -H "Content-Type: application/json" --data @-',
      ].join("\n"),
      "Ask this service with curl",
    ),
  );
  return blocks;
}
