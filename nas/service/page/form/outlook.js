/** The dry run of a form: what the search would do, asked again after every change, one question at a time. */

import { Problem, call } from "../api.js";
import { fill, h } from "../dom.js";
import * as format from "../format.js";
import { table } from "../parts/table.js";

const DELAY = 700;

/**
 * `request()` gives the body, or null if the form is not ready. `onProblem(problem or null)` gets what the service said. Returns
 * `{element, changed()}`.
 */
export function outlook({ request, onProblem, signal }) {
  const status = h("p", { class: "note status", role: "status" });
  const body = h("div", { class: "outlook-body" });
  const element = h(
    "section",
    { class: "card outlook", "aria-label": "Dry run" },
    h("h2", {}, "Dry run"),
    status,
    body,
  );
  let timer = null,
    running = false,
    again = false,
    answered = "";

  function changed() {
    clearTimeout(timer);
    timer = setTimeout(ask, DELAY);
  }

  async function ask() {
    if (signal.aborted) return;
    if (running) {
      again = true;
      return;
    }
    const json = request();
    const text = JSON.stringify(json);
    if (text === answered) return;
    if (json === null) {
      status.textContent = "Choose a task first.";
      fill(body);
      return;
    }
    running = true;
    element.setAttribute("aria-busy", "true");
    status.textContent = "Checking. A few batches are trained, to measure the time…";
    try {
      draw(await call("v1/searches:validate", { method: "POST", json, signal }));
      status.textContent = "";
      onProblem(null);
    } catch (problem) {
      if (signal.aborted) return;
      if (!(problem instanceof Problem)) throw problem;
      status.textContent = problem.status === 422 ? "" : "The dry run did not work.";
      fill(body, h("p", { class: "banner bad" }, problem.message));
      onProblem(problem);
    }
    answered = text;
    running = false;
    element.removeAttribute("aria-busy");
    if (again) {
      again = false;
      ask();
    }
  }

  function draw(found) {
    const sizes = rows(found.sizes, "sizes of random candidates");
    fill(
      body,
      h(
        "p",
        { class: "estimate" },
        h("strong", { class: "figure" }, `about ${format.duration(found.seconds)}`),
        h("span", { class: "note" }, "estimated time"),
      ),
      found.metric &&
        h("p", { class: "note" }, `It measures ${found.metric.name}; ${format.goal(found.metric)}.`),
      found.remark && h("p", { class: "note" }, found.remark),
      h("h3", {}, "Where the trainings go"),
      rows(found.budget, "what the trainings are spent on"),
      found.references.length > 0 && [
        h("h3", {}, "What is tried first"),
        rows(found.references, "what is tried first"),
      ],
      h("h3", {}, "Sizes of random candidates"),
      sizes,
      h(
        "details",
        {},
        h("summary", {}, "More"),
        h("h3", {}, "Plain networks, without a mask"),
        rows(found.plain, "plain networks"),
        found.methods.length > 0 && [h("h3", {}, "Methods"), rows(found.methods, "mask methods")],
        h("h3", {}, "Architectures are drawn from"),
        rows(found.space, "what architectures are drawn from"),
        h("p", { class: "note" }, `${found.how}.`),
      ),
    );
  }

  return { element, changed, now: ask };
}

/** Rows of the API as a table; its columns are the names in the rows. */
function rows(found, caption) {
  const names = [...new Set(found.flatMap((row) => Object.keys(row)))];
  const cell = (value, name) => {
    if (typeof value !== "number") return value ?? "–";
    if (name === "density") return format.percent(value, 1);
    return Number.isInteger(value) ? format.count(value) : format.trainings(value);
  };
  const grid = table(
    names.map((name) => ({
      name,
      label: found.some((row) => typeof row[name] === "string"),
      cell: (row) => cell(row[name], name),
    })),
    { caption },
  );
  grid.show(found);
  return grid.element;
}
