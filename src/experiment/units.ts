/** Units and plain names of fields, read off their names: units stand last, so the longest known ending is the unit. */

const ENDINGS: readonly (readonly [ending: string, unit: string])[] = [
  ["GBpsPerDirection", "GB/s per direction"],
  ["UsdPerGpuHour", "USD/GPU-h"],
  ["UsdPerMTok", "USD/Mtok"],
  ["UsdPerYear", "USD/year"],
  ["PerReplicaDay", "per replica and day"],
  ["PerNodeDay", "per node and day"],
  ["MsPerLayer", "ms/layer"],
  ["MsPerSeq", "ms/sequence"],
  ["SPerKTok", "s/1,000 tokens"],
  ["HoursPerMonth", "h/month"],
  ["PerMonth", "1/month"],
  ["TokensPerS", "tokens/s"],
  ["RatePerS", "1/s"],
  ["RequestsPerS", "1/s"],
  ["PerMin", "1/min"],
  ["Fraction", "fraction"],
  ["Probability", "fraction"],
  ["Tflops", "TFLOPS"],
  ["Tokens", "tokens"],
  ["Params", "parameters"],
  ["GBps", "GB/s"],
  ["Minutes", "min"],
  ["Days", "days"],
  ["Level", "level"],
  ["Hours", "h"],
  ["Fte", "FTE"],
  ["GiB", "GiB"],
  ["GB", "GB"],
  ["Ms", "ms"],
  ["S", "s"],
  ["H", "h"],
];

/** Unit of a field, dotted path allowed: of its last part that has one; "" for a pure number or a name. */
export function fieldUnit(path: string): string {
  const units = path.split(".").map((part) => split(part).unit);
  return units.reverse().find((unit) => unit !== "") ?? "";
}

/** `memoryBandwidthGBps` → "memory bandwidth", `burst.gapCv` → "burst gap cv". */
export function fieldLabel(path: string): string {
  const words = path.split(".").map((part) => split(part).stem.replace(/([a-z0-9])([A-Z])/g, "$1 $2"));
  return words.join(" ").toLowerCase().trim();
}

function split(name: string): { readonly stem: string; readonly unit: string } {
  // `minFteByPlatformLevel` is a number of FTE: what follows "By" only says of what it depends.
  const [quantity = name, by] = name.split(/By(?=[A-Z])/);
  const rest = by === undefined ? "" : `By${by}`;
  for (const [ending, unit] of ENDINGS) {
    const whole = quantity.toLowerCase() === ending.toLowerCase();
    // A one-letter ending counts after a small letter only: `ttftS`, but not `TLS`.
    if (!whole && !(quantity.endsWith(ending) && /[a-z0-9]$/.test(quantity.slice(0, -ending.length)))) continue;
    return { stem: (whole ? quantity : quantity.slice(0, -ending.length)) + rest, unit };
  }
  return { stem: name, unit: "" };
}
