import type { OrderPlugin } from "../policy.ts";

export const shortestPrompt: OrderPlugin = {
  kind: "order",
  name: "shortest-prompt",
  doc: "Shortest prompt first, with aging so that long ones are not starved; the longest is preempted.",
  options: {
    agingTokensPerS: { default: 0, min: 0, max: 1e6, doc: "tokens by which a second of waiting shortens a prompt" },
  },
  victim: "least-urgent",
  // Everybody ages at the same rate, so that the order of two never changes while they wait: one key for good.
  create: ({ agingTokensPerS }) => ({
    key: (facts, request) => facts.inputTokens(request) + agingTokensPerS! * facts.arrivedS(request),
  }),
};
