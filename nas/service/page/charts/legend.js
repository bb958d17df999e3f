/** A chart with its title, legend and caption. */

import { h } from "../dom.js";

/** `keys` are pairs of a class and a name; without any there is no legend. */
export function figure(title, keys, drawing, caption, control = null) {
  return h(
    "figure",
    {},
    h("div", { class: "row between" }, h("h3", {}, title), control),
    keys.length > 0 &&
      h(
        "ul",
        { class: "legend" },
        keys.map(([key, name]) => h("li", {}, h("span", { class: `key ${key}` }), name)),
      ),
    drawing,
    h("figcaption", {}, caption),
  );
}
