/** The part of the form that chooses the task. */

import { fill, h } from "../dom.js";
import { field, segments, select } from "./field.js";
import { columns, dataFacts, nameOf, uploadDataset } from "./upload.js";
import { uploaded } from "./uploaded.js";

const HASH = /^[0-9a-f]{64}$/;

/** A built-in task or a data set. `read()` gives the options, or null without a data set. */
export function taskPart(tasks, datasets, start, onchange) {
  const isOwn = HASH.test(start.task ?? "");
  const builtIn = select(
    tasks.map((one) => one.name),
    isOwn ? "digits" : start.task,
    { "aria-label": "built-in task", onchange: () => draw() },
  );
  const meaning = h("p", { class: "note" });
  let column = start.target ?? null;
  const own = uploaded({
    items: datasets,
    chosen: isOwn ? start.task : (datasets[0]?.sha256 ?? null),
    list: { label: "uploaded data set", key: "dataset", name: (one) => `${nameOf(one)} (${one.kind})` },
    facts: (one) => dataFacts(one.facts),
    place: "v1/datasets",
    file: {
      label: "Drop a .csv or .npz file, or choose one",
      hint: "A csv file has a header. An npz file has the arrays x and y.",
      accept: ".csv,.npz",
      onFile: take,
    },
    upload: uploadDataset,
    onchange: (target = null) => {
      column = target;
      draw();
      onchange();
    },
  });
  const body = h("div", { class: "stack" });
  const kind = segments(
    [
      ["built-in", "Built-in task"],
      ["own", "Your data"],
    ],
    isOwn ? "own" : "built-in",
    "kind of task",
    () => {
      draw();
      onchange();
    },
  );

  function draw() {
    if (kind.value === "built-in") {
      const one = tasks.find((task) => task.name === builtIn.value);
      meaning.textContent = `${one?.meaning ?? ""}${one?.needs ? ` Needs ${one.needs}.` : ""}`;
      fill(body, builtIn, meaning);
      return;
    }
    own.draw();
    fill(body, own.element);
  }

  async function take(file) {
    if (!file.name.toLowerCase().endsWith(".csv")) return own.send(file, null);
    const found = await columns(file);
    const target = select(found, found.at(-1));
    fill(
      body,
      h("p", {}, h("strong", {}, file.name), ` has ${found.length} columns.`),
      field("Column to predict", target),
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", class: "main", onclick: () => own.send(file, target.value) }, "Upload"),
        h("button", { type: "button", class: "quiet", onclick: draw }, "Back"),
      ),
      own.status,
    );
    target.focus();
  }

  draw();
  const read = () => {
    if (kind.value === "built-in") return { task: builtIn.value };
    if (!own.sha256) return null;
    return column ? { task: own.sha256, target: column } : { task: own.sha256 };
  };
  return { element: h("div", { class: "stack" }, kind.element, body), read };
}
