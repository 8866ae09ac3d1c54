/** Which class of the experiment each request of a recording belongs to, by the names in both. */
import type { Recording } from "../scenario/recorded-trace.ts";
import { NO_CLASS, type RequestClass } from "../scenario/resolved.ts";

/**
 * Index of the class by row, NO_CLASS for rows whose name is that of no class; null where the recording names none that the experiment has. A turn
 * without a name is of its session's class. `warn` is told what is drawn by the shares all the same.
 */
export function recordedClasses(
  { arrivalS, classNames, sessions }: Recording,
  classes: readonly Pick<RequestClass, "name" | "shareFraction">[],
  warn: (message: string) => void,
): Uint8Array | null {
  if (classNames === undefined || classes.length < 2) return null;
  const { codes, names } = classNames;
  const indexOf = names.map((name) => classes.findIndex((one) => one.name === name));
  const unknown = names.filter((_, code) => indexOf[code]! < 0);
  if (unknown.length === names.length) {
    warn(
      `the recording names the classes ${listed(names)}, which the experiment does not have: its classes are drawn by their shares`,
    );
    return null;
  }
  const found = new Uint8Array(new SharedArrayBuffer(arrivalS.length)).fill(NO_CLASS);
  const requests = classes.map(() => 0);
  const ofSession = codesOfSessions(codes, sessions, (code) => indexOf[code]! >= 0);
  let left = 0;
  for (let row = 0; row < found.length; row++) {
    const code = codes[row]! >= 0 || sessions === undefined ? codes[row]! : (ofSession.get(sessions[row]!) ?? -1);
    const index = code < 0 ? -1 : indexOf[code]!;
    if (index < 0) left++;
    else requests[(found[row] = index)]!++;
  }
  if (left > 0) {
    const why = unknown.length === 0 ? "name no class" : `name none of its classes (${listed(unknown)}, or nothing)`;
    warn(`${left} of ${found.length} requests of the recording ${why}: theirs are drawn by the shares`);
  }
  for (const [c, { name, shareFraction }] of classes.entries()) {
    const recorded = requests[c]! / (found.length - left);
    if (Math.abs(recorded - shareFraction) > SHARE_ALIKE)
      warn(
        `class ${name} has ${percent(recorded)} of the recorded requests, and a share of ${percent(shareFraction)}: what is sent is as recorded, but what is computed beforehand or said of shares goes by the experiment's`,
      );
  }
  return found;
}

/** What the first turn that names a class of the experiment says, by session. */
function codesOfSessions(
  codes: Int32Array,
  sessions: Uint32Array | undefined,
  isClass: (code: number) => boolean,
): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (let row = 0; sessions !== undefined && row < codes.length; row++)
    if (codes[row]! >= 0 && isClass(codes[row]!) && !found.has(sessions[row]!)) found.set(sessions[row]!, codes[row]!);
  return found;
}

/** Shares that are as good as equal. */
const SHARE_ALIKE = 0.01;
const LISTED = 5;

const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

function listed(names: readonly string[]): string {
  return names.length <= LISTED
    ? names.join(", ")
    : `${names.slice(0, LISTED).join(", ")} and ${names.length - LISTED} more`;
}
