/** A fit as catalogue entries: a traffic preset and, where the trace shows one, its weekly profile. */
import type { TraceFit } from "./fit.ts";

export interface PresetOrigin {
  readonly id: string;
  /** Name of the trace's file, without its folder. */
  readonly file: string;
  /** YYYY-MM-DD: the end of the trace, or the day of the fit where the trace has no dates. */
  readonly asOf: string;
}

/** Clients ask for this much more than they get (assumed, as in the shipped presets). */
const MAX_OUTPUT = { factor: 4, minTokens: 1024 } as const;

/** Values of `traffic/ID.yaml` and `seasons/ID.yaml`, in the order in which they are to be written. */
export function presetEntries(
  fit: TraceFit,
  { id, file, asOf }: PresetOrigin,
): { readonly traffic: object; readonly season: object | null } {
  const rows = `${fit.rows} rows over ${spanText(fit.spanS)}`;
  const measured = { source: `measured on ${file}, ${rows}`, asOf, kind: "measured" };
  const assumed = (why: string) => ({ source: why, asOf, kind: "assumed" });
  const { bursts, season } = fit;
  const drift = season === null ? (bursts?.ramp?.drift ?? null) : null;
  const traffic = {
    id,
    name: `Fitted on ${file}`,
    source: `fitted on ${file}, ${rows}`,
    asOf,
    kind: "fitted",
    note: [...burstLines(fit), ...fit.unknown].join(" "),
    fields: {
      meanRatePerS: measured,
      burst:
        bursts === null
          ? assumed("the trace is too short or too thin to show bursts; Poisson arrivals")
          : { source: `fitted on the index of dispersion of ${file}, ${rows}`, asOf, kind: "fitted" },
      ...(drift === null
        ? {}
        : {
            drift: {
              source: `so that the rate moves within ${Math.round(bursts!.stretchS / 60)} minutes as much as on ${file}; its ${drift.tauS} s are assumed, after the client pools of ServeGen`,
              asOf,
              kind: "fitted",
            },
          }),
      season:
        season === null
          ? assumed("the trace shows no season; flat")
          : { source: `fitted on ${file}, ${rows}`, asOf, kind: "fitted" },
      input: measured,
      output: measured,
      spearman: measured,
      maxOutput: assumed("factor and minimum as in the shipped presets"),
    },
    meanRatePerS: digits(fit.meanRatePerS, 6),
    burst: {
      components:
        bursts === null || bursts.fit.component === null
          ? []
          : [{ cv: digits(bursts.fit.component.cv, 3), tauS: digits(bursts.fit.component.tauS, 3) }],
      gapCv: bursts === null ? 1 : digits(bursts.fit.gapCv, 3),
    },
    ...(drift === null ? {} : { drift: { sigma: digits(drift.sigma, 3), tauS: drift.tauS } }),
    season: season === null ? null : id,
    input: { kind: "quantiles", ...fit.input },
    output: { kind: "quantiles", ...fit.output },
    spearman: fit.spearman,
    maxOutput: MAX_OUTPUT,
    trace: null,
  };
  if (season === null) return { traffic, season: null };
  const note =
    season.kind === "week"
      ? `Mean of at least ${season.observations} of each hour of the week.`
      : `Mean of at least ${season.observations} of each hour of the day; the days of the week are taken to be alike.`;
  return {
    traffic,
    season: {
      id,
      name: `Weekly profile of ${file}`,
      source: `fitted on ${file}, ${rows}`,
      asOf,
      kind: "fitted",
      note,
      hourOfWeek: season.hourOfWeek,
    },
  };
}

/** The bursts with their intervals and checks, in sentences. */
export function burstLines({ bursts, heldOut }: TraceFit): string[] {
  if (bursts === null) return [];
  const { fit, intervals, check, renewal, ramp, stretchS } = bursts;
  const range = (interval: { low: number; high: number } | null): string =>
    interval === null ? "" : ` (95 %: ${digits(interval.low, 3)} to ${digits(interval.high, 3)})`;
  const parts =
    fit.component === null
      ? [
          `Gaps with a CV of ${digits(fit.gapCv, 3)}${range(intervals.gapCv)} alone: all windows together, the dispersion does not speak for a rate that moves (probability ${digits(check.probability, 2)}).`,
        ]
      : [
          `The rate fluctuates with a CV of ${digits(fit.component.cv, 3)}${range(intervals.cv)} and a correlation time of ${digits(fit.component.tauS, 3)} s${range(intervals.tauS)}; gaps have a CV of ${digits(fit.gapCv, 3)}${range(intervals.gapCv)}.`,
          `Gaps alone do not explain the trace (probability ${digits(renewal.check.probability, 2)}).`,
        ];
  if (ramp !== null) {
    const { cv, tauS } = ramp.asBursts.component!;
    parts.push(
      `The rate ${bursts.stretches > 1 ? "moves" : ramp.change < 0 ? "falls" : "rises"} by ${digits(Math.abs(ramp.change) * 100, 2)} % of its mean through ${Math.round(stretchS / 60)} minutes, more than bursts do (probability ${digits(ramp.probability, 2)}): that is the season's or a drift's. Taken for bursts it would be a CV of ${digits(cv, 3)} over ${digits(tauS, 3)} s.`,
    );
  }
  const inside = check.points.filter((point) => point.inside).length;
  parts.push(
    `The trace's dispersion lies in the 95 % sampling band of the fit at ${inside} of ${check.points.length} windows.`,
  );
  if (heldOut !== null) {
    const held = heldOut.check.points.filter((point) => point.inside).length;
    parts.push(
      `Fitted on its first half, the second lies in the band at ${held} of ${heldOut.check.points.length} windows (probability of all together ${digits(heldOut.check.probability, 2)}; ${digits(heldOut.check.missShare * 100, 2)} % of such halves miss one or more by luck).`,
    );
  }
  return parts;
}

/** `58 min`, `8.2 h`, `14 days`. */
export function spanText(spanS: number): string {
  if (spanS < 120) return `${digits(spanS, 3)} s`;
  if (spanS < 7200) return `${Math.round(spanS / 60)} min`;
  return spanS < 172_800 ? `${digits(spanS / 3600, 3)} h` : `${digits(spanS / 86_400, 3)} days`;
}

function digits(value: number, significant: number): number {
  return Number(value.toPrecision(significant));
}
