import type { OrderPlugin } from "../policy.ts";

export const fairShare: OrderPlugin = {
  kind: "order",
  name: "fair-share",
  doc:
    "The tenant with the least service so far first (virtual token counter, Sheng et al. 2024), first come first served within a tenant; " +
    "a tenant that was away does not save up. Tenants are the request classes.",
  // Above 0: whom nothing is charged for is the poorest for ever, so that the order of the classes would decide.
  options: {
    inputWeight: { default: 1, min: 0.001, max: 1000, doc: "service that a prompt token counts, above 0" },
    outputWeight: { default: 2, min: 0.001, max: 1000, doc: "service that an answer token counts, above 0" },
  },
  victim: "last-admitted",
  create: () => ({ key: () => 0 }),
  charges: ({ inputWeight, outputWeight }) => ({ inputWeight: inputWeight!, outputWeight: outputWeight! }),
};
