/** The limits of a search: rows of a cost, a bound and its unit. */

import { fill, h } from "../dom.js";
import { select } from "./field.js";

const FORM = /^\s*([a-z_]+)\s*(<=|>=)\s*([0-9.e+]+)\s*(%?)\s*$/i;
const UNITS = { bytes: "bytes", latency: "ms" };

/** `costs` are names with meanings, `texts` the limits to begin with. Returns `{element, read()}`; `onchange` is called after changes. */
export function constraints(costs, texts, onchange) {
  const rows = texts.map(parsed);
  const element = h("div", { class: "limits" });

  function draw() {
    fill(
      element,
      rows.map((row, index) => line(row, index)),
      h(
        "button",
        {
          type: "button",
          class: "quiet small",
          "data-key": "add-limit",
          onclick: () => {
            rows.push({ cost: "nnz", sign: "<=", bound: "", share: "" });
            draw();
            element.querySelector(`[data-key="bound-${rows.length - 1}"]`).focus();
          },
        },
        rows.length ? "Add another limit" : "Add a limit",
      ),
    );
  }

  function line(row, index) {
    const change = (name) => (event) => {
      row[name] = event.target.value;
      onchange();
      if (name === "cost") draw();
    };
    const units = [
      ["", UNITS[row.cost] ?? "in number"],
      ["%", "% of dense"],
    ];
    return h(
      "div",
      { class: "limit" },
      select(
        costs.map((one) => one.name),
        row.cost,
        { "aria-label": `cost of limit ${index + 1}`, "data-key": `cost-${index}`, onchange: change("cost") },
      ),
      select(
        [
          ["<=", "≤"],
          [">=", "≥"],
        ],
        row.sign,
        {
          class: "sign",
          "aria-label": `direction of limit ${index + 1}`,
          "data-key": `sign-${index}`,
          onchange: change("sign"),
        },
      ),
      h("input", {
        type: "number",
        min: "0",
        step: "any",
        value: row.bound,
        "aria-label": `bound of limit ${index + 1}`,
        "data-key": `bound-${index}`,
        oninput: change("bound"),
      }),
      select(units, row.share, {
        "aria-label": `unit of limit ${index + 1}`,
        "data-key": `unit-${index}`,
        onchange: change("share"),
      }),
      h(
        "button",
        {
          type: "button",
          class: "quiet small",
          "aria-label": `remove limit ${index + 1}`,
          "data-key": `remove-${index}`,
          onclick: () => {
            rows.splice(index, 1);
            draw();
            onchange();
          },
        },
        "×",
      ),
    );
  }

  draw();
  return {
    element,
    read: () => rows.filter((row) => row.bound !== "").map((row) => `${row.cost}${row.sign}${row.bound}${row.share}`),
  };
}

function parsed(text) {
  const [, cost, sign, bound, share] = FORM.exec(text) ?? [null, "nnz", "<=", "", ""];
  return { cost, sign, bound, share };
}
