/** Lines to copy. */

import { h, notify } from "../dom.js";

/** A text as one word of a shell. Names in models are chosen by strangers. */
export const shellWord = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A block of code with a button that copies it. */
export function code(text, title) {
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    notify("Copied.");
  };
  const button = navigator.clipboard
    ? h("button", { type: "button", class: "quiet small", onclick: copy, "aria-label": `Copy: ${title}` }, "Copy")
    : null;
  return h(
    "div",
    { class: "code" },
    h("div", { class: "row between" }, h("h4", {}, title), button),
    h("pre", { tabindex: "0", "aria-label": title, role: "region" }, h("code", {}, text)),
  );
}
