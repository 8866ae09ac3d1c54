import { type DispatchPlugin, NO_TARGET } from "./policy.ts";

export const qualityFloor: DispatchPlugin = {
  name: "quality-floor",
  doc: "A share of the requests needs a model above the quality floor and goes only to targets that reach it, in the route's order: they fail rather than get less. The others go to targets below it first, and to the premium ones as a last resort.",
  options: {
    quality: { kind: "by-target", default: 0, min: 0, max: 1e6, doc: "quality of each target's model, in any scale" },
    floor: {
      kind: "number",
      default: 1,
      min: 0,
      max: 1e6,
      doc: "quality that the premium requests need, in that scale",
    },
    premiumShare: {
      kind: "number",
      default: 1,
      min: 0,
      max: 1,
      doc: "share of the class's sessions that need it; 1: the whole class",
    },
  },
  create: ({ byTarget, numbers }) => {
    const quality = byTarget.quality ?? [];
    const { floor = 1, premiumShare = 1 } = numbers;
    return {
      pick(view) {
        const needsPremium = view.sessionLuck() < premiumShare;
        let lastResort = NO_TARGET;
        for (let i = 0, count = view.count(); i < count; i++) {
          if (!view.isOpen(i)) continue;
          const isPremium = quality[i]! >= floor;
          if (isPremium === needsPremium) return i;
          if (isPremium && lastResort === NO_TARGET) lastResort = i;
        }
        return lastResort;
      },
    };
  },
};
