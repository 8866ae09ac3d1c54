import type { RouterPlugin } from "./router.ts";

export const sticky: RouterPlugin = {
  name: "sticky",
  doc: "All turns of a session to one replica, by rendezvous hashing, unless it has too much in flight: then the session's next choice.",
  options: {
    maxLoadFactor: {
      default: 1.25,
      min: 1,
      max: 100,
      doc: "requests in flight that a replica may have, as a multiple of the mean (bounded loads, Mirrokni et al. 2018)",
    },
  },
  create: (options) => {
    const factor = options.maxLoadFactor ?? 1.25;
    return {
      route(view) {
        const count = view.count();
        let inFlight = 1;
        for (let i = 0; i < count; i++) inFlight += view.inFlight(i);
        // Whole requests, so that at least one replica has room for one more.
        const most = Math.ceil((factor * inFlight) / count);
        const session = view.session();
        let best = 0;
        let highest = -1;
        for (let i = 0; i < count; i++) {
          if (view.inFlight(i) >= most) continue;
          const weight = hash(session, view.replica(i));
          if (weight > highest) {
            highest = weight;
            best = i;
          }
        }
        return best;
      },
    };
  },
};

/** 32 bits of two numbers, by the finaliser of MurmurHash3. */
function hash(session: number, replica: number): number {
  let bits = Math.imul(session ^ Math.floor(session / 4294967296), 0x9e3779b1) ^ Math.imul(replica + 1, 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
