/** A calibration as plain text for a terminal: what was compared, what was learned, what was not, and whether it helps. */
import type { Calibration, ErrorsByFamily, ParameterEstimate } from "./calibrate.ts";
import { FORMATS } from "./benchmark-run.ts";
import { FAMILIES } from "./observations.ts";

/** Correlations above it are named: the runs tell the two apart badly. */
const CORRELATED = 0.8;
/** A condition number above it is rounding. */
const SINGULAR = 1e9;

export function calibrationText(calibration: Calibration): string {
  const { target, runs, parameters } = calibration;
  const lines = [
    `${target.model} ${target.weightDtype} on ${target.tensorParallelSize} × ${target.gpu}, ${target.engine} ${target.engineVersion}, times of the ${target.clock}`,
    `prior: engine profile ${target.profile}, coefficient set ${target.priorSet}`,
    `engine: at most ${target.maxNumSeqs} sequences and ${target.maxNumBatchedTokens} tokens a step, ${target.kvBlocks} KV blocks`,
    "",
    "RUNS",
    ...runs.map(runLine),
    "",
    "CONSTANTS (± 95 %, prior and runs together)",
    row(["", "prior", "fitted", "from", "to", "moved", "sd left", ""]),
    ...parameters.map(parameterLine),
    "",
    ...identifiabilityLines(calibration),
    "",
    "ERRORS, absolute: median / mean, before → after",
    ...errorLines("everything, as fitted", calibration.fitted),
    ...(calibration.heldOut === null
      ? ["  held out: nothing, there is too little to hold any out"]
      : errorLines(`held out, under a fit to the rest: ${calibration.heldOut.what}`, calibration.heldOut)),
  ];
  if (calibration.warnings.length > 0) lines.push("", "WARNINGS", ...calibration.warnings.map((line) => `  ${line}`));
  return lines.join("\n") + "\n";
}

function runLine({ id, format, requests, compared, load, dropped }: Calibration["runs"][number]): string {
  const left = Object.entries(dropped).map(([reason, count]) => `, ${count} left out (${reason})`);
  const how = compared === "requests" ? "request by request" : "by means and medians";
  return `  ${id}: ${FORMATS[format]}; ${requests} requests, ${load}, compared ${how}${left.join("")}`;
}

function row(cells: readonly string[]): string {
  const [name = "", ...numbers] = cells;
  const last = numbers.pop() ?? "";
  return `  ${name.padEnd(16)}${numbers.map((cell) => cell.padStart(10)).join("")}  ${last}`.trimEnd();
}

function parameterLine(one: ParameterEstimate): string {
  const moved = `${one.movedPriorSd < 0 ? "−" : "+"}${Math.abs(one.movedPriorSd).toFixed(1)} sd`;
  return row([
    one.name,
    ...[one.prior, one.estimate, one.low, one.high].map(figure),
    moved,
    `${(one.sdRatio * 100).toFixed(0)} %`,
    one.identified + (one.atBound ? ", at the end of its range" : ""),
  ]);
}

function identifiabilityLines({
  parameters,
  correlation,
  informationEigenvalues,
  conditionNumber,
}: Calibration): string[] {
  const learned = informationEigenvalues.filter((value) => value > 1).length;
  const condition = conditionNumber === null || conditionNumber > SINGULAR ? "without bound" : figure(conditionNumber);
  const pairs = parameters.flatMap((one, i) =>
    parameters.slice(i + 1).flatMap((other, k) => {
      const value = correlation[i]![i + 1 + k]!;
      return Math.abs(value) > CORRELATED ? [`${one.name} and ${other.name} (${value.toFixed(2)})`] : [];
    }),
  );
  return [
    `The runs know more than the prior in ${learned} of ${parameters.length} directions; condition number ${condition}.`,
    ...(pairs.length === 0 ? [] : [`Hard to tell apart: ${pairs.join(", ")}.`]),
    ...parameters.flatMap(({ name, wanted, identified }) =>
      wanted === null ? [] : [`${name}: ${identified}. What would: ${wanted}.`],
    ),
  ];
}

function errorLines(
  title: string,
  errors: { readonly before: ErrorsByFamily; readonly after: ErrorsByFamily },
): string[] {
  return [
    `  ${title}`,
    ...FAMILIES.flatMap((family) => {
      const before = errors.before[family];
      const after = errors.after[family];
      if (before === undefined || after === undefined) return [];
      const cell = ({ medianAbs, mape }: typeof before): string => `${percent(medianAbs)} / ${percent(mape)}`;
      return [
        `    ${family.toUpperCase().padEnd(5)} ${cell(before)} → ${cell(after)}, bias ${signed(before.bias)} → ${signed(after.bias)}, n = ${before.n}`,
      ];
    }),
  ];
}

export function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(1)} %`;
}

function signed(fraction: number): string {
  return `${fraction < 0 ? "−" : "+"}${percent(Math.abs(fraction))}`;
}

/** Three digits, as few as say them. */
export function figure(value: number): string {
  return String(Number(value.toPrecision(3)));
}
