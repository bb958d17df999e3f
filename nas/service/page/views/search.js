/** One search: live while it runs, and its winner when it is done. */

import { Problem, answer, call, names } from "../api.js";
import { bestSoFar } from "../charts/best_so_far.js";
import { figure } from "../charts/legend.js";
import { pareto } from "../charts/pareto.js";
import { error as forecastError, forecasts, predicted } from "../charts/predicted.js";
import { fill, h, notify } from "../dom.js";
import { follow } from "../events.js";
import * as format from "../format.js";
import { Trials } from "../parts/trials.js";
import { told } from "../parts/event_text.js";
import { confirmed } from "../parts/confirm.js";
import { latest } from "../parts/latest.js";
import { roundTable, trialTable, waysFigure } from "../parts/search_tables.js";
import { active, chip, progress } from "../parts/state.js";
import { showTrial } from "./trial.js";
import { winner } from "./winner.js";

export async function search({ root, signal: ended, parts: [id] }) {
  const own = new AbortController();
  const { signal } = own;
  ended.addEventListener("abort", () => own.abort());
  const path = `v1/searches/${id}`;
  let found = await call(path, { signal });
  const trials = new Trials(id);
  const events = [];
  const costs = Object.fromEntries(
    (await names("metrics")).filter((one) => one.kind === "cost").map((one) => [one.name, one]),
  );
  let front = { state: "so far", items: [] };
  let cost = firstCost(found.request, costs);
  let last = 0;

  const head = h("div", { class: "head" });
  const lost = h(
    "p",
    { class: "banner", role: "status", hidden: true },
    "The connection is lost. The page connects again.",
  );
  const tiles = h("dl", { class: "tiles" });
  const won = h("div");
  const charts = h("div", { class: "grid" });
  const rounds = h("div");
  const metric = format.metric(found);
  const list = trialTable((trial) => showTrial(id, trial, metric), metric);
  const log = h("ol");
  const logBox = h("div", { class: "log", tabindex: "0", role: "region", "aria-label": "log of the search" }, log);
  const stages = h("p", { class: "note stage", role: "status" });
  fill(
    root,
    head,
    lost,
    stages,
    tiles,
    won,
    h("section", {}, h("h2", {}, "Results"), charts),
    h(
      "section",
      {},
      h("h2", {}, "Rounds"),
      h("p", { class: "note" }, "In each round the predictor screens many proposals, and a few of them are trained."),
      rounds,
    ),
    h(
      "section",
      {},
      h("h2", {}, "Trials"),
      h("p", { class: "note" }, "The name of a column sorts by it. The number of a trial opens its details."),
      list.element,
    ),
    h("section", {}, h("h2", {}, "Log"), logBox),
    h(
      "section",
      {},
      h("h2", {}, "Request"),
      h(
        "details",
        {},
        h("summary", {}, "Options of this search"),
        h(
          "pre",
          { tabindex: "0", role: "region", "aria-label": "request" },
          h("code", {}, JSON.stringify(found.request, null, 2)),
        ),
      ),
    ),
  );

  function drawHead() {
    fill(
      head,
      h("p", { class: "eyebrow" }, h("a", { href: "#/", "data-key": "back" }, "Searches"), ` / ${id}`),
      h(
        "div",
        { class: "row between" },
        h("div", { class: "row title" }, h("h1", {}, format.taskOf(found)), chip(found)),
        h("div", { class: "row" }, actions()),
      ),
      h(
        "p",
        { class: "note" },
        [
          format.choices(found.request),
          `${format.count(found.trainings)} trainings`,
          `asked for ${format.ago(found.created)}`,
        ].join(" · "),
      ),
      found.error && h("p", { class: "banner bad", role: "alert" }, `The search failed: ${found.error.detail}`),
      progress(found),
    );
    drawTiles();
  }

  function actions() {
    const again = h("a", { class: "button quiet", href: `#/new?from=${id}`, "data-key": "again" }, "Use as a template");
    if (active(found)) {
      return [
        again,
        h(
          "button",
          { type: "button", class: "danger", disabled: found.cancelling, onclick: cancel, "data-key": "cancel" },
          found.cancelling ? "Cancelling…" : "Cancel",
        ),
      ];
    }
    const total = h("input", {
      type: "number",
      min: found.trainings,
      max: 100000,
      value: found.state === "done" ? 2 * found.trainings : found.trainings,
      "aria-label": "new total of trainings",
      "data-key": "total",
    });
    const resume = async (event) => {
      event.preventDefault();
      await act("resume", { trainings: Number(total.value) });
      watch();
    };
    return [
      again,
      h(
        "form",
        { class: "row tight", onsubmit: resume },
        total,
        h("button", { type: "submit", class: "main", "data-key": "resume" }, "Resume"),
      ),
      h("button", { type: "button", class: "danger", onclick: remove, "data-key": "delete" }, "Delete"),
    ];
  }

  async function remove() {
    if (!(await confirmed("Delete this search, with its trials and files? This cannot be undone.", "Delete"))) return;
    own.abort(); // nothing is asked about the search any more
    try {
      await answer(path, { method: "DELETE" });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      notify(problem.message);
      window.dispatchEvent(new HashChangeEvent("hashchange")); // shows the view again
      return;
    }
    location.hash = "#/";
    notify("The search is deleted.");
  }

  const cancel = () => act("cancel");

  async function act(verb, json) {
    try {
      found = await call(`${path}:${verb}`, { method: "POST", json: json ?? undefined });
      notify(verb === "cancel" ? "The search will be cancelled. What it has found is kept." : "The search goes on.");
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      notify(problem.message);
    }
    drawHead();
  }

  function drawTiles() {
    const now = found.progress ?? {};
    const tile = (name, value, note) =>
      h(
        "div",
        { class: "tile" },
        h("dt", {}, name),
        h("dd", {}, h("strong", { class: "figure" }, value), h("span", { class: "note" }, note)),
      );
    const times = now.best_trainings > 1 ? `mean of ${now.best_trainings} trainings, validation` : "validation";
    const best = typeof now.best === "number" ? times : "no result yet";
    const rank = now.agreement?.kendall;
    fill(
      tiles,
      tile("Best so far", format.value(now.best, metric), `${metric.name}, ${format.goal(metric)}; ${best}`),
      tile("Non-zero weights", format.count(now.best_nnz), "of the best"),
      tile(
        "Round",
        typeof now.round === "number" ? String(now.round + 1) : "–",
        now.way ? format.way(now.way) : "not begun",
      ),
      tile(
        "Predictor",
        typeof rank === "number" ? `τ ${format.rank(rank)}` : "–",
        `rank correlation on ${now.agreement?.trials ?? 0} scored trials`,
      ),
    );
  }

  function drawCharts() {
    const rows = trials.rows;
    if (!rows.length) {
      fill(
        charts,
        h(
          "p",
          { class: "note" },
          active(found) ? "The first results appear when the first round has ended." : "There is no result.",
        ),
      );
      return;
    }
    const has = Object.keys(costs).filter((name) => rows.some((one) => typeof one[name] === "number"));
    if (!has.includes(cost)) cost = has[0] ?? "nnz";
    const select = h(
      "select",
      {
        "aria-label": "cost on the axis",
        "data-key": "cost",
        onchange: (event) => {
          cost = event.target.value;
          drawCharts();
        },
      },
      has.map((name) => h("option", { value: name, selected: name === cost }, name)),
    );
    const sets = [
      {
        trials: rows,
        front: front.items,
        winner: found.result?.digest,
        name: "Pareto",
        classes: ["pale", "ink", "front"],
      },
    ];
    const legend = [["pale", "trial"], ["ink", "Pareto front"], ...(found.result ? [["winner", "winner"]] : [])];
    fill(
      charts,
      figure(
        `${format.title(metric.name)} and ${cost}`,
        legend,
        pareto(sets, cost, cost === "nnz" ? "non-zero weights" : cost, metric),
        `Each dot is a training; towards the ${metric.goal === "minimize" ? "lower" : "upper"} left is better. The front is ${front.state === "final" ? "final" : "that of the results so far"}.`,
        select,
      ),
      figure(
        "Best so far",
        [
          ["pale", "first training"],
          ["second", "trained again"],
          ["ink", "leader"],
        ],
        bestSoFar([{ trials: rows, classes: ["pale", "second", "front"] }], metric),
        "Results in the order of the trainings. The line is the best mean over the trainings of one network.",
      ),
      forecasts(rows).length > 0 &&
        figure(
          "Predicted and measured",
          [["second", "candidate"]],
          predicted(rows, metric),
          `On the dashed line the prediction was right. ${forecastError(rows, metric)}`,
        ),
      waysFigure(rows, metric),
    );
    list.show(rows);
  }

  function drawRounds() {
    const byRound = new Map();
    for (const event of events) if (event.kind === "progress") byRound.set(event.data.round, event.data);
    fill(rounds, byRound.size ? roundTable([...byRound.values()], metric) : h("p", { class: "note" }, "No round has begun."));
  }

  function drawLog() {
    const atEnd = logBox.scrollTop + logBox.clientHeight >= logBox.scrollHeight - 8;
    fill(
      log,
      events
        .slice(-500)
        .map((event) =>
          h(
            "li",
            { class: `log-${event.data.level ?? event.kind}` },
            h("time", { datetime: event.data.at }, format.clock(event.data.at)),
            " ",
            told(event, metric),
          ),
        ),
    );
    if (atEnd) logBox.scrollTop = logBox.scrollHeight;
  }

  /** Read again what changes at the end of a round; changes that come while it reads are read once more afterwards. */
  const refresh = latest(async () => {
    found = await call(path, { signal });
    await trials.more(signal);
    front = await call(`${path}/front`, { signal });
    drawHead();
    drawCharts();
    drawRounds();
    drawLog();
    const finished = found.result ? found.finished : null;
    if (won.dataset.finished !== String(finished)) {
      won.dataset.finished = String(finished);
      if (found.result) await winner(won, found, signal);
      else fill(won);
    }
  }, signal);

  let watching = false;
  async function watch() {
    if (watching) return;
    watching = true;
    try {
      await follow(id, {
        last,
        signal,
        onConnection: (there) => {
          lost.hidden = there;
        },
        onEvent: (event) => {
          last = event.id;
          events.push(event);
          if (event.kind === "stage") stages.textContent = active(found) ? event.data.text : "";
          if (event.kind === "progress") found = { ...found, progress: event.data };
          if (event.kind === "state") {
            found = { ...found, state: event.data.state };
            stages.textContent = "";
          }
          refresh();
        },
      });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      lost.hidden = false;
      lost.textContent = problem.message;
      return;
    } finally {
      watching = false;
    }
    if (active(found) && !signal.aborted) watch();
  }

  drawHead();
  await refresh();
  watch();
}

/** The cost on the axis: that of the first limit or objective, if it is one, else the non-zeros. */
function firstCost(request, costs) {
  const named = [...(request.constraint ?? []), ...(request.objective ?? [])].map(
    (text) => /^[-+]?([a-z_]+)/.exec(text.trim())?.[1],
  );
  return named.find((name) => name in costs) ?? "nnz";
}
