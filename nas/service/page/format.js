/** Numbers and times as text for people. */

/** A share in per cent. */
export function percent(value, digits = 2) {
  return typeof value === "number" ? `${(100 * value).toFixed(digits)}%` : "–";
}

/** A difference of shares in points, with its sign. */
export function points(value, digits = 2) {
  if (typeof value !== "number") return "–";
  return `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(digits)}`;
}

/** The metric of a search: name, goal and unit. Searches of older versions tell at most its name. */
export const metric = (search) =>
  search.metric ?? { name: search.result?.metric ?? "accuracy", goal: "maximize", unit: "%" };

/** A word as a title. */
export const title = (word) => word.replace(/^./, (letter) => letter.toUpperCase());

/** What is better, in words. */
export const goal = (metric) => (metric.goal === "minimize" ? "less is better" : "more is better");

/** A value of a metric: in per cent if it is a share, else with its unit. */
export function value(found, metric, digits = 2) {
  if (metric.unit === "%" || typeof found !== "number") return percent(found, digits);
  return `${Number(found.toPrecision(4))}${metric.unit ? ` ${metric.unit}` : ""}`.replace("-", "−");
}

/** A value with its spread. */
export function spread(mean, std, metric, digits = 2) {
  if (typeof mean !== "number") return "–";
  const around = metric.unit === "%" ? (100 * std).toFixed(digits) : Number(std.toPrecision(2));
  return `${value(mean, metric, digits)} ± ${around}`;
}

/** A 95 % interval of a metric. */
export function range(pair, metric) {
  if (metric.unit === "%" || !Array.isArray(pair)) return interval(pair);
  return `${Number(pair[0].toPrecision(4))} to ${value(pair[1], metric)}`.replaceAll("-", "−");
}

/** A rank correlation. */
export function rank(value) {
  return typeof value === "number" ? value.toFixed(2).replace("-", "−") : "–";
}

/** A 95 % interval of shares, such as `92.9 to 97.2%`. */
export function interval(pair, digits = 1) {
  return Array.isArray(pair) ? `${(100 * pair[0]).toFixed(digits)} to ${percent(pair[1], digits)}` : "–";
}

/** A whole number with commas. */
export function count(value) {
  return typeof value === "number" ? Math.round(value).toLocaleString("en-US") : "–";
}

/** A number of trainings, which may have a fraction. */
export function trainings(value) {
  return typeof value === "number" ? String(Math.round(value * 10) / 10) : "–";
}

/** A size of a file. */
export function bytes(value) {
  if (typeof value !== "number") return "–";
  if (value < 1000) return `${value} B`;
  return value < 1e6 ? `${(value / 1e3).toFixed(1)} kB` : `${(value / 1e6).toFixed(1)} MB`;
}

/** Milliseconds. */
export function milliseconds(value) {
  return typeof value === "number" ? `${value.toFixed(3)} ms` : "–";
}

/** A duration such as `42 s`, `3 min` or `2 h 5 min`. */
export function duration(seconds) {
  if (typeof seconds !== "number") return "–";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A moment, such as `5 min ago`; older ones as a date. */
export function ago(iso, now = Date.now()) {
  if (!iso) return "–";
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (seconds < 10) return "now";
  if (seconds < 86400) return `${duration(seconds)} ago`;
  return new Date(iso).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

/** The time of day of an ISO text. */
export function clock(iso) {
  return iso ? new Date(iso).toLocaleTimeString("en-GB") : "";
}

/** A hash, shortened. */
export const short = (hash) => String(hash).slice(0, 8);

const WAYS = { reference: "by hand", discovery: "discovered", evolution: "evolved", random: "random", drawn: "drawn" };

/** The way in which a trial was found, as the report calls it. */
export const way = (name) => WAYS[name] ?? name;

const HASH = /^[0-9a-f]{64}$/;

/** The task of a search in words. */
export const taskOf = (search) => (HASH.test(search.request.task) && search.files?.task) || task(search.request.task);

/** The name of a task; an uploaded data set is named by the file that this tab uploaded, else by its hash. */
export function task(name = "digits") {
  if (!HASH.test(name)) return name;
  return sessionStorage.getItem(`nas-name-${name}`) ?? `data set ${short(name)}`;
}

/** Remember in this tab how an uploaded file was called. */
export function remember(sha256, name) {
  sessionStorage.setItem(`nas-name-${sha256}`, name.slice(0, 80));
}

/** The limits of a request in one line. */
export function limits(request) {
  return (request.constraint ?? []).map((one) => one.replace("<=", " ≤ ").replace(">=", " ≥ ")).join(", ");
}

/** What tells searches of the same task apart: limits, networks and seed. */
export function choices(request) {
  const networks = request.model ? "your model" : (request.space ?? "auto");
  return [limits(request) || "no limit", networks, `seed ${request.seed ?? 0}`].join(" · ");
}

/** A candidate in words: its architecture and its mask. */
export function candidate(found) {
  if (!found) return ["", ""];
  const { wiring, activation, depth, ...rest } = found.architecture ?? {};
  const widths = Object.entries(rest)
    .filter(([name]) => /^(width|channels|hidden)/.test(name))
    .map(([, value]) => value);
  const named = [
    wiring,
    activation,
    depth === undefined ? "" : `depth ${depth}`,
    widths.length ? `width ${widths.join("·")}` : "",
  ];
  const words = named.filter(Boolean).join(", ");
  const others = Object.entries(rest)
    .slice(0, 6)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
  return [`${found.space}: ${words || others}`, mask(found.mask ?? {})];
}

function mask(found) {
  if (found.learned) return `${found.learned.method} keeps ${count(found.learned.keep)}`;
  const kind = Object.keys(found)[0];
  if (found.distribution) return `${found.distribution}, ${found.pattern}, density ${percent(found.density, 1)}`;
  return kind ? kind.replaceAll("_", " ") : "";
}
