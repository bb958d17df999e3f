/** One line of a training by its epochs: its loss, or its metric. */

import { frame } from "./frame.js";
import { around } from "./scale.js";

/** `values` are in the order of the epochs, null for one that is not finite; `text` writes a value, `scale` are options of its axis. */
export function learningCurve(values, name, text, scale) {
  const points = values.map((value, index) => [index + 1, value]).filter(([, value]) => typeof value === "number");
  const chart = frame(
    around([1, values.length], { least: 0, whole: true }),
    around(
      points.map(([, value]) => value),
      scale,
    ),
    "epoch",
    name,
  );
  return chart.drawn(
    `${name} by epoch`,
    chart.line(points, "front"),
    points.map(([epoch, value]) => chart.dot(epoch, value, `epoch ${epoch}: ${text(value)}`, "ink", 2.4)),
  );
}
