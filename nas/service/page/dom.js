/** Elements of the page. Every text becomes a text node, so nothing from a user or a model is ever read as HTML. */

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element: `h("p", {class: "note", onclick: f}, "text", child)`. False, null and undefined are left out. */
export function h(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function s(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter(shown).map(text));
  return element;
}

const shown = (child) => child !== null && child !== undefined && child !== false;
const text = (child) => (child instanceof Node ? child : document.createTextNode(String(child)));

/** Replace the children of an element. The element with the same `data-key` as the focused one gets the focus again. */
export function fill(parent, ...children) {
  const active = document.activeElement;
  const key = parent.contains(active) ? active.dataset?.key : undefined;
  parent.replaceChildren(...children.flat(Infinity).filter(shown).map(text));
  if (key !== undefined) parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  return parent;
}

let numbers = 0;

/** A new id, for labels and descriptions. */
export function newId(prefix = "e") {
  numbers += 1;
  return `${prefix}-${numbers}`;
}

/** A short message in the corner, which screen readers read out. */
export function notify(message) {
  const one = h("p", { class: "notice" }, message);
  document.getElementById("notices").append(one);
  setTimeout(() => one.remove(), 6000);
}
