/** The part of the form that chooses the networks. */

import { Problem } from "../api.js";
import { fill, h, newId } from "../dom.js";
import { drop } from "./drop.js";
import { segments, select } from "./field.js";
import { modelFacts, nameOf, uploadModel } from "./upload.js";

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
  const chosen = { sha256: start.model ?? models[0]?.sha256 ?? null };
  const status = h("p", { class: "note", role: "status" });
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
    const facts = models.find((one) => one.sha256 === chosen.sha256)?.facts;
    return fill(
      body,
      models.length > 0 &&
        select(
          models.map((one) => [one.sha256, nameOf(one.sha256)]),
          chosen.sha256,
          {
            "aria-label": "uploaded model",
            "data-key": "model",
            onchange: (event) => {
              chosen.sha256 = event.target.value;
              draw();
              onchange();
            },
          },
        ),
      facts && h("p", { class: "note" }, modelFacts(facts)),
      drop({
        label: "Drop an .onnx file, or choose one",
        hint: "Its architecture is searched for good masks.",
        accept: ".onnx",
        onFile: send,
      }),
      status,
    );
  }

  async function send(file) {
    status.textContent = `Uploading ${file.name}…`;
    try {
      const found = await uploadModel(file);
      if (!models.some((one) => one.sha256 === found.sha256)) models.unshift(found);
      chosen.sha256 = found.sha256;
      status.textContent = "";
      draw();
      onchange();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      status.textContent = problem.message;
    }
  }

  draw();
  const read = () => {
    if (kind.value === "auto") return {};
    if (kind.value === "model") return chosen.sha256 ? { model: chosen.sha256 } : null;
    const found = boxes.filter(([, box]) => box.checked).map(([name]) => name);
    return found.length ? { space: found.join("+") } : {};
  };
  return { element: h("div", { class: "stack" }, kind.element, body), read };
}
