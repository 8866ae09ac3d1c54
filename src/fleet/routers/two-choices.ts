import type { RouterPlugin } from "./router.ts";

export const twoChoices: RouterPlugin = {
  name: "two-choices",
  doc: "Sample d serving replicas at random, take the one with fewest requests in flight (Mitzenmacher 2001).",
  options: { d: { default: 2, min: 1, max: 16, whole: true, doc: "replicas sampled per request" } },
  create: (options, draw) => {
    const d = options.d ?? 2;
    return {
      route(view) {
        const count = view.count();
        // The 32 bits of a draw serve two picks: what the first leaves of them is uniform again.
        let scaled = draw() * count;
        let best = Math.floor(scaled);
        let least = view.inFlight(best);
        for (let i = 1; i < d; i++) {
          scaled = ((i & 1) === 1 ? scaled - Math.floor(scaled) : draw()) * count;
          const other = Math.floor(scaled);
          const load = view.inFlight(other);
          if (load < least) {
            best = other;
            least = load;
          }
        }
        return best;
      },
    };
  },
};
