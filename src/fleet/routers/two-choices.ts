import type { RouterPlugin } from "./router.ts";

export const twoChoices: RouterPlugin = {
  name: "two-choices",
  doc: "Sample d serving replicas at random, take the one with fewest requests in flight (Mitzenmacher 2001).",
  options: { d: { default: 2, min: 1, max: 16, doc: "replicas sampled per request" } },
  create: (options, draw) => {
    const d = options.d ?? 2;
    return {
      route(view) {
        const count = view.count();
        let best = Math.floor(draw() * count);
        let least = view.inFlight(best);
        for (let i = 1; i < d; i++) {
          const other = Math.floor(draw() * count);
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
