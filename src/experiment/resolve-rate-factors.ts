/** The calendar behind a rate: time zone, holidays, day level, drift, pulses; and how a preset's bursts scale with its rate. */
import type { CatalogEntry } from "../catalog/schema.ts";
import { nearest } from "../catalog/nearest.ts";
import { DAY_S, HOUR_S, epochSOfIso } from "../kernel/calendar-time.ts";
import { exp } from "../kernel/math.ts";
import { clockOf, zoneNames } from "../kernel/time-zone.ts";
import type { ClientMix, Pulse, RateFactors, SyntheticTraffic } from "../scenario/resolved.ts";
import type { Resolution } from "./resolution.ts";
import type { ExperimentFile } from "./schema.ts";

type TrafficFile = ExperimentFile["traffic"];
type Preset = CatalogEntry<"traffic">;
type Burst = SyntheticTraffic["burst"];
/** As the file or a preset gives it. */
type BurstFile = NonNullable<TrafficFile["burst"]>;

/** What the calendar covers, warm-up included. */
export interface Period {
  readonly startEpochS: number;
  readonly fromEpochS: number;
  readonly toEpochS: number;
}

/** Undefined when nothing but the season in UTC shapes the rate; null after a problem. */
export function resolveRateFactors(
  resolution: Resolution,
  file: TrafficFile,
  preset: Preset | null,
  seasonZone: string | undefined,
  period: Period,
): RateFactors | undefined | null {
  const zone = file.timeZone ?? seasonZone ?? "UTC";
  const clock = clockOf(zone, period.fromEpochS, period.toEpochS);
  if (clock === null) {
    resolution.problem(["traffic", "timeZone"], `no time zone "${zone}"`, zoneHint(zone));
    return null;
  }
  const holidays = file.holidays.map(({ date, factor }) => ({ dayEpochS: epochSOfIso(date)!, factor }));
  if (new Set(holidays.map(({ dayEpochS }) => dayEpochS)).size < holidays.length) {
    resolution.problem(["traffic", "holidays"], "holds a date twice");
    return null;
  }
  holidays.forEach(({ dayEpochS }, i) => {
    if (dayEpochS + 2 * DAY_S < period.fromEpochS || dayEpochS - DAY_S > period.toEpochS)
      resolution.warn(`the holiday ${file.holidays[i]!.date} lies outside the experiment`);
  });
  const dayLevel = file.dayLevel ?? preset?.dayLevel ?? null;
  if (file.dayLevel === undefined && preset?.dayLevel) resolution.useEntry("traffic", preset, ["dayLevel"]);
  const pulses = file.pulses.map((pulse): Pulse => {
    const { at, perMonth, peak, riseMinutes, holdHours, decayHours } = pulse;
    return {
      atS: at === undefined ? null : epochSOfIso(at)! - period.startEpochS,
      perMonth: perMonth ?? 0,
      peak,
      riseS: riseMinutes * 60,
      holdS: holdHours * HOUR_S,
      decayS: decayHours * HOUR_S,
    };
  });
  resolution.fromFile("traffic.factors", ["traffic"], preset === null ? "default" : `preset:${preset.id}`);
  const isPlain = zone === "UTC" && holidays.length === 0 && dayLevel === null && pulses.length === 0;
  return isPlain ? undefined : { clock, holidays, dayLevel, pulses };
}

function zoneHint(zone: string): string {
  const near = nearest(zone, zoneNames());
  return near === null ? "for example Europe/Berlin, America/New_York or UTC+8" : `did you mean "${near}"?`;
}

/** Drift is one more component of the intensity: slow, lognormal, mean 1. */
export function withDrift(burst: Burst, drift: { readonly sigma: number; readonly tauS: number } | undefined): Burst {
  if (drift === undefined) return burst;
  const cv = Math.sqrt(exp(drift.sigma * drift.sigma) - 1);
  return { ...burst, components: [...burst.components, { cv, tauS: drift.tauS }] };
}

/** Without the fields that were left out. */
function mixOf({
  count,
  rateSigma,
  topShare,
  lengthShare,
  intermittent,
}: NonNullable<BurstFile["clients"]>): ClientMix {
  return {
    count,
    rateSigma,
    ...(topShare === undefined ? {} : { topShare }),
    ...(lengthShare === 0 ? {} : { lengthShare }),
    intermittent: intermittent ?? null,
  };
}

export function burstOf({ components, gapCv, switching, clients, jobs }: BurstFile): Burst {
  return {
    components,
    gapCv,
    ...(switching === undefined ? {} : { switching }),
    ...(clients === undefined ? {} : { clients: mixOf(clients) }),
    ...(jobs === undefined ? {} : { jobs }),
  };
}

/**
 * The burst of a preset at `requestsPerS`, scaled by clients: more traffic than was recorded is more independent copies
 * of it, so that the dispersion of the counts stays. Less is a thinned copy, whose dispersion shrinks towards 1, and says so.
 * Copies of a log-Gaussian intensity are one of the same mean and variance; other bursts become that many clients.
 */
export function scaledBurst(resolution: Resolution, preset: Preset, requestsPerS: number): Burst {
  const burst = burstOf(preset.burst);
  const cells = requestsPerS / preset.meanRatePerS;
  const { clients, switching } = burst;
  const isPoisson = burst.components.length === 0 && burst.gapCv === 1 && !switching && !clients;
  if (isPoisson || burst.jobs !== undefined || cells === 1) return burst;
  const wanted = clients === undefined ? cells : clients.count * cells;
  if (wanted < 1) {
    resolution.warn(
      `${requestsPerS} requests/s are ${Math.round(cells * 1000) / 10} % of what traffic/${preset.id} was taken from ` +
        `(${preset.meanRatePerS}/s): its traffic is thinned, and bursts of a part are milder than those of the whole`,
    );
    return clients === undefined ? burst : { ...burst, clients: { ...clients, count: 1 } };
  }
  if (clients !== undefined) {
    const { topShare } = clients;
    const count = Math.round(wanted);
    // Copies of the largest client are clients of their own; of fewer clients none can be smaller than its part of them.
    const largest = topShare === undefined ? {} : { topShare: Math.max(topShare / Math.max(1, cells), 1 / count) };
    return { ...burst, clients: { ...clients, count, ...largest } };
  }
  if (switching !== undefined)
    return { ...burst, clients: { count: Math.round(cells), rateSigma: 0, intermittent: null } };
  const scale = 1 / Math.sqrt(cells);
  return { ...burst, components: burst.components.map(({ cv, tauS }) => ({ cv: cv * scale, tauS })) };
}
