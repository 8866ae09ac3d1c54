/** What a policy asks for and cannot have: faults of whoever wrote it. A plug-in's name and file are put before the message. */
import { PolicyError } from "../kernel/errors.ts";
import type { OrderPlugin, TenantCharges } from "./policies/policy.ts";

/** `chunk`, which was cut from the `tokens` that a policy wants computed. Throws PolicyError unless it is whole: nothing else can be booked. */
export function wholeChunk(policy: string, tokens: number, chunk: number): number {
  if (Number.isInteger(chunk)) return chunk;
  throw new PolicyError(policy, `prefill and admit need a whole number of tokens, not ${String(tokens)}`);
}

/** `decodeAll` does not look at the budget, so that prompts which came first leave too little of it. */
export function beyondBudget(policy: string, maxNumBatchedTokens: number, left: number): PolicyError {
  return new PolicyError(
    policy,
    `${policy} plans ${maxNumBatchedTokens - left} tokens for a step of at most ${maxNumBatchedTokens} (maxNumBatchedTokens): call decodeAll before prompts take their part`,
  );
}

/** It asked for a sequence that is not in the batch. */
export function notRunning(policy: string, request: number): PolicyError {
  return new PolicyError(policy, `names request ${String(request)}, which does not run`);
}

/** `key`, by which `order` wants a request queued. Throws PolicyError unless it is a number: nothing goes before NaN or after it. */
export function numberKey(order: string, key: number): number {
  if (typeof key === "number" && !Number.isNaN(key)) return key;
  const shown = typeof key === "string" ? JSON.stringify(key) : String(key);
  throw new PolicyError(order, `${order} gives a request the key ${shown}: a number is needed`);
}

/** What `order` charges its tenants, null when it charges nothing. Throws PolicyError unless both weights are numbers above 0. */
export function chargesOf(order: OrderPlugin, options: Readonly<Record<string, number>>): TenantCharges | null {
  const charges = order.charges?.(options) ?? null;
  if (charges === null) return null;
  for (const field of ["inputWeight", "outputWeight"] as const)
    if (!(charges[field] > 0 && charges[field] < Infinity))
      throw new PolicyError(
        order.name,
        `${order.name} charges an ${field} of ${String(charges[field])}: a number above 0 is needed, or who is charged nothing goes before all others`,
      );
  return charges;
}
