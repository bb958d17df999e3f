/** The drawing of a network, which the service gives as SVG. Only shapes and texts are copied: no link, script, style or handler. */

import { s } from "../dom.js";

const ELEMENTS = new Set(["svg", "g", "path", "rect", "text", "title"]);
const ATTRIBUTES = new Set([
  "viewBox",
  "width",
  "height",
  "class",
  "role",
  "aria-label",
  "d",
  "x",
  "y",
  "rx",
  "text-anchor",
]);

/** The drawing as elements, or null. The text is parsed without being run. */
export function drawn(text) {
  const found = new DOMParser().parseFromString(text, "text/html").querySelector("svg");
  return found ? copied(found) : null;
}

function copied(element) {
  const attributes = [...element.attributes]
    .filter((one) => ATTRIBUTES.has(one.name))
    .map((one) => [one.name, one.value]);
  const children = [...element.childNodes].map((child) => {
    if (child.nodeType === Node.TEXT_NODE) return child.data;
    return ELEMENTS.has(child.localName) ? copied(child) : null;
  });
  return s(element.localName, Object.fromEntries(attributes), children);
}
