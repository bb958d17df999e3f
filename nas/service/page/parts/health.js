/** A line above every view while the service cannot work: a full disk, a folder that cannot be written, a lost database. */

import { Problem, call } from "../api.js";
import { h } from "../dom.js";

const PAUSE = 20_000;

/** Put the line before an element, and keep it up to date while the page is visible. Returns a function that asks at once. */
export function watchHealth(element) {
  const line = h("p", { class: "banner bad health", role: "status", hidden: true });
  element.before(line);

  async function ask() {
    let reason = "";
    try {
      await call("v2/health/ready");
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.kind === "not-ready") reason = problem.message;
    }
    const text = reason && `The service cannot work now: ${reason}. Searches wait, and go on by themselves.`;
    if (line.textContent !== text) line.textContent = text;
    line.hidden = !reason;
  }

  setInterval(() => document.hidden || ask(), PAUSE);
  return ask;
}
