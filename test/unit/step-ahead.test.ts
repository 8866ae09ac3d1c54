import { expect, test } from "vitest";
import { EngineMeter, type ReplicaSink } from "../../src/engine/meter.ts";
import { PolicyReplica } from "../../src/engine/policy-replica.ts";
import { Replica } from "../../src/engine/replica.ts";
import type { ReplicaEngine } from "../../src/engine/replica-engine.ts";
import { RequestTable } from "../../src/engine/request-table.ts";
import { DEFAULT_SCHEDULER, type SchedulerSpec } from "../../src/engine/scheduler-spec.ts";
import type { EngineSpec } from "../../src/engine/spec.ts";
import { withStepAhead } from "../../src/engine/step-ahead.ts";
import type { StepTime } from "../../src/engine/step-time.ts";
import { stream } from "../../src/kernel/random.ts";
import { Sketch } from "../../src/kernel/sketch.ts";

const SPEC: EngineSpec = {
  engine: "vllm",
  engineVersion: "",
  weightDtype: "bf16",
  kvDtype: "bf16",
  tensorParallelSize: 1,
  maxNumSeqs: 8,
  maxNumBatchedTokens: 64,
  longPrefillTokenThreshold: 0,
  gpuMemoryUtilization: 0.9,
  blockTokens: 16,
  kvBlocks: 200,
  maxModelLen: 4096,
  tpreMsPerLayer: 0,
  schedulesAhead: true,
  apiOverheadMs: 0,
};

/** A decode step takes a second and a millisecond for each token of context, one with prefill two seconds. */
function stepTime(perContextTokenS: number): StepTime {
  return { decodeBaseS: new Float64Array(9).fill(1), perContextTokenS, mixedS: () => 2 };
}

interface Request {
  readonly atS: number;
  readonly input: number;
  readonly output: number;
  readonly givesUpS?: number;
}

type Kind = "leap" | "walk";

/** First and last token of each request, seconds; NaN of those that have none. */
function run(
  requests: readonly Request[],
  { kind = "leap" as Kind, ahead = true, perContextTokenS = 0, failS = Infinity, scheduler = DEFAULT_SCHEDULER } = {},
): { readonly first: number[]; readonly last: number[]; readonly lost: number[]; readonly dropped: number[] } {
  const table = new RequestTable();
  const first = requests.map(() => NaN);
  const last = requests.map(() => NaN);
  const lost: number[] = [];
  const dropped: number[] = [];
  /** Slot of each request that is in the replica, −1 for others. */
  const slots = requests.map(() => -1);
  const ends = (slot: number, list: number[] = []): void => {
    list.push(table.ordinal[slot]!);
    slots[table.ordinal[slot]!] = -1;
  };
  const sink: ReplicaSink = {
    completed(slot) {
      ends(slot);
      first[table.ordinal[slot]!] = table.firstTokenS[slot]!;
      last[table.ordinal[slot]!] = table.lastTokenS[slot]!;
    },
    dropped: (slot) => ends(slot, dropped),
    lost: (slot) => ends(slot, lost),
  };
  const spec = { ...SPEC, schedulesAhead: ahead };
  const meter = new EngineMeter([new Sketch()]);
  const times = stepTime(perContextTokenS);
  const classes = [{ priority: 0, ttftS: null }];
  const inner: ReplicaEngine =
    kind === "leap"
      ? new Replica(spec, times, table, sink, meter, 1)
      : new PolicyReplica(
          { spec, scheduler, stepTime: times, classes, luckKey: 0, content: null, walk: true },
          table,
          sink,
          meter,
        );
  const replica = withStepAhead(inner, spec, scheduler, table, sink.lost);
  let next = 0;
  let failed = false;
  for (;;) {
    const gives = requests.map(({ givesUpS }, i) => (slots[i]! >= 0 && givesUpS !== undefined ? givesUpS : Infinity));
    const giveUpS = Math.min(Infinity, ...gives);
    const nowS = Math.min(replica.dueS, requests[next]?.atS ?? Infinity, giveUpS, failed ? Infinity : failS);
    if (nowS === Infinity) return { first, last, lost, dropped };
    if (nowS === failS && !failed) {
      failed = true;
      replica.fail(nowS);
      continue;
    }
    if (replica.dueS === nowS && !replica.atBoundary) replica.finish();
    for (; requests[next]?.atS === nowS; next++) {
      const slot = table.take();
      const { input, output } = requests[next]!;
      slots[next] = slot;
      table.ordinal[slot] = next;
      table.classIndex[slot] = 0;
      table.attemptS[slot] = nowS;
      table.inputTokens[slot] = input;
      table.outputTokens[slot] = table.maxOutputTokens[slot] = output;
      replica.enqueue(slot);
    }
    if (giveUpS === nowS) {
      const i = gives.indexOf(nowS);
      if (replica.cancel(slots[i]!, nowS)) dropped.push(i);
      slots[i] = -1;
    }
    if (replica.atBoundary && replica.dueS === nowS) replica.form();
  }
}

