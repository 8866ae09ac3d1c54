/** How clients retry: a profile of the catalogue with what the experiment file replaces of it. */
import type { ClientProfile } from "../scenario/resolved.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { ClientFile } from "./schema-dispatch.ts";

const PROFILE_FIELDS = [
  "maxRetries",
  "backoffInitialS",
  "backoffFactor",
  "backoffMaxS",
  "jitterFraction",
  "honorRetryAfter",
  "maxRetryAfterS",
  "attemptTimeoutS",
] as const;

const OWN_FIELDS = [
  "maxRetries",
  "maxRetryAfterS",
  "attemptTimeoutS",
  "deadlineS",
  "retryBudget",
  "abandonment",
] as const;

type Own = Exclude<ClientFile, string>;

/** Null when the profile is unknown. `at` is its path in the resolved experiment. */
export function resolveClient(resolution: Resolution, file: ClientFile, path: Path, at: string): ClientProfile | null {
  const own: Own = typeof file === "string" ? { profile: file } : file;
  const entry = resolution.find("clients", own.profile, typeof file === "string" ? path : [...path, "profile"]);
  if (entry === null) return null;
  resolution.from(at, `catalogue:clients/${entry.id}`);
  const fields = PROFILE_FIELDS.filter((field) => typeof entry[field] === "number" && !Object.hasOwn(own, field));
  resolution.useEntry("clients", entry, fields);
  for (const field of OWN_FIELDS) if (own[field] !== undefined) resolution.from(`${at}.${field}`, "file");
  const { maxRetries, maxRetryAfterS, attemptTimeoutS, deadlineS, retryBudget, abandonment } = own;
  return {
    name: entry.id,
    maxRetries: maxRetries ?? entry.maxRetries,
    backoffInitialS: entry.backoffInitialS,
    backoffFactor: entry.backoffFactor,
    backoffMaxS: entry.backoffMaxS,
    jitterFraction: entry.jitterFraction,
    honorRetryAfter: entry.honorRetryAfter,
    maxRetryAfterS: maxRetryAfterS === undefined ? entry.maxRetryAfterS : maxRetryAfterS,
    attemptTimeoutS: attemptTimeoutS === undefined ? entry.attemptTimeoutS : attemptTimeoutS,
    ...(deadlineS === undefined ? {} : { deadlineS }),
    ...(retryBudget === undefined ? {} : { retryBudget }),
    ...(abandonment === undefined ? {} : { abandonment }),
  };
}
