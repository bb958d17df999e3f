/** The part of the form that chooses the task. */

import { Problem } from "../api.js";
import { fill, h } from "../dom.js";
import { drop } from "./drop.js";
import { field, segments, select } from "./field.js";
import { columns, dataFacts, nameOf, uploadDataset } from "./upload.js";

const HASH = /^[0-9a-f]{64}$/;

/** A built-in task or a data set. `read()` gives the options, or null without a data set. */
export function taskPart(tasks, datasets, start, onchange) {
  const own = HASH.test(start.task ?? "");
  const builtIn = select(
    tasks.map((one) => one.name),
    own ? "digits" : start.task,
    { "aria-label": "built-in task", onchange: () => draw() },
  );
  const meaning = h("p", { class: "note" });
  const chosen = { sha256: own ? start.task : (datasets[0]?.sha256 ?? null), target: start.target ?? null };
  const status = h("p", { class: "note", role: "status" });
  const body = h("div", { class: "stack" });
  const kind = segments(
    [
      ["built-in", "Built-in task"],
      ["own", "Your data"],
    ],
    own ? "own" : "built-in",
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
    const list =
      datasets.length > 0 &&
      select(
        datasets.map((one) => [one.sha256, `${nameOf(one.sha256)} (${one.kind})`]),
        chosen.sha256,
        {
          "aria-label": "uploaded data set",
          "data-key": "dataset",
          onchange: (event) => {
            Object.assign(chosen, { sha256: event.target.value, target: null });
            draw();
            onchange();
          },
        },
      );
    const facts = datasets.find((one) => one.sha256 === chosen.sha256)?.facts;
    fill(
      body,
      list,
      facts && h("p", { class: "note" }, dataFacts(facts)),
      drop({
        label: "Drop a .csv or .npz file, or choose one",
        hint: "A csv file has a header. An npz file has the arrays x and y.",
        accept: ".csv,.npz",
        onFile: take,
      }),
      status,
    );
  }

  async function take(file) {
    if (!file.name.toLowerCase().endsWith(".csv")) return send(file, null);
    const found = await columns(file);
    const target = select(found, found.at(-1));
    fill(
      body,
      h("p", {}, h("strong", {}, file.name), ` has ${found.length} columns.`),
      field("Column to predict", target),
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", class: "main", onclick: () => send(file, target.value) }, "Upload"),
        h("button", { type: "button", class: "quiet", onclick: draw }, "Back"),
      ),
      status,
    );
    target.focus();
  }

  async function send(file, target) {
    status.textContent = `Uploading ${file.name}…`;
    try {
      const found = await uploadDataset(file, target);
      if (!datasets.some((one) => one.sha256 === found.sha256)) datasets.unshift(found);
      Object.assign(chosen, { sha256: found.sha256, target });
      status.textContent = "";
      draw();
      onchange();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      status.textContent = problem.message;
    }
  }

  draw();
  const read = () => {
    if (kind.value === "built-in") return { task: builtIn.value };
    if (!chosen.sha256) return null;
    return chosen.target ? { task: chosen.sha256, target: chosen.target } : { task: chosen.sha256 };
  };
  return { element: h("div", { class: "stack" }, kind.element, body), read };
}
