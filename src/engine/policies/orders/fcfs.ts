import type { OrderPlugin } from "../policy.ts";

export const fcfs: OrderPlugin = {
  kind: "order",
  name: "fcfs",
  doc: "First come, first served; the last admitted is preempted first and comes back first (vLLM's default).",
  options: {},
  victim: "last-admitted",
  create: () => ({ key: () => 0 }),
};
