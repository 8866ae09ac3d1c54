/**
 * Drives the simulator's admission with the events of a fixture. Every event gives what came out, by the names in which
 * fixtures expect it. Charges are those that the fixture states, or follow from its weights.
 */
import { epochSOfIso } from "../../kernel/calendar-time.ts";
import { Admission } from "../../provider/admission.ts";
import { OVERSIZE, RATE_LIMITED } from "../../provider/attempt-status.ts";
import { DebtBucket } from "../../provider/limits/debt-bucket.ts";
import type { Limit, LimitReadings } from "../../provider/limits/limit.ts";
import { Fields, isRecord, Refusal, type Values } from "./fields.ts";
import { admitted, headersOf, NOT_SERVED, refusal, spilled, type ReplayOffer } from "./outcomes.ts";
import { readLimit, weigh } from "./read-limits.ts";

/** Times from here on are UTC milliseconds since 1970, not since the start of the example. */
const EPOCH_TIMES_MS = 1e11;
const DAY_MS = 86_400_000;

interface InFlight {
  readonly offer: ReplayOffer;
  readonly takenMs: number;
  readonly charges: Float64Array;
}

const words = (text: string): readonly string[] => text.split(" ");

const ARRIVALS = words("arrive submit enqueue attempt request retry");
const ENDS = words("finish complete completed done fail failure abort cancel expire release dequeue end");
const DEBITS = words("debit produce output");
const BOOKINGS = words("book spend cost minute usage");
const LOOKS = words("observe read tick check hour advance probe noop");

/** Names of what a request has used at its end; plain charges last, which may stand beside it for what was reserved. */
const USED = words(
  "actual actual_charges charges_actual final final_charges charges_final settled settle settle_charges settle_to used actual_tokens used_tokens",
);
const MONEY = words("usd list_usd usage_usd used_usd cost_usd list_cost_usd list_cost u");
/** They say where charges come from, or whose a request is. */
const CONFIG_NOTES = words(
  "output_ratio ratio burndown output_burndown cache_read_weight cached_input_weight cached_weight best_of tick_ms scope tier provider model metric",
);
const EVENT_NOTES = words("workload class tenant model user");

export class Replay {
  private readonly offers: readonly ReplayOffer[];
  private readonly charsPerToken: number;
  private readonly startMs: number;
  private readonly requests = new Map<string, InFlight>();
  private nowMs = -Infinity;

  /** @param firstMs time of the first event, to tell times since 1970 from others */
  constructor(config: Values, firstMs: number) {
    const fields = new Fields(config, "config");
    this.charsPerToken = fields.numberOr(4, "chars_per_token");
    const startText = fields.text("start_utc", "start", "t0", "t0_utc", "epoch");
    const startEpochS = startText === null ? null : epochSOfIso(startText);
    if (startText !== null && startEpochS === null) throw new Refusal(`config: start "${startText}" is no date`);
    // Whole days, so that windows begin where they do.
    this.startMs = firstMs >= EPOCH_TIMES_MS ? Math.floor(firstMs / DAY_MS) * DAY_MS : 0;
    this.offers = this.readOffers(fields, startEpochS ?? this.startMs / 1000);
    fields.value(...CONFIG_NOTES);
    fields.done();
    for (const { limits, admission } of this.offers) {
      limits.forEach(({ initial }, i) => {
        if (initial !== null)
          admission.limits[i]!.set(this.startMs > 0 ? firstMs - this.startMs : Math.min(0, firstMs), initial);
      });
    }
  }

  /** What came of one event, by every name that a fixture may expect of it. */
  event(values: Values, index: number): Values {
    const fields = new Fields(values, `events[${index}]`);
    const type = fields.text("type") ?? "";
    const timeMs = timeOf(fields) - this.startMs;
    if (timeMs < this.nowMs) throw new Refusal(`${fields.where} is before the event in front of it`);
    this.nowMs = timeMs;
    fields.value(...EVENT_NOTES);
    const req = fields.value("req", "request_id", "job", "id");
    const name = req === undefined ? `event ${index}` : String(req);
    let got: Values;
    if (ARRIVALS.includes(type)) got = this.arrive(fields, timeMs, name);
    else if (ENDS.includes(type)) got = this.end(fields, timeMs, name);
    else if (type === "settle") got = this.settle(fields, timeMs, name);
    else if (DEBITS.includes(type)) got = this.debit(fields, timeMs);
    else if (BOOKINGS.includes(type)) got = this.book(fields, timeMs);
    else if (type === "overload") got = this.overload(fields, timeMs, name);
    else if (LOOKS.includes(type)) got = {};
    else throw new Refusal(`${fields.where}: unknown type of event "${type}"`);
    fields.done();
    return { ...got, ...this.state(timeMs) };
  }

