/**
 * Availability that an outage profile implies at an hour of the week, overlaps taken once: by the renewal equation, without
 * drawing anything. Looking back from t, the last start is an equilibrium recurrence time ago in warped time, and each start
 * before it a Weibull gap earlier. An outage that began `a` hours ago still lasts with probability P(duration > a), never
 * beyond the cap, so the equation ends there:
 *
 *   ψ(a) = E[no outage before the one at age a still lasts] = ∫ g(w) q(a′) ψ(a′) dw + P(gap reaches beyond the cap)
 */
import { normalCdf } from "../../src/kernel/math.ts";
import type { ResolvedOffer } from "../../src/scenario/resolved.ts";

export type OutageSpec = NonNullable<ResolvedOffer["outages"]>;

const STEP_H = 0.125;

function weekOf({ businessHours, otherWeekday, weekend }: OutageSpec["hazard"]): number[] {
  const raw = Array.from({ length: 168 }, (_, hour) =>
    hour >= 120 ? weekend : hour % 24 >= 13 && hour % 24 < 23 ? businessHours : otherWeekday,
  );
  const mean = raw.reduce((sum, factor) => sum + factor, 0) / 168;
  return raw.map((factor) => factor / mean);
}

/** Share of requests let through, at the middle of each hour of the week from Monday 00:00. `meanGapH`: of the Weibull law. */
export function impliedByHour(spec: OutageSpec, meanGapH: number): number[] {
  const factors = weekOf(spec.hazard);
  const { gapWeibullShape: k, gapWeibullScaleH: scale, durationLnHMean: mu, durationLnHSigma: sigma } = spec;
  const survival = (gap: number): number => Math.exp(-((gap / scale) ** k));
  const ages = Math.round(spec.durationMaxH / STEP_H);
  const lasts = Array.from({ length: ages + 1 }, (_, i) =>
    i === ages ? 0 : i === 0 ? 1 : 1 - normalCdf((Math.log(i * STEP_H) - mu) / sigma),
  );
  const weight = spec.severities.reduce((sum, severity) => sum + severity.weight, 0);
  const levels = spec.severities.toSorted((a, b) => a.errorFraction - b.errorFraction);
  const shares = levels.map(
    (_, j) => levels.slice(j).reduce((sum, severity) => sum + severity.weight, 0) / weight, // of outages at least as bad
  );
  return Array.from({ length: 168 }, (_, hour) => {
    // Warped time that has passed since each age.
    const warped = new Float64Array(ages + 1);
    for (let i = 1; i <= ages; i++) {
      const middle = hour + 0.5 - (i - 0.5) * STEP_H;
      warped[i] = warped[i - 1]! + STEP_H * factors[((Math.floor(middle) % 168) + 168) % 168]!;
    }
    const longer: Float64Array[] = Array.from({ length: ages + 1 }, (_, i) =>
      Float64Array.from({ length: ages + 1 - i }, (_, d) => survival(warped[i + d]! - warped[i]!)),
    );
    let lost = 0;
    levels.forEach(({ errorFraction }, j) => {
      const quiet = lasts.map((share) => 1 - shares[j]! * share);
      const psi = new Float64Array(ages + 1);
      psi[ages] = 1;
      for (let i = ages - 1; i >= 0; i--) {
        const row = longer[i]!;
        let sum = row[ages - i]!;
        for (let m = i + 2; m <= ages; m++)
          sum += (row[m - 1 - i]! - row[m - i]!) * 0.5 * (quiet[m - 1]! * psi[m - 1]! + quiet[m]! * psi[m]!);
        const first = 1 - row[1]!;
        sum += first * 0.5 * quiet[i + 1]! * psi[i + 1]!;
        psi[i] = sum / (1 - first * 0.5 * quiet[i]!);
      }
      let none = 1;
      for (let m = 1; m <= ages; m++) {
        const begun = ((warped[m]! - warped[m - 1]!) * 0.5 * (longer[0]![m - 1]! + longer[0]![m]!)) / meanGapH;
        none -= begun * (1 - 0.5 * (quiet[m - 1]! * psi[m - 1]! + quiet[m]! * psi[m]!));
      }
      const below = j === 0 ? 0 : levels[j - 1]!.errorFraction;
      lost += (errorFraction - below) * (1 - none);
    });
    return 1 - lost;
  });
}
