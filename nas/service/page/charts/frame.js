/** The frame of a chart: axes with ticks and names, dots and lines. Sizes are those of the reports. */

import { s } from "../dom.js";

const WIDTH = 400,
  HEIGHT = 270,
  LEFT = 52,
  RIGHT = 12,
  TOP = 10,
  BOTTOM = 42;

/** A frame with two scales and their names. */
export function frame(x, y, xName, yName) {
  const place = (a, b) =>
    [LEFT + x.share(a) * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y.share(b) * (HEIGHT - TOP - BOTTOM)].map(
      (value) => Math.round(value * 100) / 100,
    );
  return {
    dot(a, b, text, name, radius = 3) {
      const [cx, cy] = place(a, b);
      return s("circle", { cx, cy, r: radius, class: name }, s("title", {}, text));
    },
    line(points, name) {
      return s("polyline", { points: points.map((one) => place(...one).join(",")).join(" "), class: name });
    },
    drawn(label, ...marks) {
      const middle = (TOP + HEIGHT - BOTTOM) / 2;
      return s(
        "svg",
        { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": label },
        x.ticks.map((value) => xTick(x, value, place(value, y.low)[0])),
        y.ticks.map((value) => yTick(y, value, place(x.low, value)[1])),
        s("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, class: "name", "text-anchor": "middle" }, xName),
        s(
          "text",
          { x: 12, y: middle, class: "name", "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` },
          yName,
        ),
        marks,
      );
    },
  };
}

const xTick = (scale, value, at) => [
  s("line", { x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM, class: "grid-line" }),
  s("text", { x: at, y: HEIGHT - BOTTOM + 15, class: "tick", "text-anchor": "middle" }, scale.label(value)),
];

const yTick = (scale, value, at) => [
  s("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at, class: "grid-line" }),
  s("text", { x: LEFT - 6, y: at + 4, class: "tick", "text-anchor": "end" }, scale.label(value)),
];
