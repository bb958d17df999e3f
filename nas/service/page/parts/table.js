/** Tables that scroll inside themselves, and can be sorted. */

import { fill, h } from "../dom.js";

/**
 * A table. `columns` are `{name, cell(row), order(row), label}`: `cell` gives text or an element, `order` what to sort by, and `label`
 * says that the column holds words. Returns `{element, show(rows)}`.
 */
export function table(columns, { caption, sortable = false, tall = false, rowClass = () => null } = {}) {
  let rows = [];
  let sorted = null;
  let down = false;
  const heads = columns.map((column) => {
    const name =
      sortable && column.order
        ? h("button", { type: "button", onclick: () => sort(column) }, column.name)
        : column.name;
    return h("th", { scope: "col", class: column.label ? "label" : null }, name);
  });
  const body = h("tbody");
  const grid = h("table", {}, h("caption", { class: "hidden" }, caption), h("thead", {}, h("tr", {}, heads)), body);
  const element = h(
    "div",
    { class: `scroll${tall ? " tall" : ""}`, tabindex: "0", role: "region", "aria-label": caption },
    grid,
  );

  function sort(column) {
    down = sorted === column ? !down : false;
    sorted = column;
    heads.forEach((head, index) => {
      if (columns[index] === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    draw();
  }

  function draw() {
    const found = [...rows];
    if (sorted) {
      found.sort((one, other) => {
        const a = sorted.order(one),
          b = sorted.order(other);
        if (a === null || b === null || a === undefined || b === undefined)
          return (a ?? null) === null ? ((b ?? null) === null ? 0 : 1) : -1;
        return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
      });
    }
    fill(
      body,
      found.map((row) =>
        h(
          "tr",
          { class: rowClass(row) },
          columns.map((column) => h("td", { class: column.label ? "label" : null }, column.cell(row))),
        ),
      ),
    );
  }

  return {
    element,
    show: (given) => {
      rows = given;
      draw();
    },
  };
}
