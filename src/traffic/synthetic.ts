/** Open synthetic traffic: one stream, or many clients, or jobs of many requests. See `stream-cursor.ts` for its rules. */
import type { SyntheticTraffic } from "../scenario/resolved.ts";
import { ClientsCursor } from "./clients.ts";
import { IntensityPath, type Intensity } from "./intensity.ts";
import { JobsCursor, meanJobSize } from "./jobs.ts";
import { trafficStream, type OpenTrafficOptions } from "./options.ts";
import { rateCurve } from "./rate.ts";
import { drawnShape, type RateShape } from "./rate-shape.ts";
import { StreamCursor } from "./stream-cursor.ts";
import { exponentialStays, lognormalStays, SwitchedPath } from "./switched-path.ts";
import type { Traffic } from "./traffic.ts";

/** Opens the traffic of `spec`; the cursor stands at the first arrival. */
export function syntheticTraffic(spec: SyntheticTraffic, options: OpenTrafficOptions): Traffic {
  const { jobs, clients } = spec.burst;
  const shape = drawnShape(spec.factors, options);
  if (jobs !== undefined) {
    const one = { kind: "constant", tokens: 1 } as const;
    const submissions = { ...spec, meanRatePerS: spec.meanRatePerS / meanJobSize(jobs), input: one, output: one };
    return new JobsCursor(spec, jobs, options, streamOf(submissions, options, shape, false));
  }
  if (clients === undefined) return streamOf(spec, options, shape, false);
  return new ClientsCursor(spec, clients, options, (client, own, isIntermittent) =>
    streamOf(client, own, shape, isIntermittent),
  );
}

function streamOf(
  spec: SyntheticTraffic,
  options: OpenTrafficOptions,
  shape: RateShape | null,
  isIntermittent: boolean,
): Traffic {
  const { components, switching, clients } = spec.burst;
  let intensity: Intensity = new IntensityPath(
    rateCurve(spec, options.startEpochS, shape),
    components,
    -options.warmupS,
    options.offsetS ?? 0,
    trafficStream(options, "intensity"),
  );
  if (switching !== undefined)
    intensity = new SwitchedPath(intensity, exponentialStays(switching), trafficStream(options, "switching"));
  if (isIntermittent && clients?.intermittent) {
    const { onMedianS, onSigma, offMedianS, offSigma } = clients.intermittent;
    const stays = lognormalStays(onMedianS, onSigma, offMedianS, offSigma);
    intensity = new SwitchedPath(intensity, stays, trafficStream(options, "presence"));
  }
  return new StreamCursor(spec, options, intensity);
}
