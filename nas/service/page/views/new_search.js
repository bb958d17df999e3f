/** The form that starts a search. A dry run beside it says what the search would do. */

import { Problem, all, address, call, names, schema, token } from "../api.js";
import { fill, h } from "../dom.js";
import { code, shellWord } from "../parts/code.js";
import { constraints } from "../form/constraints.js";
import { field } from "../form/field.js";
import { networkPart } from "../form/networks.js";
import { number, options } from "../form/options.js";
import { outlook } from "../form/outlook.js";
import { taskPart } from "../form/task.js";

const ELSEWHERE = new Set(["task", "target", "space", "model", "constraint", "trainings", "seed"]);
const FIRST = { task: "digits", constraint: ["nnz<=600"] };

export async function newSearch({ root, signal, query }) {
  const from = query.get("from");
  const [tasks, spaces, strategies, methods, predictors, metrics, known, datasets, models, start] = await Promise.all([
    ...["tasks", "spaces", "strategies", "methods", "predictors", "metrics"].map(names),
    schema(),
    all("v1/datasets"),
    all("v1/models"),
    from ? call(`v1/searches/${from}`, { signal }).then((one) => one.request) : FIRST,
  ]);
  const fields = {};
  const task = taskPart(tasks, datasets, start, changed);
  const network = networkPart(spaces, models, start, changed);
  const limits = constraints(
    metrics.filter((one) => one.kind === "cost"),
    start.constraint ?? [],
    changed,
  );
  const total = h("input", {
    type: "number",
    min: 1,
    step: 1,
    value: String(start.trainings ?? known.trainings.default),
  });
  const seed = h("input", { type: "number", min: 0, step: 1, value: String(start.seed ?? known.seed.default) });
  const scoring = ["auto", "none", ...predictors.filter((one) => one.kind === "accuracy").map((one) => one.name)];
  const lists = {
    strategy: strategies.map((one) => one.name),
    method: ["auto", ...methods.map((one) => one.name)],
    predictor: scoring,
  };
  const advanced = options({ schema: known, skipped: ELSEWHERE, lists, set: start });
  Object.assign(fields, advanced.fields, {
    task: field("Task", task.element),
    space: field("Networks", network.element),
    constraint: field("Limits", limits.element, {
      help: "Hard bounds that every network keeps. Non-zero weights (nnz) decide the size of a sparse network.",
    }),
    trainings: field("Trainings", total, { help: "How many real trainings the search may spend." }),
    seed: field("Seed", seed, { help: "The same seed gives the same trials." }),
  });
  fields.target = fields.task;
  fields.model = fields.space;

  const details = h(
    "details",
    { class: "advanced", open: Object.keys(start).some((name) => name in advanced.fields) },
    h("summary", {}, "Advanced"),
    advanced.element,
  );
  const failure = h("p", { class: "banner bad", role: "alert", hidden: true });
  const submit = h("button", { type: "submit", class: "main" }, "Start the search");
  const lines = h("div");
  const dry = outlook({
    request,
    signal,
    onProblem: (problem) => {
      failure.hidden = true;
      mark(problem);
    },
  });
  const form = h(
    "form",
    { class: "panel", novalidate: true, onsubmit: send, oninput: changed, onchange: changed },
    fields.task,
    fields.space,
    fields.constraint,
    h("div", { class: "fields" }, fields.trainings, fields.seed),
    details,
    failure,
    h("div", { class: "row" }, submit),
    h("details", { ontoggle: drawLines }, h("summary", {}, "The same with curl"), lines),
  );
  fill(
    root,
    h(
      "div",
      { class: "head" },
      h("h1", {}, "New search"),
      h("p", { class: "note" }, "Say what to learn, what the network may cost, and how much may be tried."),
    ),
    h("div", { class: "split" }, form, dry.element),
  );
  dry.now();

  function request() {
    const chosen = task.read();
    if (chosen === null || network.read() === null) return null;
    const found = { ...chosen, ...network.read(), constraint: limits.read() };
    if (!found.constraint.length) delete found.constraint;
    for (const [name, control] of [
      ["trainings", total],
      ["seed", seed],
    ]) {
      const value = number(control);
      if (value !== null) found[name] = value;
    }
    return { ...found, ...advanced.read() };
  }

  function changed() {
    dry.changed();
    drawLines();
  }

  function drawLines() {
    const bearer = token() ? ' -H "Authorization: Bearer $NAS_TOKEN"' : "";
    const body = JSON.stringify(request() ?? {}, null, 1);
    fill(
      lines,
      code(
        `curl ${address("v1/searches")}${bearer} -H "Content-Type: application/json" -d ${shellWord(body)}`,
        "Ask for this search",
      ),
    );
  }

  /** Show each problem beside its field; gives the fields that are wrong. */
  function mark(problem) {
    for (const one of new Set(Object.values(fields))) one.fail(null);
    if (problem === null || ![400, 422].includes(problem.status)) return [];
    const wrong = problem.errors.length
      ? problem.errors.map((one) => [one.name.replace(/^body\./, "").split(".")[0], one.detail])
      : [[blamed(problem.message, Object.keys(known)), problem.message]];
    const found = wrong.filter(([name]) => name in fields);
    for (const [name, detail] of found) fields[name].fail(detail);
    if (found.some(([name]) => name in advanced.fields)) details.open = true;
    return found.map(([name]) => fields[name]);
  }

  let key = idempotencyKey();
  async function send(event) {
    event.preventDefault();
    const json = request();
    if (json === null) {
      (task.read() === null ? fields.task : fields.space).fail("Choose a file first.");
      return;
    }
    submit.disabled = true;
    submit.textContent = "Checking…";
    try {
      const found = await call("v1/searches", { method: "POST", json, headers: { "idempotency-key": key } });
      location.hash = `#/searches/${found.id}`;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.status !== 0) key = idempotencyKey();
      const wrong = mark(problem);
      failure.hidden = wrong.length > 0;
      failure.textContent = problem.message;
      wrong[0]?.querySelector("input, select, button")?.focus();
    }
    submit.disabled = false;
    submit.textContent = "Start the search";
  }
}

/** The option that the text of a problem is about: the one that it names first. */
function blamed(text, known) {
  const aliases = { "data set": "task", candidates: "constraint", "no candidate": "constraint", budget: "constraint" };
  const places = [...known.map((name) => [name, name]), ...Object.entries(aliases)]
    .map(([word, name]) => [text.search(new RegExp(`(^|[^a-z_])${word.replace("_", "[ _-]")}([^a-z_]|$)`)), name])
    .filter(([place]) => place >= 0);
  return places.sort((a, b) => a[0] - b[0])[0]?.[1];
}

const idempotencyKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
