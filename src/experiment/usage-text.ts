/** What a usage export came to, in words for the experiment's file, and its weekly profile as a catalogue entry. */
import type { Season } from "./starter.ts";
import { weekWithShape, type UsageWorkload } from "./usage-workload.ts";

export interface UsageSource {
  /** Without its folder. */
  readonly file: string;
  readonly format: string;
}

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] as const;

/** One sentence a line. `ownSeason`: the profile of the export is used. */
export function usageComments(usage: UsageWorkload, { file, format }: UsageSource, ownSeason: boolean): string[] {
  const { growth, weekday, hourOfWeek, cachedShare, batchShare, models } = usage;
  const trend =
    growth === null
      ? "Growth: fewer than two weeks, taken as 0 (assumed)."
      : `Growth: ${percent(growth.perMonth)} a month (95 %: ${percent(growth.low)} to ${percent(growth.high)})${growth.sure ? "; the rate is that of the last day." : ", which may be none: taken as 0."}`;
  return [
    `Derived from ${file} (${format}): ${usage.days} days, ${usage.from} to ${usage.to}${models.length === 0 ? "" : `; ${models.join(", ")}`}.`,
    trend,
    ...(weekday === null
      ? ["Weekdays: fewer than two of each, the weekly profile is that of recorded chat traffic (assumed)."]
      : [
          `Level by weekday: ${weekday.map((level, day) => `${WEEKDAYS[day]} ${level.toFixed(2)}`).join(", ")}.`,
          ownSeason
            ? hourOfWeek === null
              ? "The weekly profile has these weekdays; hours within a day are those of recorded chat traffic (assumed)."
              : "The weekly profile is that of the hourly totals."
            : "A weekly profile below is that of recorded chat traffic (assumed); --models DIR writes one of your own.",
        ]),
    ...(cachedShare === 0
      ? []
      : [
          `${percent(cachedShare)} of input tokens were read from the provider's cache; this experiment reckons without caches.`,
        ]),
    ...(batchShare === 0 ? [] : [`${percent(batchShare)} of tokens went through a batch interface and are left out.`]),
    "Assumed, because totals do not show it: how lengths spread, how requests cluster within the hour, the restricted share.",
  ];
}

/** The export's weekly profile as `seasons/ID.yaml`; null where it shows no week. */
export function usageSeason(
  usage: UsageWorkload,
  shipped: Season,
  { file }: UsageSource,
): (Season & { readonly name: string; source: string; asOf: string; kind: "fitted"; note: string }) | null {
  const { weekday, hourOfWeek } = usage;
  const profile = hourOfWeek ?? (weekday === null ? null : weekWithShape(weekday, shipped.hourOfWeek));
  if (profile === null) return null;
  const hours =
    hourOfWeek === null ? `The hours within a day are those of ${shipped.id} (assumed).` : "From hourly totals.";
  return {
    id: `${slug(file)}-week`,
    name: `Weekly profile of ${file}`,
    source: `totals of ${file}, ${usage.days} days from ${usage.from} to ${usage.to}`,
    asOf: usage.to,
    kind: "fitted",
    note: hours,
    hourOfWeek: profile,
  };
}

/** A file's name as an id of the catalogue. */
function slug(file: string): string {
  const words = file
    .toLowerCase()
    .replace(/\.csv$/, "")
    .split(/[^a-z0-9]+/);
  return words.filter((word) => word !== "").join("-") || "usage";
}

function percent(fraction: number): string {
  return `${Number((100 * fraction).toFixed(1))} %`;
}
