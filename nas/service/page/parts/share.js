/** A share of weights as a bar and in per cent. */

import { h, s } from "../dom.js";
import * as format from "../format.js";

/** The bar is only decoration: the number stands beside it. */
export function share(value) {
  const bar = s(
    "svg",
    { viewBox: "0 0 72 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { width: 72, height: 6, rx: 3, class: "track" }),
    s("rect", { width: 72 * value, height: 6, rx: 3, class: "kept" }),
  );
  return h("span", { class: "share" }, bar, format.percent(value, 1));
}
