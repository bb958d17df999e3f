/** Server-sent events read with `fetch`, because an EventSource cannot send a token. */

import { Problem, answer } from "./api.js";

const SILENCE = 45_000;
const PAUSES = [500, 1000, 2000, 5000, 10_000];

/**
 * Follow a search until it has ended, and connect again after every break with `Last-Event-ID`.
 *
 * `last` is the id of the last event that is known. `onEvent({id, kind, data})` is called for each event, `onConnection(true or false)`
 * when the connection is there or lost.
 */
export async function follow(id, { last = 0, onEvent, onConnection = () => {}, signal }) {
  let failures = 0;
  while (!signal.aborted) {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener("abort", stop);
    try {
      const found = await answer(`v1/searches/${id}/events`, {
        headers: { "last-event-id": String(last) },
        signal: attempt.signal,
      });
      onConnection(true);
      if (found.status === 204) return;
      for await (const event of parsed(found.body, attempt)) {
        failures = 0;
        last = event.id;
        onEvent(event);
      }
    } catch (error) {
      if (signal.aborted) break;
      if (error instanceof Problem && error.status >= 400 && error.status < 500 && error.status !== 429) throw error;
      onConnection(false);
    } finally {
      signal.removeEventListener("abort", stop);
    }
    await pause(PAUSES[Math.min(failures, PAUSES.length - 1)], signal);
    failures += 1;
  }
}

/** The events of a stream. A stream that is silent for too long is aborted. */
async function* parsed(body, attempt) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (true) {
    const timer = setTimeout(() => attempt.abort(), SILENCE);
    const { value, done } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const event = fields(block);
      if (event.data !== undefined) yield { id: Number(event.id), kind: event.event, data: JSON.parse(event.data) };
    }
  }
}

function fields(block) {
  const found = {};
  for (const line of block.split("\n")) {
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (name) found[name] = value;
  }
  return found;
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
