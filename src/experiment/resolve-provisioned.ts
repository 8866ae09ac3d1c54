/**
 * Provisioned throughput: which units, how many, at which price, and what they make of an offer. Its tokens cost nothing
 * beyond the units, its limits are the units, its latency is that of reserved capacity, outside the load that others make.
 */
import { hintFor } from "../catalog/nearest.ts";
import { originOf, rowOriginOf, type Origin } from "../catalog/origin.ts";
import type { CatalogEntry } from "../catalog/schema.ts";
import { unitsInSteps, weightedTokensPerMin, type UnitSteps } from "../provider/forms/units.ts";
import type { TermPrice, UnitThroughput } from "../scenario/forms.ts";
import type { RequestClass, ResolvedOffer } from "../scenario/resolved.ts";
import { expectedDemand, type DemandContext } from "./expected-demand.ts";
import type { Path } from "./read.ts";
import { unitLimit } from "./resolve-form-limits.ts";
import type { Resolution } from "./resolution.ts";
import type { FormOf } from "./schema-forms.ts";

type Plan = CatalogEntry<"provisioned">;
type PlanModel = Plan["models"][number];
type File = FormOf<"provisioned">;

export interface ProvisionedContext {
  readonly demand: DemandContext | null;
  readonly classes: readonly RequestClass[];
  /** Indices of the classes whose route begins with this offer. */
  readonly firstFor: readonly number[];
  /** The offer in the catalogue. */
  readonly offerId: string;
}

const MONTH_H = 730;

/** Null after a problem. */
export function resolveProvisioned(
  resolution: Resolution,
  offer: ResolvedOffer,
  file: File,
  path: Path,
  at: string,
  context: ProvisionedContext,
): ResolvedOffer | null {
  const found = planOf(resolution, offer, context.offerId, file, path);
  if (found === null) return null;
  const { plan, model } = found;
  const deployment = deploymentOf(resolution, plan, model, file, path);
  const weights = weightsOf(resolution, plan, model, file, path);
  if (deployment === null || weights === null) return null;
  const steps = model.steps[deployment]!; // deploymentOf has looked
  const throughputs = sized(resolution, plan, model, weights, steps, file, path, context);
  if (throughputs === null) return null;
  const units = throughputs.reduce((sum, part) => sum + part.units, 0);
  const reservedUnits = file.term === "hourly" ? 0 : (file.reservedUnits ?? units);
  if (reservedUnits > units) {
    resolution.problem([...path, "reservedUnits"], `${reservedUnits} are more than the ${units} units deployed`);
    return null;
  }
  const price = (term: File["term"]): TermPrice | null => priceOf(resolution, plan, deployment, term, file, path);
  const reserved = reservedUnits > 0 ? price(file.term) : null;
  const hourly = reservedUnits < units ? price("hourly") : null;
  if ((reservedUnits > 0 && reserved === null) || (reservedUnits < units && hourly === null)) return null;
  for (const field of ["acquisition", "reservedUnits"]) resolution.fromFile(`${at}.form.${field}`, [...path, field]);
  resolution.from(`${at}.limits`, `catalogue:provisioned/${plan.id}`);
  for (const field of ["diurnal", "congestion", "prices"]) resolution.from(`${at}.${field}`, "derived");
  resolution.from(`${at}.priceAsOf`, `catalogue:provisioned/${plan.id}`);
  const free = [{ fromEpochS: null, inputUsdPerMTok: 0, outputUsdPerMTok: 0, longContext: [] }];
  return {
    ...offer,
    form: {
      kind: "provisioned",
      plan: `${plan.id}/${model.model}`,
      units,
      reservedUnits,
      throughputs,
      reserved,
      hourly,
      acquisition: file.acquisition,
    },
    prices: free,
    priceAsOf: termOrigin(plan, deployment, reserved === null ? "hourly" : file.term).asOf,
    limits: throughputs.map((part) => unitLimit(plan, part)),
    latency: latencyOf(resolution, offer, plan, model),
    diurnal: null,
    congestion: null,
  };
}

