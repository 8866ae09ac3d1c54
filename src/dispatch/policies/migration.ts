import { type DispatchPlugin, NO_TARGET, stepAt } from "./policy.ts";

export const migration: DispatchPlugin = {
  name: "migration",
  doc: "Sessions move from the second and later targets of the route to the first by dates. Once moved they stay, as the share rises; each side takes over what the other does not take, so both run, and are paid, until the end.",
  options: {
    share: {
      kind: "steps",
      min: 0,
      max: 1,
      doc: "share of the sessions that go to the first target, from a date on",
    },
    fallBack: {
      kind: "number",
      default: 1,
      min: 0,
      max: 1,
      doc: "1: the other side takes what a side does not; 0: it does not, as after a hard switch",
    },
  },
  create: ({ steps, numbers }) => {
    const share = steps.share ?? [];
    const fallBack = (numbers.fallBack ?? 1) >= 0.5;
    return {
      pick(view) {
        const moved = view.sessionLuck() < stepAt(share, view.nowS);
        const count = view.count();
        if (moved && view.isOpen(0)) return 0;
        if (moved && !fallBack) return NO_TARGET;
        for (let i = 1; i < count; i++) if (view.isOpen(i)) return i;
        // A route of one target has nowhere to move from.
        return view.isOpen(0) && (fallBack || count === 1) ? 0 : NO_TARGET;
      },
    };
  },
};