const LONG = { atS: 0, input: 16, output: 20 };

test("who comes during a step joins the step after the next", () => {
  const late = { atS: 4.5, input: 16, output: 2 };
  // Steps end at 2, 3, 4, 5 …; a step with a prompt takes two seconds.
  expect(run([LONG, late], { ahead: false })).toMatchObject({ first: [2, 7], last: [22, 8] });
  expect(run([LONG, late])).toMatchObject({ first: [2, 8], last: [22, 9] });
  // Exactly at a boundary the step that begins there is formed already.
  expect(run([LONG, { ...late, atS: 5 }]).first).toEqual([2, 8]);
});

test("an engine with nothing else to run takes it at once", () => {
  const short = { atS: 0, input: 16, output: 3 };
  expect(run([short]).last).toEqual([4]);
  expect(run([short, { atS: 3.5, input: 16, output: 1 }]).first).toEqual([2, 6]);
  expect(run([short, { atS: 9, input: 16, output: 1 }]).first).toEqual([2, 11]);
  // Of two that find it empty both are in the first step.
  expect(run([short, { ...short }]).first).toEqual([2, 2]);
});

test("leaping gives the times of walking every step", () => {
  for (let seed = 0; seed < 40; seed++) {
    const luck = stream(`ahead/${seed}`, 0, "requests");
    let atS = 0;
    const requests = Array.from({ length: 60 }, () => {
      atS += luck() < 0.2 ? 0 : luck() * 8;
      const gives = luck() < 0.15 ? { givesUpS: atS + luck() * 30 } : {};
      return { atS, input: 1 + Math.floor(luck() * 90), output: 1 + Math.floor(luck() * 40), ...gives };
    });
    const options = { perContextTokenS: 0.001, failS: seed % 4 === 0 ? atS / 2 : Infinity };
    const leapt = run(requests, { ...options, kind: "leap" });
    const walked = run(requests, { ...options, kind: "walk" });
    expect(leapt.dropped, `seed ${seed}`).toEqual(walked.dropped);
    expect([...leapt.lost].sort()).toEqual([...walked.lost].sort());
    const rounded = (times: number[]): number[] => times.map((s) => Math.round(s * 1e6));
    expect(rounded(leapt.first), `seed ${seed}`).toEqual(rounded(walked.first));
    expect(rounded(leapt.last), `seed ${seed}`).toEqual(rounded(walked.last));
  }
});

test("who gives up or is lost before the step that it would join is gone", () => {
  const late = { atS: 4.5, input: 16, output: 2, givesUpS: 4.8 };
  expect(run([LONG, late])).toMatchObject({ dropped: [1], last: [21, NaN] });
  expect(run([LONG, { ...late, givesUpS: 99 }], { failS: 4.7 }).lost).toEqual([0, 1]);
});

test("policies that may rest, and replicas that hand on, form their steps when they are due", () => {
  const table = new RequestTable();
  const sink: ReplicaSink = { completed: () => {}, dropped: () => {}, lost: () => {} };
  const replica = new Replica(SPEC, stepTime(0), table, sink, new EngineMeter([new Sketch()]), 1);
  const wrapped = (scheduler: SchedulerSpec): boolean =>
    withStepAhead(replica, SPEC, scheduler, table, sink.lost) !== replica;
  expect(wrapped(DEFAULT_SCHEDULER)).toBe(true);
  expect(wrapped({ ...DEFAULT_SCHEDULER, batching: { name: "static", options: {} } })).toBe(false);
  expect(wrapped({ ...DEFAULT_SCHEDULER, role: "decode" })).toBe(false);
});
