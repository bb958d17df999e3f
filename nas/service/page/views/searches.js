/** The list of searches, the newest first. It asks again while the page is visible. */

import { Problem, call } from "../api.js";
import { fill, h } from "../dom.js";
import * as format from "../format.js";
import { active, chip, progress } from "../parts/state.js";

const STATES = ["all", "running", "queued", "done", "failed", "cancelled"];
const FAST = 2000,
  SLOW = 10_000;

export async function searches({ root, signal }) {
  let state = "all";
  let pages = 1;
  let drawn = "";
  const chosen = new Set();
  const list = h("ul", { class: "searches" });
  const more = h(
    "button",
    {
      type: "button",
      class: "quiet",
      onclick: () => {
        pages += 1;
        refresh();
      },
    },
    "Show older searches",
  );
  const lost = h(
    "p",
    { class: "banner", role: "status", hidden: true },
    "The connection is lost. The page tries again.",
  );
  const compare = h("a", { class: "button quiet", hidden: true, "data-key": "compare" }, "Compare the two");
  const filters = h("div", { class: "segments", role: "group", "aria-label": "Show searches that are" });
  fill(
    root,
    h(
      "div",
      { class: "row between head" },
      h("h1", {}, "Searches"),
      h("div", { class: "row" }, compare, h("a", { class: "button main", href: "#/new" }, "New search")),
    ),
    lost,
    filters,
    list,
    h("p", { class: "center" }, more),
  );

  function drawFilters() {
    fill(
      filters,
      STATES.map((name) =>
        h(
          "button",
          {
            type: "button",
            "aria-pressed": String(state === name),
            "data-key": `state-${name}`,
            onclick: () => {
              state = name;
              pages = 1;
              drawFilters();
              refresh();
            },
          },
          name,
        ),
      ),
    );
  }

  function choose(id, checked) {
    if (checked) chosen.add(id);
    else chosen.delete(id);
    const [a, b] = chosen;
    compare.hidden = chosen.size !== 2;
    compare.href = `#/compare?a=${a}&b=${b}`;
  }

  async function refresh() {
    const items = [];
    let cursor = null;
    for (let page = 0; page < pages && (page === 0 || cursor); page += 1) {
      const query = new URLSearchParams({
        limit: "20",
        ...(cursor ? { cursor } : {}),
        ...(state === "all" ? {} : { state }),
      });
      const found = await call(`v1/searches?${query}`, { signal });
      items.push(...found.items);
      cursor = found.next;
    }
    more.hidden = !cursor;
    const text = JSON.stringify([state, items, Math.floor(Date.now() / 60_000)]);
    if (text !== drawn) {
      drawn = text;
      fill(list, items.length ? items.map((one) => row(one, chosen, choose)) : empty(state));
    }
    return items.some(active);
  }

  drawFilters();
  let busy = await refresh();
  (async () => {
    while (!signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, busy ? FAST : SLOW));
      if (signal.aborted || document.hidden) continue;
      try {
        busy = await refresh();
        lost.hidden = true;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Problem)) throw error;
        lost.hidden = error.status === 401;
      }
    }
  })();
}

function row(search, chosen, choose) {
  const name = format.taskOf(search);
  return h(
    "li",
    { class: "card search-row" },
    h(
      "label",
      { class: "pick" },
      h("input", {
        type: "checkbox",
        checked: chosen.has(search.id),
        "data-key": `pick-${search.id}`,
        onchange: (event) => choose(search.id, event.target.checked),
      }),
      h("span", { class: "hidden" }, `Choose ${name}, ${format.choices(search.request)}, for a comparison`),
    ),
    h(
      "div",
      { class: "what" },
      h("a", { class: "title", href: `#/searches/${search.id}`, "data-key": search.id }, name),
      h("span", { class: "note" }, format.choices(search.request)),
    ),
    h(
      "div",
      { class: "state" },
      chip(search),
      h("span", { class: "note" }, format.ago(search.finished ?? search.started ?? search.created)),
    ),
    h("div", { class: "best" }, best(search)),
    h("div", { class: "spent" }, search.error ? h("span", { class: "note" }, search.error.detail) : progress(search)),
  );
}

function best(search) {
  const metric = format.metric(search);
  if (search.result) {
    return [
      h("strong", { class: "figure winner-text" }, format.value(search.result.test, metric)),
      h("span", { class: "note" }, `${metric.name} on test, ${format.count(search.result.nnz)} non-zeros`),
    ];
  }
  if (typeof search.progress?.best === "number") {
    return [
      h("strong", { class: "figure" }, format.value(search.progress.best, metric)),
      h("span", { class: "note" }, `${metric.name} of the best so far, ${format.count(search.progress.best_nnz)} non-zeros`),
    ];
  }
  return [h("strong", { class: "figure pale-text" }, "–"), h("span", { class: "note" }, `${metric.name}: no result yet`)];
}

function empty(state) {
  return h(
    "li",
    { class: "card empty" },
    h("p", {}, state === "all" ? "There is no search yet." : `No search is ${state}.`),
    state === "all" &&
      h(
        "p",
        { class: "note" },
        "A search trains many small networks, learns from them what a network will reach, and gives you the best one that keeps your limits.",
      ),
    state === "all" && h("a", { class: "button main", href: "#/new" }, "Start the first search"),
  );
}
