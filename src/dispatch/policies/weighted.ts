import { log } from "../../kernel/math.ts";
import { type DispatchPlugin, NO_TARGET } from "./policy.ts";

export const weighted: DispatchPlugin = {
  name: "weighted",
  doc: "Requests are split over the targets in proportion to their weights. What one does not take goes to the others, split alike; weight 0 is only a last resort, in the route's order.",
  options: {
    weights: { kind: "by-target", default: 1, min: 0, max: 1e6, doc: "share of the requests, in any scale" },
    bySession: {
      kind: "number",
      default: 0,
      min: 0,
      max: 1,
      doc: "1: all turns of a session go the same way, so that prompt caches hit; 0: each request for itself",
    },
  },
  create: ({ byTarget, numbers }) => {
    const weights = byTarget.weights ?? [];
    const bySession = (numbers.bySession ?? 0) >= 0.5;
    return {
      pick(view) {
        // The first of exponential times with these rates: proportional to the weights, and again among those left over.
        let best = NO_TARGET;
        let leastTime = Infinity;
        for (let i = 0, count = view.count(); i < count; i++) {
          if (!view.isOpen(i)) continue;
          if (best === NO_TARGET) best = i;
          if (weights[i]! === 0) continue;
          const time = -log(bySession ? view.affinity(i) : view.luck(i)) / weights[i]!;
          if (time < leastTime) {
            leastTime = time;
            best = i;
          }
        }
        return best;
      },
    };
  },
};