  private arrive(fields: Fields, timeMs: number, name: string): Values {
    const target = fields.text("offer", "to", "limit_scope");
    const start = target === null ? 0 : this.offers.findIndex(({ id }) => id === target);
    if (start < 0) throw new Refusal(`${fields.where}: no offer "${target}" in config`);
    const request = fields.record("request", "usage");
    const drawn = fields.has("overload_p") && fields.numberOr(1, "overload_u", "u") < fields.number("overload_p");
    const overloaded = fields.flag("overload", "overloaded") || drawn;
    if (fields.flag("incident", "outage")) {
      return { ...NOT_SERVED, status: [500, 502, 503, 504], outcome: ["error", "incident", "outage"], retryable: true };
    }
    let first: Values | null = null;
    for (let at: number | null = start; at !== null;) {
      const offer: ReplayOffer = this.offers[at]!;
      const charges = this.charges(fields, request, offer);
      offer.admission.charges.set(charges);
      const decision = offer.admission.decide(timeMs);
      if (decision === RATE_LIMITED) {
        first ??= refusal(offer, timeMs);
        if (offer.overflow === null && offer.overflowsAway !== null) return spilled(first, offer.overflowsAway);
        at = offer.overflow;
        continue;
      }
      if (decision === OVERSIZE) {
        const limit = offer.limits[offer.admission.refusedBy]!.spec.name;
        const outcome = ["oversize", "reject_permanent", "permanent_error", "error"];
        return { ...NOT_SERVED, status: 400, outcome, refused_by: limit, permanent: true, retryable: false };
      }
      if (overloaded) {
        offer.admission.overloaded(timeMs);
        return { ...NOT_SERVED, status: [503, 529], outcome: ["overload", "overloaded", "error"], retryable: true };
      }
      this.requests.set(name, { offer, takenMs: timeMs, charges });
      if (first !== null) return spilled(first, offer.id);
      return { ...admitted(offer), headers: headersOf(offer, timeMs, null) };
    }
    return first!;
  }

  /** What the request is charged, by limit of the offer: as stated, else by weights; a limit of neither is not charged. */
  private charges(fields: Fields, request: Fields | null, offer: ReplayOffer): Float64Array {
    const stated = this.amounts(fields, ["charges", "charge", "cost", "size", "tokens", "input_tokens"]);
    return Float64Array.from(offer.limits, ({ spec, reserve }) => {
      const known = stated?.get(spec.name);
      if (known !== undefined) return known;
      if (reserve === null) return 0;
      if (request !== null) return weigh(reserve, request, this.charsPerToken);
      throw new Refusal(`${fields.where}: neither a charge of ${spec.name} nor a request to work it out from`);
    });
  }

  private end(fields: Fields, timeMs: number, name: string): Values {
    const request = this.requests.get(name);
    if (request === undefined) {
      // Money alone needs no request.
      if (fields.has(...MONEY)) return this.book(fields, timeMs);
      throw new Refusal(`${fields.where}: ${name} was not admitted, or has ended`);
    }
    this.requests.delete(name);
    this.settleRequest(fields, timeMs, request);
    return { status: 200 };
  }

  /** Money that was used at list price. */
  private book(fields: Fields, timeMs: number): Values {
    const amounts = this.amounts(fields, [...MONEY, "charges"]);
    if (amounts === null) throw new Refusal(`${fields.where} does not say how much is booked`);
    for (const [name, usd] of amounts) {
      const limit = this.limit(name);
      if (!limit.money) throw new Refusal(`${fields.where}: ${name} does not count money`);
      limit.settle(timeMs, timeMs, 0, usd);
    }
    return {};
  }

  /** An admitted request meets an overload of the provider. */
  private overload(fields: Fields, timeMs: number, name: string): Values {
    const request = this.requests.get(name);
    if (request === undefined) throw new Refusal(`${fields.where}: ${name} was not admitted, or has ended`);
    this.requests.delete(name);
    request.offer.admission.charges.set(request.charges);
    request.offer.admission.overloaded(timeMs);
    return { ...NOT_SERVED, status: [503, 529], outcome: ["overload", "overloaded", "error"], retryable: true };
  }

