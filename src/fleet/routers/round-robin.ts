import type { RouterPlugin } from "./router.ts";

export const roundRobin: RouterPlugin = {
  name: "round-robin",
  doc: "Each serving replica in turn, whatever its load.",
  options: {},
  create: () => {
    let last = -1;
    return {
      route(view) {
        last = (last + 1) % view.count();
        return last;
      },
    };
  },
};
