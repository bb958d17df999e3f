/** A place to drop a file, which is also a button that chooses one. */

import { h, newId } from "../dom.js";

/** `onFile(file)` gets the file. `accept` lists the endings, such as `.onnx`. */
export function drop({ label, hint, accept, onFile }) {
  const id = newId("file");
  const input = h("input", {
    id,
    type: "file",
    accept,
    class: "hidden-input",
    onchange: () => input.files[0] && take(input.files[0]),
  });
  const take = (file) => {
    onFile(file);
    input.value = "";
  };
  const over = (event) => {
    event.preventDefault();
    zone.classList.add("over");
  };
  const zone = h(
    "label",
    {
      class: "drop",
      for: id,
      ondragover: over,
      ondragenter: over,
      ondragleave: () => zone.classList.remove("over"),
      ondrop: (event) => {
        event.preventDefault();
        zone.classList.remove("over");
        if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
      },
    },
    input,
    h("strong", {}, label),
    h("span", { class: "note" }, hint),
  );
  return zone;
}
