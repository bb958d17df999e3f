/** Calls of the API: JSON in and out, problems as errors, and the token of this tab. */

const KEY = "nas-token";
const BASE = new URL(".", document.baseURI);

/** An answer `application/problem+json`, or a server that cannot be reached (status 0). */
export class Problem extends Error {
  constructor(status, detail, errors = [], kind = "") {
    super(detail);
    Object.assign(this, { status, errors, kind });
  }
}

/** The token of this tab, or null. It is kept in the session storage only, and sent in no other way than as a header. */
export const token = () => sessionStorage.getItem(KEY);

/** Keep a token for this tab; an empty text forgets it. */
export function keepToken(text) {
  if (text) sessionStorage.setItem(KEY, text);
  else sessionStorage.removeItem(KEY);
}

/** The address of a path below the service, also behind a prefix. */
export const address = (path) => new URL(path, BASE).href;

/** The answer of the server; a `Problem` if it is an error. */
export async function answer(path, { method = "GET", json, body, type, headers = {}, signal } = {}) {
  const sent = { ...headers };
  if (token()) sent.authorization = `Bearer ${token()}`;
  if (json !== undefined) sent["content-type"] = "application/json";
  if (type) sent["content-type"] = type;
  const options = {
    method,
    headers: sent,
    body: json === undefined ? body : JSON.stringify(json),
    signal,
    credentials: "omit",
    cache: "no-store",
  };
  let found;
  try {
    found = await fetch(address(path), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "the service cannot be reached");
  }
  if (!found.ok) throw await problem(found);
  return found;
}

/** The JSON of an answer. */
export async function call(path, options) {
  return (await answer(path, options)).json();
}

async function problem(found) {
  let body = {};
  try {
    body = await found.json();
  } catch {
    body = {};
  }
  if (found.status === 401) document.dispatchEvent(new CustomEvent("nas-unauthorized"));
  return new Problem(
    found.status,
    body.detail ?? `the service answered ${found.status}`,
    body.errors ?? [],
    String(body.type ?? "")
      .split(":")
      .pop(),
  );
}

const kept = new Map();

/** A list of names for forms, asked for once: tasks, spaces, methods, strategies, predictors, metrics. */
export function names(kind) {
  return once(`v1/${kind}`, async () => (await call(`v1/${kind}`)).items);
}

/** The schema of the body of a search, by option. */
export function schema() {
  return once("openapi.json", async () => (await call("openapi.json")).components.schemas.SearchRequest.properties);
}

function once(key, ask) {
  if (!kept.has(key)) {
    const asked = ask();
    asked.catch(() => kept.delete(key));
    kept.set(key, asked);
  }
  return kept.get(key);
}

/** All items of a list, page after page. */
export async function all(path, most = 1000) {
  const found = [];
  let cursor = null;
  do {
    const page = await call(`${path}?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    found.push(...page.items);
    cursor = page.next;
  } while (cursor && found.length < most);
  return found;
}

/** Save a file of the service. A link cannot send the token, so the file is fetched first. */
export async function save(path, name) {
  const blob = await (await answer(path)).blob();
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
