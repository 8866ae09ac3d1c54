import type { OrderPlugin } from "../policy.ts";

export const predictedShortest: OrderPlugin = {
  kind: "order",
  name: "predicted-shortest",
  doc: "Shortest predicted answer first, predictions having a stated log-normal error; the one predicted longest is preempted.",
  options: {
    sigma: { default: 0.5, min: 0, max: 3, doc: "standard deviation of ln(predicted ÷ actual); 0 = an oracle" },
  },
  victim: "least-urgent",
  create: ({ sigma }) => ({ key: (facts, request) => facts.predictedOutputTokens(request, sigma!) }),
};
