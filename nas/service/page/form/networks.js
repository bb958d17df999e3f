/** The part of the form that chooses the networks. */

import { fill, h, newId } from "../dom.js";
import { segments } from "./field.js";
import { modelFacts, nameOf, uploadModel } from "./upload.js";
import { uploaded } from "./uploaded.js";

/** Families of networks, or an uploaded model. `read()` gives the options, or null without a model. */
export function networkPart(spaces, models, start, onchange) {
  const families = spaces.map((one) => one.name).filter((name) => name !== "onnx" && !name.startsWith("nasbench"));
  const kinds = [
    ["auto", "Choose for me"],
    ["families", "Families"],
    ["model", "Your model"],
  ];
  const space = start.space ?? "auto";
  const kind = segments(kinds, start.model ? "model" : space === "auto" ? "auto" : "families", "networks", () => {
    draw();
    onchange();
  });
  const boxes = families.map((name) => [
    name,
    h("input", {
      type: "checkbox",
      id: newId("family"),
      checked: space === "auto" ? name === families[0] : space.split("+").includes(name),
    }),
  ]);
  const own = uploaded({
    items: models,
    chosen: start.model ?? models[0]?.sha256 ?? null,
    list: { label: "uploaded model", key: "model", name: (one) => nameOf(one) },
    facts: (one) => modelFacts(one.facts),
    place: "v1/models",
    file: {
      label: "Drop an .onnx file, or choose one",
      hint: "Its architecture is searched for good masks.",
      accept: ".onnx",
    },
    upload: uploadModel,
    onchange,
  });
  const body = h("div", { class: "stack" });

  function draw() {
    if (kind.value === "auto")
      return fill(
        body,
        h(
          "p",
          { class: "note" },
          "All families that suit the inputs: perceptrons and convolutional networks for images, perceptrons and recurrent networks for series.",
        ),
      );
    if (kind.value === "families")
      return fill(
        body,
        h(
          "div",
          { class: "row" },
          boxes.map(([name, box]) => h("label", { class: "check", for: box.id }, box, name)),
        ),
      );
    own.draw();
    return fill(body, own.element);
  }

  draw();
  const read = () => {
    if (kind.value === "auto") return {};
    if (kind.value === "model") return own.sha256 ? { model: own.sha256 } : null;
    const found = boxes.filter(([, box]) => box.checked).map(([name]) => name);
    return found.length ? { space: found.join("+") } : {};
  };
  return { element: h("div", { class: "stack" }, kind.element, body), read };
}
