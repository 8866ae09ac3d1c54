/**
 * What a form costs beyond the tokens: units that are paid used or not, and commitments. For each calendar month two views:
 * `usd` spreads what was bought over the hours it covers (amortized), `billedUsd` stands where it is paid (cash). USD, tokens,
 * times in simulated seconds from t = 0. Only what falls within the horizon is booked: a year paid in advance costs a day's
 * share of it in the first view and all of it in the second.
 */
import type { ReservedSpend } from "../limits/money.ts";
import type { CommittedForm, ProvisionedForm, ResolvedForm, TermPrice, UnitThroughput } from "../../scenario/forms.ts";

/** The month of monthly prices, hours. */
const MONTH_H = 730;

/** One calendar month of a run, as far as the run reaches into it, with what the offer's requests used and cost in it. */
export interface ChargedMonth {
  readonly fromS: number;
  readonly toS: number;
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly writtenTokens: number;
  readonly outputTokens: number;
  readonly usageUsd: number;
}

/** A line of the ledger beside those of the tokens. FOCUS: ChargeCategory, CommitmentDiscountStatus. */
export interface FormCharge {
  readonly line: string;
  readonly quantity: number;
  readonly unit: string;
  readonly usd: number;
  readonly billedUsd: number;
  readonly category: "Usage" | "Purchase";
  readonly commitment: "Used" | "Unused" | null;
}

export interface MonthCharges {
  readonly charges: readonly FormCharge[];
  /** Of what the tokens cost, the share that is paid apart from what was paid in advance. */
  readonly usageBilledFraction: number;
}

const NONE: MonthCharges = { charges: [], usageBilledFraction: 1 };

/** The charges of one month; `deployedFromS` is when provisioned units began to serve. */
export function formCharges(form: ResolvedForm | undefined, month: ChargedMonth, deployedFromS: number): MonthCharges {
  if (form?.kind === "provisioned") return { ...NONE, charges: provisionedCharges(form, month, deployedFromS) };
  if (form?.kind === "committed") return committedCharges(form, month);
  return NONE;
}

/** Share of the capacity of the units that the tokens of a month took, at most 1; of what is sold apart, the fuller part. */
export function utilizationFraction(
  throughputs: readonly UnitThroughput[],
  month: Omit<ChargedMonth, "usageUsd">,
): number {
  const minutes = (month.toS - month.fromS) / 60;
  const shares = throughputs.map((part) => {
    const tokens =
      part.uncachedWeight * (month.inputTokens + month.writtenTokens) +
      part.cachedWeight * month.cachedTokens +
      part.outputWeight * month.outputTokens;
    return tokens / (part.units * part.tokensPerMinPerUnit * minutes);
  });
  return minutes > 0 ? Math.min(1, Math.max(...shares)) : 0;
}

function provisionedCharges(form: ProvisionedForm, month: ChargedMonth, deployedFromS: number): FormCharge[] {
  const { fromS, toS } = month;
  const charges: FormCharge[] = [];
  const used = utilizationFraction(form.throughputs, month);
  const capacity = (unitHours: number, usd: number, billedUsd: number): void => {
    for (const [line, commitment, share] of [
      ["provisioned-used", "Used", used],
      ["provisioned-unused", "Unused", 1 - used],
    ] as const)
      charges.push({
        line,
        quantity: unitHours * share,
        unit: "unit-hour",
        usd: usd * share,
        billedUsd: billedUsd * share,
        category: "Usage",
        commitment,
      });
  };
  if (form.reserved !== null) {
    const unitHours = (form.reservedUnits * (toS - fromS)) / 3600;
    capacity(unitHours, (unitHours * form.reserved.usdPerUnit) / form.reserved.paidEveryH, 0);
    const payments = paymentsIn(form.reserved.paidEveryH, fromS, toS);
    if (payments > 0)
      charges.push({
        line: "provisioned-purchase",
        quantity: payments * form.reservedUnits,
        unit: `unit for ${form.reserved.paidEveryH} h`,
        usd: 0,
        billedUsd: payments * form.reservedUnits * form.reserved.usdPerUnit,
        category: "Purchase",
        commitment: null,
      });
  }
  if (form.hourly !== null) {
    const unitHours = (form.units - form.reservedUnits) * billedHours(Math.max(fromS, deployedFromS), toS);
    const usd = unitHours * form.hourly.usdPerUnit;
    capacity(unitHours, usd, usd);
  }
  return charges;
}

/** Started minutes between two times, in hours; over neighbouring periods they add up. */
function billedHours(fromS: number, toS: number): number {
  // The ends of months are sums of hours: what exceeds a minute by rounding alone is no started one.
  const started = (timeS: number): number => Math.ceil(timeS / 60 - 1e-9);
  return fromS >= toS ? 0 : (started(toS) - started(fromS)) / 60;
}

/** Payments due in [fromS, toS): one at t = 0, then one at the start of every period. */
function paymentsIn(everyH: TermPrice["paidEveryH"], fromS: number, toS: number): number {
  const dueBefore = (timeS: number): number => Math.ceil(timeS / (everyH * 3600) - 1e-9);
  return dueBefore(toS) - dueBefore(fromS);
}

/** Usage counts against the commitment month by month; what falls short of it is paid too. */
function committedCharges(form: CommittedForm, month: ChargedMonth): MonthCharges {
  const { fromS, toS, usageUsd } = month;
  const dueUsd = (form.usdPerMonth * (toS - fromS)) / 3600 / MONTH_H;
  const shortUsd = Math.max(0, dueUsd - usageUsd);
  const prepaid = form.prepaidMonths > 0;
  const charges: FormCharge[] = [];
  if (shortUsd > 0)
    charges.push({
      line: "commitment-shortfall",
      quantity: shortUsd,
      unit: "USD",
      usd: shortUsd,
      billedUsd: prepaid ? 0 : shortUsd,
      category: "Usage",
      commitment: "Unused",
    });
  if (!prepaid) return { charges, usageBilledFraction: 1 };
  const payments = paymentsIn(form.prepaidMonths * MONTH_H, fromS, toS);
  if (payments > 0)
    charges.push({
      line: "commitment-purchase",
      quantity: payments * form.prepaidMonths,
      unit: "month",
      usd: 0,
      billedUsd: payments * form.prepaidMonths * form.usdPerMonth,
      category: "Purchase",
      commitment: null,
    });
  return { charges, usageBilledFraction: usageUsd > dueUsd ? 1 - dueUsd / usageUsd : 0 };
}

/** Spend that is paid in advance for every minute, used or not. The months must be asked for in their order. */
export function reservedTerms(spend: Pick<ReservedSpend, "usdPerMin" | "coveredUsd">): {
  readonly committed: boolean;
  readonly charge: (month: ChargedMonth) => MonthCharges;
} {
  let restUsd = spend.coveredUsd;
  return {
    committed: true,
    charge: ({ fromS, toS }) => {
      const minutes = (toS - fromS) / 60;
      const paidUsd = minutes * spend.usdPerMin;
      // What was covered is known of the whole run: it fills the months from the first.
      const usedUsd = Math.min(paidUsd, restUsd);
      restUsd -= usedUsd;
      const lines = [
        ["reserved-used", "Used", usedUsd],
        ["reserved-unused", "Unused", paidUsd - usedUsd],
      ] as const;
      return {
        ...NONE,
        charges: lines.map(([line, commitment, usd]): FormCharge => ({
          line,
          quantity: usd / spend.usdPerMin,
          unit: "minute",
          usd,
          billedUsd: usd,
          category: "Usage",
          commitment,
        })),
      };
    },
  };
}
