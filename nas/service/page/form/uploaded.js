/** Uploads of one family in a form: a list, what is known of the chosen one, a button that deletes it, a place to drop another. */

import { Problem, answer } from "../api.js";
import { fill, h, notify } from "../dom.js";
import { confirmed } from "../parts/confirm.js";
import { drop } from "./drop.js";
import { select } from "./field.js";

/**
 * `items` are the resources, `chosen` is the hash to begin with. `list` has `label`, `key` and `name(item)`, and `none` if nothing need be
 * chosen. `facts(item)` says what an item is, `place` is the address of the list. `file` has what `drop` takes. `upload(file, ...more)`
 * sends a file; `onchange(...more)` is called when another item is chosen.
 *
 * Returns `{element, status, sha256, draw(), send(file, ...more)}`.
 */
export function uploaded({ items, chosen, list, facts, place, file, upload, onchange }) {
  const element = h("div", { class: "stack" });
  const status = h("p", { class: "note", role: "status" });
  const found = { element, status, sha256: chosen, draw, send };
  const item = () => items.find((one) => one.sha256 === found.sha256);

  function draw() {
    const names = items.map((one) => [one.sha256, list.name(one)]);
    fill(
      element,
      items.length > 0 &&
        h(
          "div",
          { class: "row upload" },
          select(list.none ? [["", list.none], ...names] : names, found.sha256 ?? "", {
            "aria-label": list.label,
            "data-key": list.key,
            onchange: (event) => choose(event.target.value || null),
          }),
          item() &&
            h(
              "button",
              { type: "button", class: "danger small", "data-key": `delete-${list.key}`, onclick: remove },
              "Delete",
            ),
        ),
      item() && h("p", { class: "note" }, facts(item())),
      drop({ onFile: send, ...file }),
      status,
    );
  }

  function choose(sha256, ...more) {
    found.sha256 = sha256;
    draw();
    onchange(...more);
  }

  async function send(given, ...more) {
    status.textContent = `Uploading ${given.name}…`;
    try {
      const one = await upload(given, ...more);
      if (!items.some((other) => other.sha256 === one.sha256)) items.unshift(one);
      status.textContent = "";
      choose(one.sha256, ...more);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      status.textContent = problem.message;
    }
  }

  async function remove() {
    const one = item();
    if (!(await confirmed(`Delete ${list.name(one)}? The file is removed from the service.`, "Delete"))) return;
    try {
      await answer(`${place}/${one.sha256}`, { method: "DELETE" });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.status !== 404) {
        status.textContent = problem.message;
        return;
      }
    }
    items.splice(items.indexOf(one), 1);
    choose(list.none ? null : (items[0]?.sha256 ?? null));
    notify(`${list.name(one)} is deleted.`);
  }

  return found;
}