/** The plan and its row for the offer's model. */
function planOf(
  resolution: Resolution,
  offer: ResolvedOffer,
  offerId: string,
  file: File,
  path: Path,
): { readonly plan: Plan; readonly model: PlanModel } | null {
  const plans = [...resolution.catalog.provisioned.values()];
  const isFor = (row: PlanModel): boolean => row.model === offer.model || row.offer === offerId;
  const at = [...path, "plan"];
  if (file.plan === undefined) {
    const sold = plans.flatMap((plan) => plan.models.filter((row) => isFor(row)).map((model) => ({ plan, model })));
    if (sold.length === 1) return sold[0]!;
    const names = sold.map(({ plan, model }) => `${plan.id}/${model.model}`);
    resolution.problem(
      at,
      sold.length === 0
        ? `no plan sells units for ${offer.model}`
        : `units for ${offer.model} are sold under several plans`,
      sold.length === 0
        ? (hintFor(
            offer.model,
            plans.flatMap((plan) => plan.models.map(({ model }) => `${plan.id}/${model}`)),
          ) ?? `give a plan: ${plans.map(({ id }) => id).join(", ")}`)
        : `choose ${names.join(" or ")}`,
    );
    return null;
  }
  const slash = file.plan.indexOf("/");
  const plan = resolution.find("provisioned", slash < 0 ? file.plan : file.plan.slice(0, slash), at);
  if (plan === null) return null;
  const wanted = slash < 0 ? offer.model : file.plan.slice(slash + 1);
  const model = plan.models.find((row) => (slash < 0 ? isFor(row) : row.model === wanted));
  if (model !== undefined) return { plan, model };
  const models = plan.models.map((row) => row.model);
  resolution.problem(at, `${plan.id} has no units for "${wanted}"`, hintFor(wanted, models) ?? models.join(", "));
  return null;
}

function deploymentOf(resolution: Resolution, plan: Plan, model: PlanModel, file: File, path: Path): string | null {
  const known = Object.keys(plan.deployments).filter((name) => Object.hasOwn(model.steps, name));
  const name = file.deployment ?? known[0];
  if (name !== undefined && known.includes(name)) return name;
  resolution.problem(
    [...path, "deployment"],
    `${plan.id} does not sell ${model.model} as "${name ?? ""}"`,
    hintFor(name ?? "", known) ?? `known: ${known.join(", ")}`,
  );
  return null;
}

interface Weights {
  readonly uncachedWeight: number;
  readonly cachedWeight: number;
  readonly outputWeight: number;
}

/** What the tokens count as, by part: one part, or input and output apart. */
function weightsOf(
  resolution: Resolution,
  plan: Plan,
  model: PlanModel,
  file: File,
  path: Path,
): readonly (Weights & { readonly name: string; readonly tokensPerMin: number })[] | null {
  const { cachedWeight, inputTokensPerMinPerUnit: tokensPerMin, outputTokensPerMinPerUnit } = model;
  if (outputTokensPerMinPerUnit !== null) {
    return [
      { name: "input", tokensPerMin, uncachedWeight: 1, cachedWeight, outputWeight: 0 },
      { name: "output", tokensPerMin: outputTokensPerMinPerUnit, uncachedWeight: 0, cachedWeight: 0, outputWeight: 1 },
    ];
  }
  const outputWeight = file.outputWeight ?? model.outputWeight;
  if (outputWeight === null) {
    resolution.problem(
      [...path, "outputWeight"],
      `is missing: ${plan.id} publishes no weight of output tokens for ${model.model}`,
      "4 to 8 for the models that have one",
    );
    return null;
  }
  return [{ name: "tokens", tokensPerMin, uncachedWeight: 1, cachedWeight, outputWeight }];
}

function sized(
  resolution: Resolution,
  plan: Plan,
  model: PlanModel,
  parts: NonNullable<ReturnType<typeof weightsOf>>,
  steps: UnitSteps,
  file: File,
  path: Path,
  context: ProvisionedContext,
): UnitThroughput[] | null {
  const at = `provisioned/${plan.id}/${model.model}`;
  const origin = rowOriginOf(plan, `models.${plan.models.indexOf(model)}`, model);
  const wanted = parts.length === 1 ? [file.units] : [file.units, file.outputUnits ?? "auto"];
  if (parts.length === 1 && file.outputUnits !== undefined) {
    resolution.problem([...path, "outputUnits"], `${plan.id} sells no units of output apart`, "give units alone");
    return null;
  }
  const throughputs = parts.map(({ name, tokensPerMin, ...weights }, i): UnitThroughput | null => {
    const field = i === 0 ? "units" : "outputUnits";
    const units =
      wanted[i] === "auto"
        ? autoUnits(resolution, tokensPerMin, weights, steps, file, [...path, field], context)
        : wanted[i]!;
    if (units === null) return null;
    const sold = unitsInSteps(units, steps);
    if (units !== sold) {
      const { minUnits, increment } = steps;
      const steady = increment === 1 ? "" : ` in steps of ${increment}`;
      resolution.problem(
        [...path, field],
        `${units} of ${plan.unit} are not sold: at least ${minUnits}${steady}`,
        `take ${sold}`,
      );
      return null;
    }
    for (const [what, value] of [
      ["tokensPerMinPerUnit", tokensPerMin],
      ["outputWeight", weights.outputWeight],
      ["cachedWeight", weights.cachedWeight],
    ] as const)
      resolution.useValue(`${at}/${name}/${what}`, `${plan.unit} for ${model.model}: ${what}`, value, what, origin);
    if (wanted[i] === "auto")
      resolution.assume({
        id: `derived/${path.slice(1, 4).join("/")}/${field}`,
        label: `${plan.unit} for the expected peak`,
        value: units,
        unit: "units",
        kind: "derived",
        source: "busiest quarter of an hour that the traffic lets expect, by the vendor's formula",
        asOf: origin.asOf,
      });
    return { name, units, tokensPerMinPerUnit: tokensPerMin, ...weights };
  });
  return throughputs.some((part) => part === null) ? null : (throughputs as UnitThroughput[]);
}