  private settle(fields: Fields, timeMs: number, name: string): Values {
    const request = this.requests.get(name);
    if (request !== undefined) {
      this.settleRequest(fields, timeMs, request);
      return {};
    }
    const reserved = this.amounts(fields, ["reserved"]);
    const actual = this.amounts(fields, ["actual", "charges", "used"]);
    if (reserved === null || actual === null) {
      throw new Refusal(`${fields.where}: ${name} is not in flight, and reserved and actual are not given`);
    }
    const takenMs = fields.numberOr(timeMs + this.startMs, "taken_ms") - this.startMs;
    for (const [limit, value] of actual) {
      this.limit(limit).settle(timeMs, takenMs, reserved.get(limit) ?? 0, value);
    }
    return {};
  }

  private settleRequest(fields: Fields, timeMs: number, { offer, takenMs, charges }: InFlight): void {
    const { limits, admission } = offer;
    const stated = this.amounts(fields, [...USED, ...MONEY, "charges"]);
    const reserved = this.amounts(fields, ["reserved"]);
    const usage = fields.record("usage", "request");
    fields.value("status", "reason", "produced_tokens");
    const used = Float64Array.from(limits, ({ spec, settle, mustSettle }, i) => {
      const known = stated?.get(spec.name);
      if (known !== undefined) return known;
      if (settle !== null && usage !== null) return weigh(settle, usage, this.charsPerToken);
      if (mustSettle)
        throw new Refusal(`${fields.where}: what ${spec.name} is settled to is neither stated nor follows`);
      return charges[i]!;
    });
    const before = Float64Array.from(limits, ({ spec }, i) => reserved?.get(spec.name) ?? charges[i]!);
    limits.forEach(({ spec }, i) => {
      // Nothing was reserved there: what is stated at the end is debited.
      if (admission.limits[i] instanceof DebtBucket && stated?.get(spec.name) === undefined) used[i] = 0;
    });
    admission.settleTo(timeMs, takenMs, before, used);
  }

  private debit(fields: Fields, timeMs: number): Values {
    const amounts = this.amounts(fields, [
      "charges",
      "debits",
      "debit",
      "amounts",
      "amount",
      "tokens",
      "output_tokens",
      "output",
      "n",
    ]);
    if (amounts === null) throw new Refusal(`${fields.where} does not say what is debited`);
    for (const [name, units] of amounts) {
      const limit = this.limit(name);
      if (!(limit instanceof DebtBucket)) throw new Refusal(`${fields.where}: ${name} is no debt bucket`);
      limit.debit(timeMs, units);
    }
    return {};
  }

  /** Numbers by limit; a single number is of the limit that the event names, or of the only one that can be meant. */
  private amounts(fields: Fields, names: readonly string[]): ReadonlyMap<string, number> | null {
    const value = fields.value(...names);
    if (value === undefined || value === null) return null;
    if (typeof value === "number") {
      const named = fields.text("limit", "limit_id");
      const all = this.offers.flatMap(({ limits, admission }) =>
        limits.map(({ spec }, i) => ({ name: spec.name, limit: admission.limits[i]! })),
      );
      const money = MONEY.some((name) => typeof fields.values[name] === "number");
      const kind = all.filter(({ limit }) => (money ? limit.money : limit instanceof DebtBucket));
      const meant = all.length === 1 ? all : kind;
      if (named === null && meant.length !== 1) throw new Refusal(`${fields.where}: ${names[0]} of which limit?`);
      return new Map([[named ?? meant[0]!.name, value]]);
    }
    if (!isRecord(value)) throw new Refusal(`${fields.where}: ${names[0]} is neither a number nor numbers by limit`);
    const amounts = new Map<string, number>();
    for (const [name, amount] of Object.entries(value)) {
      this.limit(name);
      if (typeof amount !== "number") throw new Refusal(`${fields.where}: ${names[0]}.${name} is no number`);
      amounts.set(name, amount);
    }
    return amounts;
  }

  private limit(name: string): Limit {
    for (const { limits, admission } of this.offers) {
      const i = limits.findIndex(({ spec }) => spec.name === name);
      if (i >= 0) return admission.limits[i]!;
    }
    throw new Refusal(`there is no limit "${name}" in config`);
  }

