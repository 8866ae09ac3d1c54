/** The plain sentence of each evidence record, with its numbers. Every sentence names its segment, so it stands alone. */
import type { NodeValue, Option } from "./evidence.ts";
import { binds } from "./filter.ts";
import { intervalOf, isStrict, mustGaps } from "./inputs.ts";
import type { ControlledOption, Interval, Measured, OptionMeasured, SegmentDeclared } from "./inputs.ts";
import type { SegmentCase } from "./inputs.ts";
import {
  capitalize,
  decimal,
  isOrAre,
  list,
  optionName,
  percent,
  ratio,
  usdPerMonth,
  withInterval,
} from "./wording.ts";

export function sensitivityStatement(segment: SegmentDeclared): string {
  const { id, sensitivity, redactable } = segment;
  if (binds(segment)) {
    const why = sensitivity === "restricted" ? "is restricted" : "is moderately sensitive and cannot be redacted";
    return `The data of "${id}" ${why}, so it may not go to an API.`;
  }
  if (sensitivity === "moderate" && redactable) {
    return `The data of "${id}" is moderately sensitive but redacted before it is sent, so no boundary keeps it inside.`;
  }
  return `The data of "${id}" is not sensitive, so no boundary keeps it inside.`;
}

/** "93% (95% interval 92% to 94%) of one-minute windows". */
function share(segment: SegmentDeclared, attain: Measured): string {
  const basis = segment.latency?.basis === "windows" ? "one-minute windows" : "requests";
  return `${withInterval(attain, percent)} of ${basis}`;
}

export interface LatencyFacts {
  readonly one: SegmentCase;
  readonly option: ControlledOption;
  readonly value: NodeValue;
  readonly target: number;
  readonly attain: Measured;
  /** The attainment is that of own GPUs, taken for a vendor-run deployment that was not simulated. */
  readonly assumed: boolean;
}

export function latencyStatement({ one, option, value, target, attain, assumed }: LatencyFacts): string {
  const { segment, measured, open } = one;
  const name = optionName(option);
  const api = measured.options.api?.attain ?? null;
  const within =
    attain === null
      ? `the attainment of ${name} was not simulated`
      : `${name} ${assumed ? "would keep" : option === "self" ? "keep" : "keeps"} ${share(segment, attain)} within target` +
        `${assumed ? " if it did as own GPUs do" : ""} (needed: ${percent(target)})`;
  if (segment.latency === null) return `"${segment.id}" has no latency target, so latency is no reason for ${name}.`;
  if (!isStrict(segment)) {
    return `The latency target of "${segment.id}" is not strict, so it is no reason for ${name}; ${within}.`;
  }
  if (!open.includes("api")) return `The API is closed to "${segment.id}", so its latency is not compared; ${within}.`;
  if (!open.includes(option)) {
    const closed = `${capitalize(name)} ${isOrAre(option)} closed to "${segment.id}", so latency is no reason for it`;
    return `${option === "self" ? closed.replace(/it$/, "them") : closed}.`;
  }
  const theirs =
    api === null
      ? `The attainment of the API for "${segment.id}" was not simulated`
      : `The API keeps ${share(segment, api)} of "${segment.id}" within its strict latency target`;
  const end: Readonly<Record<NodeValue, string>> = {
    yes: `the target is a reason for ${name}`,
    no: `the target is no reason for ${name}`,
    unknown: `whether the target is a reason for ${name} cannot be told from these runs`,
    "n/a": "not compared",
  };
  return `${theirs}; ${within}: ${end[value]}.`;
}

export function splitLatencyStatement(segment: SegmentDeclared, target: number, attain: Measured): string {
  return `A split keeps ${share(segment, attain)} of "${segment.id}" within target (needed: ${percent(target)}).`;
}

export function steadinessStatement(one: SegmentCase, value: NodeValue): string {
  const { segment, measured, inputs } = one;
  const { uSloMin, peakToMeanMax, wapeMax } = inputs.declared.thresholds;
  if (value === "n/a") {
    return `How well "${segment.id}" would use own GPUs was not measured, since ${selfMissing(one)}.`;
  }
  const use =
    measured.uSlo === null
      ? `how much of the work within target own GPUs would do is not known, because it was not measured or a class that they serve misses its target at any load (needed: ${percent(uSloMin)})`
      : `own GPUs would do ${withInterval(measured.uSlo, percent)} of the work they could do within target (needed: ${percent(uSloMin)})`;
  const peak = `the peak is ${withInterval(measured.peakToMean, ratio)} times the mean (at most ${ratio(peakToMeanMax)})`;
  const error = `the forecast error is ${withInterval(measured.wape, percent)} (at most ${percent(wapeMax)})`;
  const verdicts: Readonly<Record<NodeValue, string>> = {
    yes: "is high and steady enough for own GPUs",
    no: "is not high and steady enough for own GPUs",
    unknown: "may or may not be high and steady enough for own GPUs",
    "n/a": "",
  };
  return `The volume of "${segment.id}" ${verdicts[value]}: ${use}, ${peak}, ${error}.`;
}

