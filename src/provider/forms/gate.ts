/**
 * Why an offer may have no capacity for anybody, whatever the own limits say: provisioned units that are not deployed yet, and
 * flex capacity that comes and goes. Both answer 429 without a Retry-After. Times are simulated seconds.
 */
import type { FlexForm, ProvisionedForm, ResolvedForm } from "../../scenario/forms.ts";
import { stream, threefry2x32, unit, words } from "../../kernel/random.ts";
import { hourOfWeek, isWeekday } from "../hour-of-week.ts";

export interface Gate {
  /** No capacity for this attempt; attempts come in order of time. */
  shut(timeS: number, request: number, attempt: number): boolean;
}

export interface GateContext {
  readonly seed: string;
  readonly replication: number;
  readonly startEpochS: number;
  /** Key of the offer's counter draws. */
  readonly key: number;
}

/** Second key word of the draws here; those of failures and latency use others. */
const CAPACITY_KEY = 2;
/** Attempts to deploy that are tried at most; a probability that needs more is as good as none. */
const MOST_TRIES = 10_000;
/** An attempt whose lead time is not known takes at least an hour before it can be repeated. */
const RETRY_H = 1;

/** The gate of a form, or null where it is always open. */
export function gateOf(form: ResolvedForm | undefined, name: string, context: GateContext): Gate | null {
  if (form?.kind === "flex") return new FlexGate(form, context);
  if (form?.kind !== "provisioned") return null;
  const fromS = deployedFromS(form, name, context);
  return fromS === -Infinity ? null : { shut: (timeS) => timeS < fromS };
}

/**
 * From when on provisioned units serve: always where deploying succeeds at once, else after the lead times of all attempts up
 * to the first that succeeds, counted from t = 0. Infinity where none does.
 */
export function deployedFromS(
  { acquisition }: ProvisionedForm,
  name: string,
  { seed, replication }: Pick<GateContext, "seed" | "replication">,
): number {
  const { successProbability, leadTimeH } = acquisition;
  if (successProbability === 1) return leadTimeH === 0 ? -Infinity : leadTimeH * 3600;
  const draw = stream(seed, replication, `acquisition/${name}`);
  let hours = leadTimeH;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    if (draw() < successProbability) return hours === 0 ? -Infinity : hours * 3600;
    hours += Math.max(RETRY_H, leadTimeH);
  }
  return Infinity;
}

class FlexGate implements Gate {
  private readonly form: FlexForm;
  private readonly context: GateContext;

  constructor(form: FlexForm, context: GateContext) {
    this.form = form;
    this.context = context;
  }

  shut(timeS: number, request: number, attempt: number): boolean {
    const { fromHour, toHour, peakProbability, otherProbability } = this.form.unavailable;
    const hour = hourOfWeek(this.context.startEpochS + timeS);
    const peak = isWeekday(hour) && hour % 24 >= fromHour && hour % 24 < toHour;
    threefry2x32(this.context.key, CAPACITY_KEY, request, attempt);
    return unit(words[0]!) < (peak ? peakProbability : otherProbability);
  }
}
