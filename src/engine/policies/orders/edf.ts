import type { OrderPlugin } from "../policy.ts";

export const edf: OrderPlugin = {
  kind: "order",
  name: "edf",
  doc: "Earliest deadline first: by the instant at which the first token is due under the SLO of the class; classes without one come last.",
  options: {},
  victim: "least-urgent",
  create: () => ({ key: (facts, request) => facts.deadlineS(request) }),
};
