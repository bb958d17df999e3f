/** A question before something that cannot be undone. */

import { h, newId } from "../dom.js";

/** Ask; gives whether the answer was yes. Escape means no, and the focus goes back to where it was. */
export function confirmed(question, verb) {
  const id = newId("confirm");
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      {
        class: "dialog",
        role: "alertdialog",
        "aria-labelledby": id,
        onclose: () => {
          dialog.remove();
          resolve(dialog.returnValue === "yes");
        },
      },
      h("p", { id }, question),
      h(
        "div",
        { class: "row end" },
        h("button", { type: "button", class: "quiet", autofocus: true, onclick: () => dialog.close("no") }, "Keep it"),
        h("button", { type: "button", class: "danger", onclick: () => dialog.close("yes") }, verb),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}
