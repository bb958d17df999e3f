/** Uploads of data sets and models. */

import { Problem, call } from "../api.js";
import * as format from "../format.js";

const TYPES = { csv: "text/csv", npz: "application/octet-stream" };
const HEADER_BYTES = 64 * 1024;

/** The columns that the first line of a csv file names. */
export async function columns(file) {
  const text = (await file.slice(0, HEADER_BYTES).text()).replace(/^\ufeff/, "");
  const found = [];
  let name = "",
    quoted = false;
  for (let place = 0; place < text.length; place += 1) {
    const letter = text[place];
    if (quoted && letter === '"' && text[place + 1] === '"') {
      name += letter;
      place += 1;
    } else if (letter === '"') quoted = !quoted;
    else if (letter === "," && !quoted) {
      found.push(name);
      name = "";
    } else if ((letter === "\n" || letter === "\r") && !quoted) break;
    else name += letter;
  }
  return [...found, name];
}

/** Upload a data set; gives its resource. One that is there already with another target is taken: a search names its target itself. */
export async function uploadDataset(file, target) {
  const kind = file.name.toLowerCase().endsWith(".csv") ? "csv" : "npz";
  const query = `?${new URLSearchParams({ name: file.name.slice(-200), ...(kind === "csv" && target ? { target } : {}) })}`;
  let found;
  try {
    found = await call(`v1/datasets${query}`, { method: "POST", body: file, type: TYPES[kind] });
  } catch (problem) {
    if (problem.kind !== "other-target" || !crypto.subtle) throw problem;
    found = await call(`v1/datasets/${await hash(file)}`);
  }
  format.remember(found.sha256, file.name);
  return found;
}

/** The SHA-256 of a file as text. */
async function hash(file) {
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Upload an ONNX file; gives its resource. */
export async function uploadModel(file) {
  if (!file.name.toLowerCase().endsWith(".onnx")) throw new Problem(0, `${file.name} does not end in .onnx`);
  const found = await call(`v1/models?${new URLSearchParams({ name: file.name.slice(-200) })}`, { method: "POST", body: file, type: "application/octet-stream" });
  format.remember(found.sha256, file.name);
  return found;
}

/** The name of an upload: its file name in this tab, else that of its upload, else the beginning of its hash. */
export const nameOf = ({ sha256, name }) => sessionStorage.getItem(`nas-name-${sha256}`) || name || format.short(sha256);

/** What an uploaded model is, in a line. */
export function modelFacts(facts) {
  const shape = (value) => (value.shape ? value.shape.slice(1).join("×") || "1" : "?");
  return `${facts.inputs.map(shape).join(", ")} → ${facts.outputs.map(shape).join(", ")} · ${format.count(facts.nnz)} of ${format.count(facts.weights)} weights non-zero`;
}

/** What an uploaded data set is, in a line. */
export function dataFacts(facts) {
  return `${format.count(facts.train)} training, ${format.count(facts.validation)} validation and ${format.count(facts.test)} test examples · input ${facts.input_shape.join("×")} · ${facts.outputs} outputs`;
}
