/** Work that is asked for more often than it can be done. */

import { Problem } from "../api.js";

/** A function that runs one at a time; calls during a run lead to one more run. */
export function latest(run, signal) {
  let running = null;
  let again = false;
  const start = async () => {
    do {
      again = false;
      try {
        await run();
      } catch (problem) {
        if (signal.aborted) return;
        if (!(problem instanceof Problem)) throw problem;
      }
      if (again) await new Promise((resolve) => setTimeout(resolve, 300));
    } while (again && !signal.aborted);
    running = null;
  };
  return () => {
    if (running) again = true;
    else running = start();
    return running;
  };
}
