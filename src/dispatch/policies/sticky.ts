import { type DispatchPlugin, NO_TARGET } from "./policy.ts";

export const sticky: DispatchPlugin = {
  name: "sticky",
  doc: "All turns of a session go to one target, so that its prompt cache hits; sessions are spread by rendezvous hashing. When its target does not take a turn, the session's next choice does, and the next turn comes back.",
  options: {
    maxInFlight: {
      kind: "number",
      default: 1e9,
      min: 1,
      max: 1e9,
      doc: "requests in flight, per replica of a pool, above which a session goes to its next choice unless all are above it",
    },
  },
  create: ({ numbers }) => {
    const most = numbers.maxInFlight ?? Infinity;
    return {
      pick(view) {
        let best = NO_TARGET;
        let highest = -1;
        for (let i = 0, count = view.count(); i < count; i++) {
          if (!view.isOpen(i)) continue;
          // Those that are too full come after all others.
          const rank = view.affinity(i) + (view.inFlight(i) < most ? 1 : 0);
          if (rank > highest) {
            highest = rank;
            best = i;
          }
        }
        return best;
      },
    };
  },
};
