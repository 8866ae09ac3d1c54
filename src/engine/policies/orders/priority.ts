import type { OrderPlugin } from "../policy.ts";

export const priority: OrderPlugin = {
  kind: "order",
  name: "priority",
  doc: "Classes of lower priority number first, first come first served within one (vLLM's priority scheduling); the least urgent is preempted.",
  options: {},
  victim: "least-urgent",
  create: () => ({ key: (facts, request) => facts.priority(request) }),
};
