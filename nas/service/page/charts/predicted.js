/** Scores before the trainings against what was then measured. */

import * as format from "../format.js";
import { frame } from "./frame.js";
import { around, ofMetric } from "./scale.js";

/** The first trainings that have a score and a result. */
export const forecasts = (trials) =>
  trials.filter((one) => typeof one.score === "number" && typeof one.accuracy === "number" && !one.repeat);

/** The chart; on the dashed line the prediction was right. */
export function predicted(trials, metric) {
  const found = forecasts(trials);
  const scale = around(
    found.flatMap((one) => [one.score, one.accuracy]),
    ofMetric(metric),
  );
  const chart = frame(scale, scale, "predicted before the training", `measured ${metric.name}, validation`);
  return chart.drawn(
    "predicted against measured",
    chart.line(
      [
        [scale.low, scale.low],
        [scale.high, scale.high],
      ],
      "diagonal",
    ),
    found.map((one) =>
      chart.dot(
        one.score,
        one.accuracy,
        `trial ${one.number}: predicted ${format.spread(one.score, one.score_std, metric)}, measured ${format.value(one.accuracy, metric)}`,
        "second",
      ),
    ),
  );
}

/** How far the results are from the predictions, in words. */
export function error(trials, metric) {
  const found = forecasts(trials);
  const mean = found.reduce((sum, one) => sum + Math.abs(one.score - one.accuracy), 0) / found.length;
  const held = found.filter((one) => Math.abs(one.score - one.accuracy) <= one.score_std).length;
  const away = metric.unit === "%" ? `${(100 * mean).toFixed(1)} points` : format.value(mean, metric);
  return `The results are ${away} away from the prediction on average, ${held} of ${found.length} within one stated standard deviation.`;
}