function autoUnits(
  resolution: Resolution,
  tokensPerMin: number,
  weights: Weights,
  steps: UnitSteps,
  { cachedFraction }: File,
  path: Path,
  { demand, classes, firstFor }: ProvisionedContext,
): number | null {
  // The traffic did not resolve, which has been said.
  if (demand === null) return null;
  if (firstFor.length === 0) {
    resolution.problem(path, "auto needs a class whose route begins with this offer", "give a number of units");
    return null;
  }
  const expected = expectedDemand(demand, classes, firstFor);
  if (expected === null) {
    resolution.problem(path, "auto cannot tell the peak of sessions, whose prompts grow", "give a number of units");
    return null;
  }
  return unitsInSteps(weightedTokensPerMin({ ...expected, cachedFraction }, weights) / tokensPerMin, steps);
}

function priceOf(
  resolution: Resolution,
  plan: Plan,
  deployment: string,
  term: File["term"],
  file: File,
  path: Path,
): TermPrice | null {
  const sold = plan.deployments[deployment]!;
  const entry = sold.terms[term];
  if (entry === undefined) {
    const known = Object.keys(sold.terms);
    resolution.problem(
      [...path, "term"],
      term === file.term
        ? `${plan.id} (${deployment}) is not sold as ${term}`
        : `${plan.id} (${deployment}) sells nothing by the hour, so that all units must be reserved`,
      `sold as ${known.join(", ")}`,
    );
    return null;
  }
  const { termH } = entry;
  const own = term === file.term ? file.usdPerUnit : undefined;
  let usdPerUnit = own ?? entry.usdPerUnit * sold.priceFactor;
  let { paidEveryH } = entry;
  const wantedH =
    file.payment === undefined ? paidEveryH : file.payment === "upfront" ? termH : Math.min(MONTH_H, termH);
  if (termH > 0 && wantedH !== paidEveryH) {
    usdPerUnit *= wantedH / paidEveryH;
    paidEveryH = wantedH;
  }
  if (own === undefined) {
    const origin = termOrigin(plan, deployment, term);
    resolution.useValue(
      `provisioned/${plan.id}/${deployment}/${term}`,
      `${plan.unit} (${deployment}, ${term})`,
      usdPerUnit,
      termH === 0 ? "usdPerUnitHour" : "usdPerUnit",
      origin,
    );
    resolution.noteAge(`price of ${plan.id} (${deployment}, ${term})`, origin.asOf);
  }
  return { name: term, termH, paidEveryH, usdPerUnit };
}

/** Where the price of a term of the plan comes from. */
function termOrigin(plan: Plan, deployment: string, term: File["term"]): Origin {
  const sold = plan.deployments[deployment]!;
  return rowOriginOf(rowOriginOf(plan, `deployments.${deployment}`, sold), "", sold.terms[term]!);
}

function latencyOf(
  resolution: Resolution,
  offer: ResolvedOffer,
  plan: Plan,
  { minTokensPerS }: PlanModel,
): ResolvedOffer["latency"] {
  const { ttftFactor, ttftSigma, tailProbability, tailMultiple, tailSigma, rateSigma, ...row } = plan.latency;
  resolution.useValue(
    `provisioned/${plan.id}/latency/ttftFactor`,
    `${plan.name}: first token as a multiple of the class's, with a narrower shape`,
    ttftFactor,
    "ttftFactor",
    rowOriginOf({ ...originOf(plan, "latency"), fields: plan.fields }, "latency", row),
  );
  const { latency } = offer;
  return {
    ...latency,
    ttftBaseS: latency.ttftBaseS * ttftFactor,
    ttftSigma,
    tailProbability,
    tailMultiple,
    tailSigma,
    rateSigma,
    ...(minTokensPerS === null ? {} : { minTokensPerS }),
  };
}
