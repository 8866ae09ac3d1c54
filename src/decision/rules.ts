/**
 * The four rules that choose an option for one segment, first that applies. An unknown node counts as no: a force must
 * be shown before the default is left.
 */
import type { Choice, NodeId } from "./evidence.ts";
import { CONTROLLED_OPTIONS } from "./inputs.ts";
import { isHard, isSoft, latencyNode } from "./facts.ts";
import type { Facts } from "./facts.ts";

/** Why an option was chosen; each has its sentence in `sentences.ts`. */
export type Cause =
  | "no-option"
  | "only-option"
  | "default"
  | "boundary"
  | "must"
  | "latency"
  | "economics"
  | "soft"
  | "no-own-option"
  | "capability";

export interface RuleOutcome {
  readonly choice: Choice;
  readonly rule: 1 | 2 | 3 | 4;
  readonly cause: Cause;
}

export function chooseOption(facts: Facts): RuleOutcome {
  const { open } = facts;
  const capable = facts.capability === "yes";
  const cheaper = facts.economics === "yes";
  const only = open[0];

  if (only === undefined) return { choice: "conflict", rule: 1, cause: "no-option" };
  if (open.length === 1) {
    if (only === "self" && !capable) return { choice: "conflict", rule: 1, cause: "no-option" };
    return { choice: only, rule: 1, cause: "only-option" };
  }

  const hard = CONTROLLED_OPTIONS.some((option) => open.includes(option) && isHard(facts, option));
  if (!hard && !isSoft(facts) && !cheaper) return { choice: "api", rule: 2, cause: "default" };

  const selfOpen = open.includes("self");
  const privateForced = open.includes("private_managed") && isHard(facts, "private_managed");
  if (!capable) {
    if (privateForced) return { choice: "private_managed", rule: 4, cause: hardCause(facts) };
    return { choice: "api", rule: 4, cause: "capability" };
  }
  if (selfOpen && isHard(facts, "self")) return { choice: "self", rule: 3, cause: hardCause(facts) };
  if (selfOpen && cheaper) return { choice: "self", rule: 3, cause: "economics" };
  if (privateForced) return { choice: "private_managed", rule: 3, cause: hardCause(facts) };
  if (selfOpen && isSoft(facts)) return { choice: facts.tooDearForSoft ? "split" : "self", rule: 3, cause: "soft" };
  return { choice: "api", rule: 3, cause: "no-own-option" };
}

function hardCause(facts: Facts): Cause {
  if (facts.open.includes("api")) return "latency";
  return facts.mustGap && facts.boundary !== "yes" ? "must" : "boundary";
}

const MEASURED_NODES = ["T2", "T3a", "T3", "T5"] as const;

/** The measured nodes that are unknown. */
export function unknownNodes(facts: Facts): NodeId[] {
  const values = { T2: latencyNode(facts), T3a: facts.steady, T3: facts.economics, T5: facts.capability };
  return MEASURED_NODES.filter((node) => values[node] === "unknown");
}

/**
 * Unknown nodes that change the choice if taken as yes, alone or, where none of them does so alone, together with
 * others: every node of a smallest set that does.
 */
export function dependsOn(facts: Facts): NodeId[] {
  const unknown = unknownNodes(facts);
  const { choice } = chooseOption(facts);
  const sets = subsets(unknown).filter((set) => chooseOption(takenAsYes(facts, set)).choice !== choice);
  const minimal = sets.filter(
    (set) => !sets.some((other) => other !== set && other.every((node) => set.includes(node))),
  );
  return unknown.filter((node) => minimal.some((set) => set.includes(node)));
}

function subsets(nodes: readonly NodeId[]): NodeId[][] {
  const found: NodeId[][] = [[]];
  for (const node of nodes) found.push(...found.map((set) => [...set, node]));
  return found.slice(1);
}

function takenAsYes(facts: Facts, nodes: readonly NodeId[]): Facts {
  const yes = (value: Facts["steady"]) => (value === "unknown" ? "yes" : value);
  let assumed = facts;
  if (nodes.includes("T2")) {
    const { private_managed, self } = facts.latency;
    assumed = { ...assumed, latency: { private_managed: yes(private_managed), self: yes(self) } };
  }
  if (nodes.includes("T3a")) assumed = { ...assumed, steady: "yes", economics: facts.cheaper };
  if (nodes.includes("T3")) assumed = { ...assumed, economics: "yes" };
  if (nodes.includes("T5")) assumed = { ...assumed, capability: "yes" };
  return assumed;
}
