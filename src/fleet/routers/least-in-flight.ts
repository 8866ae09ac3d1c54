import type { RouterPlugin } from "./router.ts";

export const leastInFlight: RouterPlugin = {
  name: "least-in-flight",
  doc: "Look at every serving replica, take the one with fewest requests in flight; the first of equals.",
  options: {},
  create: () => ({
    route(view) {
      const count = view.count();
      let best = 0;
      let least = view.inFlight(0);
      for (let i = 1; i < count; i++) {
        const load = view.inFlight(i);
        if (load < least) {
          best = i;
          least = load;
        }
      }
      return best;
    },
  }),
};
