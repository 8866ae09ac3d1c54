/** Entries of running one's own replicas: places, incidents, starts, teams and what people cost. */
import { z } from "zod";
import { Id, common, count, fraction, nonNegative, positive } from "./entry.ts";
import { rowOriginShape } from "./origin.ts";

const lognormalS = z.strictObject({ medianS: positive, sigma: nonNegative });

/** Building blocks (`node_failure`, `repair`, `engine_crash`) and presets that name one of each. */
export const IncidentEntry = z.discriminatedUnion("type", [
  z.strictObject({
    ...common,
    type: z.literal("node_failure"),
    failuresPerNodeDay: nonNegative,
    gpus: z.array(Id).describe("GPUs whose nodes this rate is for"),
  }),
  z.strictObject({ ...common, type: z.literal("repair"), time: lognormalS }),
  z.strictObject({ ...common, type: z.literal("engine_crash"), crashesPerReplicaDay: nonNegative }),
  z.strictObject({
    ...common,
    type: z.literal("preset"),
    nodeFailure: z.array(Id).describe("node_failure entries; the first that lists the GPU holds, else the first"),
    nodeRepair: z.strictObject({ private_vpc: Id, dedicated_managed: Id, onprem: Id }),
    engineCrash: Id.nullable(),
    engineRestart: Id,
  }),
]);

export const ColdStartEntry = z.strictObject({
  ...common,
  name: z.string(),
  loaderGBps: positive.describe("weights into the engine, after any download"),
  downloadGBps: positive.nullable().describe("weights from the network before loading; null = on local disk already"),
  engineInitS: nonNegative,
  transformS: nonNegative,
  compileS: nonNegative,
  graphCaptureS: nonNegative,
  nodeBootS: nonNegative.describe("a new node until its driver is up"),
  imageGB: nonNegative,
  imagePullGBps: positive,
  anchors: z
    .array(
      z.strictObject({
        what: z.string(),
        part: z.enum(["restart", "provision", "total"]),
        weightsGB: positive,
        lowS: nonNegative,
        highS: positive.nullable().describe("null = and more"),
        ...rowOriginShape,
      }),
    )
    .default([])
    .describe("published times that the formula must reproduce"),
});

export const PlaceEntry = z.strictObject({
  ...common,
  name: z.string(),
  boundaryLevel: z.int().min(0).max(7),
  residency: z.string(),
  networkS: nonNegative.describe("client ↔ pool round trip"),
});

const Level = z.int().min(0).max(4);

export const TeamEntry = z.strictObject({
  ...common,
  name: z.string(),
  levels: z.strictObject({
    platform: Level,
    gpu_capacity: Level,
    observability: Level,
    release: Level,
    incident_coverage: Level,
    perf_engineering: Level,
  }),
});

/** One dimension of a team: what can be observed at levels 0–4, and what each level does in the simulation. */
export const TeamLevelEntry = z.strictObject({
  ...common,
  anchors: z.array(z.string()).length(5),
  mechanisms: z
    .record(z.string(), z.array(z.number().nullable()).length(5))
    .describe("value at levels 0–4; null = explained in the note"),
});

const ByLevel = z.array(positive).length(5);

/**
 * Constants of the people formula: opsHours a month = hoursPerIncident·incidents + releaseHours·releases + upgradeHours·upgrades
 * + nodeHours·nodes + fixedHours; fte = max(minFte, opsHours / (operationalFraction·hoursPerFteMonth)).
 */
export const PeopleEntry = z.strictObject({
  ...common,
  hoursPerIncident: positive,
  releaseHoursByReleaseLevel: ByLevel,
  upgradeHoursByPerfLevel: ByLevel,
  minFteByPlatformLevel: ByLevel,
  nodeHoursPerMonth: nonNegative,
  fixedHoursPerMonth: nonNegative,
  operationalFraction: fraction,
  hoursPerFteMonth: positive,
  rota24x7: z.strictObject({ peopleOneSite: count, peoplePerSiteTwoSites: count, maxIncidentsPer12hShift: count }),
  loadedUsdPerYear: z.record(
    z.string(),
    z.strictObject({ low: positive.nullable(), typical: positive, high: positive.nullable() }),
  ),
});