  /** Every reading of every limit after the event. */
  private state(timeMs: number): Values {
    const by = (pick: (readings: LimitReadings) => number | undefined): Values =>
      Object.fromEntries(
        this.offers.flatMap(({ limits, admission }) =>
          limits.flatMap(({ spec }, i) => {
            const value = pick(admission.limits[i]!.readings(timeMs));
            return value === undefined ? [] : [[spec.name, value] as const];
          }),
        ),
      );
    return {
      level_after: by(({ level }) => level),
      count_after: by(({ count }) => count),
      utilization_after: by(({ utilization }) => utilization),
      utilization_percent: by(({ utilization }) => (utilization === undefined ? undefined : utilization * 100)),
      limit_after: by(({ limit }) => limit),
      covered_usd: by(({ coveredUsd }) => coveredUsd),
      overage_usd: by(({ overageUsd }) => overageUsd),
      bill_usd: by(({ limit, overageUsd }) => (overageUsd === undefined ? undefined : limit! + overageUsd)),
    };
  }

  private readOffers(fields: Fields, startEpochS: number): ReplayOffer[] {
    const initial = fields.value("initial");
    if (initial !== undefined && initial !== null && !isRecord(initial))
      throw new Refusal("config: initial is no object");
    // By limit, or by reading and limit.
    const byReading = ["levels", "level", "counts", "count"].filter((name) => isRecord(initial?.[name]));
    const states = Object.assign({ ...initial }, ...byReading.map((name) => initial?.[name])) as Values;
    const initialOf = (id: string): unknown => states[id];
    const several = fields.value("offers");
    const away = overflowOf(fields);
    const bodies =
      several === undefined
        ? [{ id: "offer", list: fields.value("limits"), overflow: away }]
        : (Array.isArray(several) ? (several as unknown[]) : []).map((value, i) => {
            const offer = new Fields(value, `config.offers[${i}]`);
            const body = {
              id: offer.text("id") ?? `offer ${i}`,
              list: offer.value("limits"),
              overflow: overflowOf(offer),
            };
            offer.value("form", "price_multiplier");
            offer.done();
            return body;
          });
    if (bodies.length === 0) throw new Refusal("config: offers is no list");
    const names = bodies.map(({ id }) => id);
    const offers = bodies.map(({ id, list, overflow }): ReplayOffer => {
      if (!Array.isArray(list)) throw new Refusal(`config of ${id} has no list of limits`);
      const limits = (list as unknown[]).map((value, i) => readLimit(value, `limits[${i}]`, initialOf));
      const admission = new Admission(
        "replay",
        limits.map(({ spec }) => spec),
        startEpochS,
        null,
      );
      const to = overflow === null ? -1 : names.indexOf(overflow);
      return { id, limits, admission, overflow: to < 0 ? null : to, overflowsAway: to < 0 ? overflow : null };
    });
    const known = offers.flatMap(({ limits }) => limits.map(({ spec }) => spec.name));
    for (const id of Object.keys(states)) {
      if (!known.includes(id) && !byReading.includes(id))
        throw new Refusal(`config: initial state of a limit "${id}" that is not there`);
    }
    return offers;
  }
}

/** Name of the offer to which a refused request goes, or null. */
function overflowOf(fields: Fields): string | null {
  const value = fields.value(
    ...words("overflow spillover spill_to spillover_to spillover_offer overflow_to overflow_offer fallback"),
  );
  if (value === undefined || value === null || value === false) return null;
  if (value === true) return "spillover";
  if (typeof value === "string") return value;
  const overflow = new Fields(value, `${fields.where}.overflow`);
  const to = overflow.text("to_offer", "to", "offer") ?? "spillover";
  const on = overflow.value("on");
  if (on !== undefined && !(Array.isArray(on) && on.includes(429))) {
    throw new Refusal(`${overflow.where}: on ${JSON.stringify(on)} is none of what limits do`);
  }
  overflow.done();
  return to;
}

function timeOf(fields: Fields): number {
  const text = fields.value("t_utc", "time_utc");
  if (typeof text === "string") {
    const epochS = epochSOfIso(text);
    if (epochS === null) throw new Refusal(`${fields.where}: t_utc "${text}" is no time`);
    return epochS * 1000;
  }
  if (fields.has("minute") && !fields.has("t_ms")) return fields.number("minute") * 60_000;
  return fields.has("t_s") ? fields.number("t_s") * 1000 : fields.number("t_ms");
}

/** Time of the first event in the times of the file. */
export function firstTimeMs(events: readonly Values[]): number {
  return events.length === 0 ? 0 : timeOf(new Fields(events[0], "events[0]"));
}
