import { type DispatchPlugin, firstOpen, NO_TARGET } from "./policy.ts";

export const overflow: DispatchPlugin = {
  name: "overflow",
  doc: "The first target of the route until it holds as much as the threshold, then the others in order, until it has come down again. The first is the last resort too.",
  options: {
    inFlight: {
      kind: "number",
      default: 16,
      min: 0.01,
      max: 1e9,
      doc: "requests in flight at the first target, per serving replica of a pool, from which on requests go elsewhere",
    },
    returnFraction: {
      kind: "number",
      default: 1,
      min: 0,
      max: 1,
      doc: "share of the threshold below which it is used again; below 1 the flow does not flap",
    },
  },
  create: ({ numbers }) => {
    const high = numbers.inFlight ?? 16;
    const low = high * (numbers.returnFraction ?? 1);
    let spilling = false;
    return {
      pick(view) {
        const held = view.inFlight(0);
        spilling = spilling ? held >= low : held >= high;
        if (spilling) for (let i = 1, count = view.count(); i < count; i++) if (view.isOpen(i)) return i;
        return view.count() === 0 ? NO_TARGET : firstOpen(view);
      },
    };
  },
};
