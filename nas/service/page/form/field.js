/** A field of a form: label, control, help, and the problem beside it. */

import { h, newId } from "../dom.js";

/** `control` is an element; returns the field, with `fail(text)` to show or to clear the problem. */
export function field(label, control, { help, wide = false } = {}) {
  const id = newId("field");
  const target = control.matches("input, select, textarea") ? control : null;
  const error = h("p", { class: "error", id: `${id}-error` });
  const note = help && h("p", { class: "note help", id: `${id}-help` }, help);
  if (target) {
    target.id = id;
    target.setAttribute("aria-describedby", `${help ? `${id}-help ` : ""}${id}-error`);
  }
  const name = target ? h("label", { for: id }, label) : h("span", { class: "name", id: `${id}-label` }, label);
  if (!target) {
    control.setAttribute("role", "group");
    control.setAttribute("aria-labelledby", `${id}-label`);
    control.setAttribute("aria-describedby", `${id}-error`);
  }
  const element = h("div", { class: `field${wide ? " wide" : ""}` }, name, control, error, note);
  element.fail = (text) => {
    error.textContent = text ?? "";
    element.classList.toggle("wrong", Boolean(text));
    if (target) target.setAttribute("aria-invalid", String(Boolean(text)));
  };
  return element;
}

/** A select of values, each a text or a pair of value and text. */
export function select(values, chosen, attributes = {}) {
  return h(
    "select",
    attributes,
    values.map((one) => {
      const [value, text] = Array.isArray(one) ? one : [one, one];
      return h("option", { value, selected: value === chosen }, text);
    }),
  );
}

/** Buttons of which one is pressed. Returns `{element, value}`; `onchange(value)` is called after a change. */
export function segments(values, chosen, label, onchange) {
  const name = newId("segment");
  const found = { value: chosen };
  found.element = h(
    "div",
    { class: "segments", role: "radiogroup", "aria-label": label },
    values.map(([value, text]) =>
      h(
        "label",
        {},
        h("input", {
          type: "radio",
          name,
          value,
          checked: value === chosen,
          onchange: () => {
            found.value = value;
            onchange(value);
          },
        }),
        h("span", {}, text),
      ),
    ),
  );
  return found;
}