/** Why own GPUs have no number for the segment. */
function selfMissing({ open }: SegmentCase): string {
  return open.includes("self") ? "own GPUs were not simulated for it" : "own GPUs are closed to it";
}

export interface EconomicsFacts {
  readonly one: SegmentCase;
  readonly value: NodeValue;
  /** Value of T3a. */
  readonly steady: NodeValue;
  /** Lowest and highest cost of own GPUs ÷ cost of the API; null where they may not be compared. */
  readonly bounds: { readonly lo: number; readonly hi: number } | null;
  /** Highest ratio that counts as an advantage. */
  readonly most: number;
}

export function economicsStatement({ one, value, steady, bounds, most }: EconomicsFacts): string {
  const { segment, measured, open } = one;
  const { self, api } = measured.options;
  const own = intervalOf(self?.usdPerMonth ?? null);
  if (bounds === null) {
    const why = !open.includes("api")
      ? "the API is closed to it"
      : !open.includes("self") || own === null
        ? selfMissing(one)
        : "the API was not simulated for it";
    const cost = own !== null && open.includes("self") ? `; own GPUs cost ${cash(own)}` : "";
    return `For "${segment.id}" own GPUs are not compared with the API on cost, since ${why}${cost}.`;
  }
  const theirs = api?.usdPerMonth ?? null;
  const factor = bounds.hi === Infinity ? "" : `, ${ratio(bounds.hi)} times as much at worst (at most ${ratio(most)})`;
  const ends: Readonly<Record<NodeValue, string>> = {
    yes: "an advantage",
    no: steady === "no" ? "no advantage, as the volume is not steady and high enough" : "no advantage",
    unknown: "whether that is an advantage cannot be told from these runs",
    "n/a": "",
  };
  return `For "${segment.id}" own GPUs cost ${cash(own)}${ofAnswered(self)} against ${cash(theirs)} on the API${ofAnswered(api)}${factor}: ${ends[value]}.`;
}

/** From it on what is left unanswered does not show in a cost. */
export const ALL_ANSWERED = 0.99;

/** What a cost buys, where that is less than was asked for: answering less costs less. */
function ofAnswered(option: OptionMeasured | undefined): string {
  const answered = option?.answered ?? 1;
  return answered < ALL_ANSWERED ? ` for the ${percent(answered)} of requests that are answered` : "";
}

function cash(cost: Measured | Interval): string {
  return withInterval(cost, usdPerMonth);
}

export function otherCostStatement({ segment }: SegmentCase, option: Option, simulated: OptionMeasured): string {
  return `For "${segment.id}" ${optionName(option)} costs ${cash(simulated.usdPerMonth)}${ofAnswered(simulated)}.`;
}

export function customizationStatement(segment: SegmentDeclared, softNeeds: number): string {
  const musts = mustGaps(segment);
  if (musts.length > 0) return `"${segment.id}" must have ${list(musts)}, which the API does not offer.`;
  const lacking = segment.customization.filter((need) => !need.apiSupports).map((need) => need.name);
  if (lacking.length === 0) return `"${segment.id}" needs no control that the API does not offer.`;
  const weight = lacking.length >= softNeeds ? "enough for a soft reason" : "too little for a reason";
  return `"${segment.id}" would like ${list(lacking)}, which the API does not offer: ${weight} (needed: ${softNeeds}).`;
}

export interface CapabilityFacts {
  readonly value: NodeValue;
  readonly lowest: number;
  readonly mean: number;
  /** Null: not simulated. */
  readonly attain: Measured;
  readonly target: number;
}

export function capabilityStatement(
  one: SegmentCase,
  { value, lowest, mean, attain, target }: CapabilityFacts,
): string {
  const { segment, measured, inputs } = one;
  const { gateMin, teamMeanMin } = inputs.declared.thresholds;
  const verdicts: Readonly<Record<NodeValue, string>> = {
    yes: "can operate own GPUs",
    no: "cannot operate own GPUs yet",
    unknown: "may or may not be able to operate own GPUs",
    "n/a": "",
  };
  const levels =
    `the lowest of observability, release and incident coverage is level ${decimal(lowest, 2)} (needed: ${decimal(gateMin, 2)}), ` +
    `the mean of the six levels ${decimal(mean, 2)} (needed: ${decimal(teamMeanMin, 2)})`;
  const serving =
    attain === null
      ? "attainment with this team was not simulated"
      : `with this team own GPUs keep ${share(segment, attain)} within target (needed: ${percent(target)})`;
  const rota =
    measured.rotaOk === null
      ? "no on-call rota was declared"
      : `the on-call rota is ${measured.rotaOk ? "sustainable" : "not sustainable"}`;
  return `For "${segment.id}" the team ${verdicts[value]}: ${levels}, ${serving}, ${rota}.`;
}
