/** Fields for the options of a search, made from the schema of the API, so that none is missing. */

import { h } from "../dom.js";
import * as format from "../format.js";
import { field, select } from "./field.js";

const GROUPS = {
  "How it searches": [
    "strategy",
    "method",
    "method_option",
    "space_option",
    "predictor",
    "objective",
    "round",
    "screen",
    "explore",
    "confirm",
    "timeout",
  ],
  "How it trains": [
    "epochs",
    "batch_size",
    "optimizer",
    "learning_rate",
    "schedule",
    "weight_decay",
    "patience",
    "init",
    "preprocessing",
    "subset",
  ],
  "What it reports": ["repeats", "finish", "random_baseline"],
};

/**
 * `schema` maps options to JSON schemas, `skipped` are those that the form has elsewhere, `lists` gives known names by option, and
 * `set` the values to begin with. Returns `{element, fields, read()}`; `read` gives only what differs from the default.
 */
export function options({ schema, skipped, lists, set }) {
  const fields = {};
  const readers = {};
  const left = Object.keys(schema).filter((name) => !skipped.has(name));
  const grouped = Object.entries(GROUPS).map(([title, names]) => [title, names.filter((name) => left.includes(name))]);
  const others = left.filter((name) => !Object.values(GROUPS).flat().includes(name));
  if (others.length) grouped.push(["Others", others]);
  const element = h(
    "div",
    {},
    grouped.map(([title, names]) =>
      h(
        "fieldset",
        {},
        h("legend", {}, title),
        h(
          "div",
          { class: "fields" },
          names.map((name) => {
            const [control, read] = control_of(plain(schema[name]), lists[name], set[name]);
            fields[name] = field(words(name), control, { help: meaning(schema[name].description) });
            readers[name] = read;
            return fields[name];
          }),
        ),
      ),
    ),
  );
  const read = () =>
    Object.fromEntries(
      Object.entries(readers)
        .map(([name, value]) => [name, value()])
        .filter(([name, value]) => value !== null && !same(value, schema[name].default)),
    );
  return { element, fields, read };
}

/** A control for a schema, and the function that reads it: null if it is empty. */
function control_of(schema, known, set) {
  const value = set ?? schema.default;
  if (schema.type === "boolean") {
    const control = h("input", { type: "checkbox", class: "switch", checked: value === true });
    return [control, () => control.checked];
  }
  if (schema.enum || known) {
    const names = schema.enum ?? known;
    const control = select(names.includes(value) || value === undefined ? names : [value, ...names], value);
    return [control, () => control.value];
  }
  if (schema.type === "array") {
    const control = h("input", {
      type: "text",
      value: (value ?? []).join(", "),
      placeholder: "none",
      spellcheck: "false",
    });
    return [control, () => split(control.value)];
  }
  if (schema.type === "integer" || schema.type === "number") {
    const control = h("input", {
      type: "number",
      step: schema.type === "integer" ? "1" : "any",
      min: schema.minimum,
      placeholder: schema.default ?? "automatic",
      value: set === undefined ? "" : String(set),
    });
    return [control, () => number(control)];
  }
  const control = h("input", { type: "text", value: value ?? "", spellcheck: "false" });
  return [control, () => control.value.trim() || null];
}

/** The number in a field; null if it is empty. A text that is not a number is kept, so that the service says what is wrong. */
export function number(control) {
  if (control.validity.badInput) return control.value || "not a number";
  return control.value === "" ? null : Number(control.value);
}

/** The part of a schema that is not null. */
function plain(schema) {
  const found = flat(schema).filter((one) => one.type !== "null");
  return { ...schema, ...(found.find((one) => one.enum || one.type === "number") ?? found[0]) };
}

const flat = (schema) => (schema.anyOf ? schema.anyOf.flatMap(flat) : [schema]);

/** The help of the command line without its pointers to other commands; the form shows the names itself. */
function meaning(text) {
  const short = text
    .replace(/ ?\(see `[^`]*`\)/g, "")
    .replaceAll("`", "")
    .replace(/; repeatable$/, "; separate several by commas");
  return `${short.charAt(0).toUpperCase()}${short.slice(1)}.`;
}

const split = (text) =>
  text
    .split(",")
    .map((one) => one.trim())
    .filter(Boolean);
const words = (name) => format.title(name.replaceAll("_", " "));
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b ?? null);
