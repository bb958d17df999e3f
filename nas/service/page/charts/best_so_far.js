/** Results in the order of the trainings, and the mean of the leader. */

import * as format from "../format.js";
import { frame } from "./frame.js";
import { around, ofMetric } from "./scale.js";

/** The best mean over the trainings of one candidate, after each trial. It falls if a leader does worse when it is trained again. */
export function leaderMeans(trials, metric) {
  const sums = new Map();
  const sign = metric.goal === "minimize" ? -1 : 1;
  const mean = (digest) => sums.get(digest)[0] / sums.get(digest)[1];
  const beats = (digest, other) => sign * mean(digest) > sign * mean(other);
  let leader = null;
  return trials.map((trial) => {
    if (typeof trial.accuracy === "number") {
      const [total, number] = sums.get(trial.digest) ?? [0, 0];
      sums.set(trial.digest, [total + trial.accuracy, number + 1]);
      if (trial.digest === leader)
        for (const digest of sums.keys()) leader = beats(digest, leader) ? digest : leader;
      else if (leader === null || beats(trial.digest, leader)) leader = trial.digest;
    }
    return leader === null ? null : mean(leader);
  });
}

/** `sets` are `{trials, classes: [first, again, line]}`. */
export function bestSoFar(sets, metric) {
  const all = sets.flatMap((set) => set.trials);
  const chart = frame(
    around([1, ...all.map((one) => one.number + 1)], { least: 0, whole: true }),
    around(
      all.map((one) => one.accuracy),
      ofMetric(metric),
    ),
    "trainings",
    `${metric.name}, validation`,
  );
  const marks = sets.map((set) => {
    const means = leaderMeans(set.trials, metric);
    const points = set.trials.map((one, index) => [one.number + 1, means[index]]).filter(([, mean]) => mean !== null);
    return [
      set.trials
        .filter((one) => typeof one.accuracy === "number")
        .map((one) =>
          chart.dot(one.number + 1, one.accuracy, told(one, metric), one.repeat ? set.classes[1] : set.classes[0], 2.8),
        ),
      chart.line(steps(points), set.classes[2]),
    ];
  });
  return chart.drawn("results in the order of the trainings", marks);
}

function told(one, metric) {
  const again = one.repeat ? `, training ${one.repeat + 1} of this network` : "";
  return `trial ${one.number}: ${format.value(one.accuracy, metric)} with ${format.count(one.nnz)} non-zeros${again}`;
}

function steps(points) {
  const found = points.slice(0, 1);
  for (let index = 1; index < points.length; index += 1)
    found.push([points[index][0], points[index - 1][1]], points[index]);
  return found;
}
