import { exp } from "../../kernel/math.ts";
import { type DispatchPlugin, NO_TARGET } from "./policy.ts";

export const cheapest: DispatchPlugin = {
  name: "cheapest",
  doc: "The cheapest target whose first token is expected within the class's target, by the prices of the moment and the answers so far; when none is, the fastest. A pool costs nothing by the token, since its hours are paid anyway.",
  options: {
    memoryS: {
      kind: "number",
      default: 60,
      min: 0.001,
      max: 1e9,
      doc: "how long what was seen of a target counts: after so many seconds without an answer, e times less",
    },
    headroom: {
      kind: "number",
      default: 0.8,
      min: 0.001,
      max: 100,
      doc: "share of the target that the expected first token may take",
    },
    poolInFlight: {
      kind: "number",
      default: 64,
      min: 0.01,
      max: 1e9,
      doc: "requests in flight per serving replica from which a pool is not expected to meet the target",
    },
    poolUsdPerMTok: {
      kind: "number",
      default: 0,
      min: 0,
      max: 1e6,
      doc: "price of a million tokens of an own pool, as a firm may charge itself, USD",
    },
  },
  create: ({ numbers }) => {
    const { memoryS = 60, headroom = 0.8, poolInFlight = 64, poolUsdPerMTok = 0 } = numbers;
    return {
      pick(view) {
        const limitS = headroom * view.ttftTargetS();
        let cheap = NO_TARGET;
        let leastUsd = Infinity;
        let fast = NO_TARGET;
        let leastS = Infinity;
        for (let i = 0, count = view.count(); i < count; i++) {
          if (!view.isOpen(i)) continue;
          const isPool = view.isPool(i);
          const full = isPool && view.inFlight(i) >= poolInFlight;
          const idleS = view.idleTtftS(i);
          const seenS = view.ttftS(i);
          const expectedS = seenS !== seenS ? idleS : idleS + (seenS - idleS) * exp(-view.ttftAgeS(i) / memoryS);
          const usd = isPool ? (poolUsdPerMTok * view.expectedTokens()) / 1e6 : view.expectedUsd(i);
          if (!full && expectedS <= limitS && usd < leastUsd) {
            leastUsd = usd;
            cheap = i;
          }
          if (fast === NO_TARGET || expectedS < leastS) {
            leastS = expectedS;
            fast = i;
          }
        }
        return cheap === NO_TARGET ? fast : cheap;
      },
    };
  },
};
