/** Signing in: a field for a token. The token stays in this tab, and goes only into the Authorization header. */

import { answer, keepToken, token } from "../api.js";
import { h, newId } from "../dom.js";

let open = null;

/** The button of the header. `again` shows the view once more with the new token. */
export function account(again) {
  if (token()) {
    const leave = () => {
      keepToken("");
      again();
    };
    return h("button", { type: "button", class: "quiet", onclick: leave, "data-key": "account" }, "Sign out");
  }
  return h(
    "button",
    { type: "button", class: "quiet", onclick: () => askForToken(again), "data-key": "account" },
    "Sign in",
  );
}

/** Ask for a token, and check it before it is kept. One dialog at a time. */
export function askForToken(again) {
  if (open) return;
  const id = newId("token");
  const error = h("p", { class: "error", id: `${id}-error`, role: "alert" });
  const field = h("input", {
    id,
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "nas_…",
    "aria-describedby": `${id}-error`,
    required: true,
  });
  const send = async (event) => {
    event.preventDefault();
    const before = token();
    keepToken(field.value.trim());
    try {
      await answer("v1/searches?limit=1");
    } catch (problem) {
      keepToken(before ?? "");
      error.textContent = problem.message;
      field.setAttribute("aria-invalid", "true");
      return;
    }
    dialog.close();
    again();
  };
  const dialog = h(
    "dialog",
    {
      class: "dialog",
      "aria-labelledby": `${id}-title`,
      onclose: () => {
        dialog.remove();
        open = null;
      },
    },
    h(
      "form",
      { onsubmit: send },
      h("h2", { id: `${id}-title` }, "Sign in"),
      h(
        "p",
        { class: "note" },
        "A token of this service, as ",
        h("code", {}, "nas token create"),
        " prints it. It is kept in this tab only, until you close it.",
      ),
      h("label", { for: id }, "Token"),
      field,
      error,
      h(
        "div",
        { class: "row end" },
        h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel"),
        h("button", { type: "submit", class: "main" }, "Sign in"),
      ),
    ),
  );
  open = dialog;
  document.body.append(dialog);
  dialog.showModal();
}
