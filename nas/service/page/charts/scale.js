/** The scale of an axis, as in the reports: positions of values, and values with a tick. */

const MOST_TICKS = 6;

/** A scale that shows all values with a margin of 4 %, but does not go below `least` or above `most`. `whole`: ticks are whole numbers. */
export function around(
  values,
  { log = false, whole = false, least = -Infinity, most = Infinity, label = counts } = {},
) {
  let found = values.filter((value) => typeof value === "number" && Number.isFinite(value) && (!log || value > 0));
  if (!found.length) found = [log ? 100 : 0.5];
  const low = Math.min(...found),
    high = Math.max(...found);
  if (log) {
    const factor = Math.max(high / low, 1.5) ** 0.04;
    return make(low / factor, high * factor, true, label);
  }
  const margin = Math.max((high - low) * 0.04, Math.abs(high) * 0.005, whole ? 0.5 : 0.005);
  return make(Math.max(low - margin, least), Math.min(high + margin, most), false, label, whole);
}

function make(low, high, log, label, whole = false) {
  const share = log
    ? (value) => Math.log(Math.max(value, low) / low) / Math.log(high / low)
    : (value) => (value - low) / (high - low);
  return { low, high, label, share, ticks: ticks(low, high, log, whole) };
}

function ticks(low, high, log, whole) {
  if (log) {
    let found = powers(low, high, [1, 2, 5]);
    if (found.length > MOST_TICKS) found = powers(low, high, [1]);
    if (found.length >= 2) {
      const every = Math.ceil(found.length / MOST_TICKS);
      return found.filter((_, index) => index % every === 0);
    }
  }
  return steps(low, high).filter((value) => !whole || Number.isInteger(value));
}

function powers(low, high, leads) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const lead of leads) found.push(lead * 10 ** power);
  }
  return found.filter((value) => value >= low && value <= high);
}

function steps(low, high) {
  const rough = (high - low) / (MOST_TICKS - 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((lead) => lead * power).find((one) => one >= rough) ?? 10 * power;
  const found = [];
  for (let number = Math.ceil(low / step); number <= Math.floor(high / step); number += 1) found.push(number * step);
  return found;
}

/** The text of a tick of a share. */
export const shares = (value) => `${Number((100 * value).toPrecision(4))}%`;

/** Options of the scale of a metric: a share lies between 0 and 1. */
export const ofMetric = (metric) => (metric.unit === "%" ? { least: 0, most: 1, label: shares } : {});

/** The text of a tick of a count: 500, 2k, 1.5M. */
export function counts(value) {
  for (const [size, letter] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    if (value >= size) return `${Number((value / size).toPrecision(6))}${letter}`;
  }
  return String(Number(value.toPrecision(6)));
}
