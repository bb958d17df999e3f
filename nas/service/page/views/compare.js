/** Two searches side by side. */

import { Problem, all, call, schema } from "../api.js";
import { bestSoFar } from "../charts/best_so_far.js";
import { figure } from "../charts/legend.js";
import { pareto } from "../charts/pareto.js";
import { fill, h } from "../dom.js";
import * as format from "../format.js";
import { Trials } from "../parts/trials.js";
import { field, select } from "../form/field.js";
import { chip } from "../parts/state.js";
import { table } from "../parts/table.js";

const COLOURS = [
  ["first", "first", "first-line"],
  ["other", "other", "other-line"],
];

export async function compare({ root, signal, query }) {
  const known = await all("v1/searches", 200);
  const head = h(
    "div",
    { class: "head" },
    h("h1", {}, "Compare"),
    h("p", { class: "note" }, "Two searches side by side: their options, their results and their fronts."),
  );
  if (known.length < 2) {
    fill(
      root,
      head,
      h(
        "div",
        { class: "card empty" },
        h("p", {}, "A comparison needs two searches."),
        h("a", { class: "button main", href: "#/new" }, "New search"),
      ),
    );
    return;
  }
  const ids = [query.get("a") ?? known[1].id, query.get("b") ?? known[0].id];
  const name = (one) =>
    `${format.taskOf(one)} · ${format.choices(one.request)} · ${one.state} · ${format.ago(one.created)}`;
  const pick = (index) =>
    select(
      known.map((one) => [one.id, name(one)]),
      ids[index],
      {
        onchange: (event) => {
          const next = [...ids];
          next[index] = event.target.value;
          location.hash = `#/compare?a=${next[0]}&b=${next[1]}`;
        },
      },
    );
  const out = h("div");
  fill(root, head, h("div", { class: "fields two" }, field("First", pick(0)), field("Second", pick(1))), out);
  const [options, ...sides] = await Promise.all([schema(), ...ids.map((id) => side(id, signal))]);
  const labels = sides.map(
    (one, index) => `${index === 0 ? "First" : "Second"}: ${format.taskOf(one.search)}`,
  );
  const legend = sides.map((_, index) => [COLOURS[index][0], labels[index]]);
  const metric = format.metric(sides[0].search);
  const sets = sides.map((one, index) => ({
    trials: one.trials,
    front: one.front,
    winner: one.search.result?.digest,
    name: labels[index],
    classes: COLOURS[index],
  }));
  fill(
    out,
    h("section", {}, h("h2", {}, "Results"), results(sides)),
    sides.some((one) => one.trials.length) &&
      h(
        "section",
        {},
        h("h2", {}, "Charts"),
        h(
          "div",
          { class: "grid" },
          figure(
            `${format.title(metric.name)} and non-zeros`,
            legend,
            pareto(sets, "nnz", "non-zero weights", metric),
            "Every training of both; the lines are the Pareto fronts, the large dots the winners.",
          ),
          figure("Best so far", legend, bestSoFar(sets, metric), "Results in the order of the trainings."),
        ),
      ),
    h("section", {}, h("h2", {}, "Options"), settings(sides, options)),
  );
}

async function side(id, signal) {
  const search = await call(`v1/searches/${id}`, { signal });
  const trials = new Trials(id);
  await trials.more(signal);
  const front = (await call(`v1/searches/${id}/front`, { signal })).items;
  let report = null;
  if (search.result) {
    try {
      report = await call(`v1/searches/${id}/artifacts/report.json`, { signal });
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.status !== 404) throw problem;
    }
  }
  return { search, report, trials: trials.rows, front };
}

function results(sides) {
  const rows = [
    ["state", (one) => chip(one.search)],
    ["metric", (one) => `${format.metric(one.search).name}, ${format.goal(format.metric(one.search))}`],
    [
      "measured on test",
      (one) => (one.search.result ? format.value(one.search.result.test, format.metric(one.search)) : "–"),
    ],
    ["95 % interval", (one) => format.range(one.search.result?.interval, format.metric(one.search))],
    ["best on validation", (one) => format.value(one.search.progress?.best, format.metric(one.search))],
    ["non-zeros", (one) => format.count(one.search.result?.nnz ?? one.search.progress?.best_nnz)],
    ["bytes", (one) => format.count(one.search.result?.bytes)],
    ["latency", (one) => format.milliseconds(one.search.result?.latency)],
    [
      "trainings",
      (one) => `${format.trainings(one.search.progress?.trainings ?? 0)} of ${format.count(one.search.trainings)}`,
    ],
    ["time", (one) => format.duration(one.report?.seconds.total ?? one.search.progress?.elapsed)],
    ["rank correlation τ", (one) => format.rank((one.report?.agreement ?? one.search.progress?.agreement)?.kendall)],
    ["verdict", (one) => one.report?.verdict ?? "–"],
  ];
  return both(
    sides,
    rows.map(([name, cell]) => ({ name, cells: sides.map(cell), differs: false })),
    "results of both",
  );
}

/** The options as the reports resolved them; as they were asked for, with the defaults, if one search has no report. */
function settings(sides, known) {
  const defaults = Object.fromEntries(Object.entries(known).map(([name, option]) => [name, option.default]));
  const resolved = sides.every((one) => one.report);
  const configs = sides.map((one) => (resolved ? one.report.config : { ...defaults, ...one.search.request }));
  const names = Object.keys(known);
  const text = (value) =>
    value === undefined || value === null ? "–" : Array.isArray(value) ? value.join(", ") || "–" : String(value);
  const rows = names
    .map((name) => ({
      name: name.replaceAll("_", " "),
      cells: configs.map((one) => (name === "task" ? format.task(one.task) : text(one[name]))),
    }))
    .map((row) => ({ ...row, differs: row.cells[0] !== row.cells[1] }))
    .sort((a, b) => b.differs - a.differs);
  return both(
    sides,
    rows.filter((row) => row.differs || row.cells[0] !== "–"),
    "options of both, different ones first",
  );
}

function both(sides, rows, caption) {
  const link = (index) => h("a", { href: `#/searches/${sides[index].search.id}` }, index === 0 ? "First" : "Second");
  const grid = table(
    [
      { name: caption.split(" ")[0].replace(/s$/, ""), cell: (row) => row.name, label: true },
      ...[0, 1].map((index) => ({
        name: link(index),
        cell: (row) => h("span", { class: "value" }, row.cells[index]),
        label: true,
      })),
    ],
    { caption, rowClass: (row) => (row.differs ? "differs" : null) },
  );
  grid.show(rows);
  grid.element.classList.add("both");
  return grid.element;
}
