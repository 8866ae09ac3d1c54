/** Runs the requests of a recorded case through replicas of the engine. Engine-clock times, seconds. */
import { HandOffs, NOBODY } from "../../engine/hand-offs.ts";
import { EngineMeter, type ReplicaSink } from "../../engine/meter.ts";
import { PolicyReplica } from "../../engine/policy-replica.ts";
import { type PromptContent, sharedContent } from "../../engine/prompt-content.ts";
import { Replica } from "../../engine/replica.ts";
import { handOffEngine, type ReplicaEngine } from "../../engine/replica-engine.ts";
import { RequestTable } from "../../engine/request-table.ts";
import { isPlain, type SchedulerSpec } from "../../engine/scheduler-spec.ts";
import { withStepAhead } from "../../engine/step-ahead.ts";
import { routerNamed } from "../../fleet/routers/registry.ts";
import type { RouterView } from "../../fleet/routers/router.ts";
import { EventHeap } from "../../kernel/event-heap.ts";
import { stream } from "../../kernel/random.ts";
import { Sketch } from "../../kernel/sketch.ts";
import type { CaseArrivals } from "./arrivals.ts";
import { GapSketch } from "./gaps.ts";
import type { CaseSimulator, ServingPool } from "./serve.ts";

/** Replicas of one kind and the router in front of them. */
interface Front {
  readonly all: readonly ReplicaEngine[];
  readonly first: number;
  pick(request: number): number;
}

export const simulateCase: CaseSimulator = (input) => {
  const { arrivals, scheduler, handOff, gapGroups = null } = input;
  const size = arrivals.arrivalS.length;
  const sentS = new Float64Array(size).fill(NaN);
  const firstTokenS = new Float64Array(size).fill(NaN);
  const lastTokenS = new Float64Array(size).fill(NaN);
  const table = new RequestTable();
  const inFlight = new Int32Array(input.replicas + (handOff?.replicas ?? 0));
  const line = new Line(arrivals);
  const onWay = new EventHeap();
  const handOffs = new HandOffs(input.replicas);
  let nowS = 0;
  const sink: ReplicaSink = {
    completed(slot) {
      const request = table.ordinal[slot];
      firstTokenS[request] = table.firstTokenS[slot];
      lastTokenS[request] = table.lastTokenS[slot];
      inFlight[table.replica[slot]]--;
      table.release(slot);
      line.ended(request);
    },
    dropped: (slot) => table.release(slot),
    lost: (slot) => table.release(slot),
    prefilled(slot) {
      const replica = table.replica[slot];
      inFlight[replica]--;
      const { latencyS, sPerToken } = handOff!;
      const leftS = handOffs.send(slot, replica, nowS, sPerToken * table.inputTokens[slot]);
      onWay.push(leftS + latencyS, 0, slot, 0);
    },
    tookOver(slot) {
      const replica = handOffs.settle(slot);
      if (replica !== NOBODY) handOffEngine(entry.all[replica]!).letGo(slot, nowS);
    },
  };
  // Requests of one group are one class to the engine: all classes are alike but for whose gaps are counted where.
  const classes = gapGroups?.size ?? 1;
  const gaps = gapGroups === null ? null : Array.from({ length: classes }, () => new GapSketch());
  const meter = new EngineMeter(gaps ?? [new Sketch()]);
  const front = (pool: ServingPool, first: number, role: SchedulerSpec["role"]): Front => {
    const { engine, stepTime, replicas, router: routing } = pool;
    const own: SchedulerSpec = { ...scheduler, role };
    const make = (): ReplicaEngine => {
      if (isPlain(own)) return new Replica(engine, stepTime, table, sink, meter, classes);
      const content = promptContent(arrivals, engine.blockTokens);
      const traits = Array.from({ length: classes }, () => ({ priority: 0, ttftS: null }));
      const rest = { classes: traits, luckKey: 0, walk: false };
      return new PolicyReplica({ spec: engine, scheduler: own, stepTime, content, ...rest }, table, sink, meter);
    };
    const create = (): ReplicaEngine => withStepAhead(make(), engine, own, table, sink.lost);
    const plugin = routerNamed(routing.name);
    if (plugin === undefined) throw new RangeError(`no router is named ${routing.name}`);
    const router = plugin.create(
      routing.options,
      stream("validate", 0, role === "decode" ? "router/decode" : "router"),
    );
    let session = 0;
    const view: RouterView = {
      count: () => replicas,
      inFlight: (i) => inFlight[first + i]!,
      replica: (i) => i,
      session: () => session,
    };
    return {
      all: Array.from({ length: replicas }, create),
      first,
      pick: (request) => {
        session = arrivals.content?.sessionStream[request] ?? request;
        return replicas === 1 ? 0 : router.route(view);
      },
    };
  };
  const entry = front(input, 0, handOff === null ? "both" : "prefill");
  const next = handOff === null ? null : front(handOff, input.replicas, "decode");
  const all = [...entry.all, ...(next?.all ?? [])];

  const enter = (slot: number, { first, pick }: Front): number => {
    const replica = first + pick(table.ordinal[slot]);
    table.attemptS[slot] = nowS;
    table.replica[slot] = replica;
    inFlight[replica]++;
    return replica;
  };
  const send = (request: number): void => {
    const slot = table.take();
    table.ordinal[slot] = request;
    table.classIndex[slot] = gapGroups === null ? 0 : gapGroups.groupOf[request];
    table.inputTokens[slot] = arrivals.inputTokens[request];
    table.outputTokens[slot] = arrivals.outputTokens[request];
    table.maxOutputTokens[slot] = arrivals.outputTokens[request];
    sentS[request] = nowS;
    all[enter(slot, entry)]!.enqueue(slot);
  };
  const arrive = (slot: number): void => {
    table.prefilledTokens[slot] = table.inputTokens[slot];
    handOffEngine(all[enter(slot, next!)]!).takeOver(slot);
  };
  for (;;) {
    nowS = Math.min(line.nextS(), onWay.firstTimeS);
    for (const replica of all) if (replica.dueS < nowS) nowS = replica.dueS;
    if (nowS === Infinity) break;
    for (const replica of all) if (replica.dueS === nowS && !replica.atBoundary) replica.finish();
    // All arrivals of one instant are in before a step is formed.
    while (onWay.firstTimeS === nowS) {
      const slot = onWay.firstPayload();
      onWay.pop();
      arrive(slot);
    }
    line.release(nowS, send);
    for (const replica of all) if (replica.atBoundary && replica.dueS === nowS) replica.form();
  }
  return { arrivalS: sentS, firstTokenS, lastTokenS, preemptions: meter.preemptions, gaps };
};

function promptContent({ content }: CaseArrivals, blockTokens: number): PromptContent | null {
  if (content === null) return null;
  const { prefixStream, prefixTokens, sessionStream } = content;
  return sharedContent(
    {
      systemStream: (request) => prefixStream[request],
      systemTokens: (request) => prefixTokens[request],
      sessionStream: (request) => sessionStream[request],
    },
    blockTokens,
  );
}

/**
 * Who is sent when: open arrivals by time, or as soon as there is room where those in flight are limited, closed ones as others end,
 * later turns of a session after the earlier, a stage after the answers of the one before.
 */
class Line {
  private readonly arrivals: CaseArrivals;
  private next = 0;
  private inFlight = 0;
  private warmedUp = false;
  private readonly over: Uint8Array;
  /** Request that waits for the end of this one, −1 for none; those whose wait is over. */
  private readonly held: Int32Array;
  private freed: number[] = [];
  /** Wait at their client for room, in the order in which their time came. */
  private readonly due: number[] = [];
  private firstDue = 0;
  /** Stage whose requests may be sent, how much later than planned it started, and how many requests have ended. */
  private openStage: number;
  private lateS = 0;
  private endedCount = 0;

  constructor(arrivals: CaseArrivals) {
    this.arrivals = arrivals;
    // Stages before it may be too short for a request.
    this.openStage = arrivals.stage?.[0] ?? 0;
    const waits = arrivals.after === null ? 0 : arrivals.arrivalS.length;
    this.over = new Uint8Array(waits);
    this.held = new Int32Array(waits).fill(-1);
  }

  /** Earliest time at which something may be sent that nobody has to end for; Infinity = none. */
  nextS(): number {
    const { arrivalS, clients } = this.arrivals;
    if (this.next >= arrivalS.length || this.waitsForStage) return Infinity;
    return clients === null ? arrivalS[this.next]! + this.lateS : this.next === 0 ? 0 : Infinity;
  }

  /** The next in line belongs to a stage that has not started. */
  private get waitsForStage(): boolean {
    const { stage } = this.arrivals;
    return stage !== null && this.next < stage.length && stage[this.next]! > this.openStage;
  }

  ended(request: number): void {
    this.inFlight--;
    this.endedCount++;
    if (this.arrivals.after === null) return;
    this.over[request] = 1;
    const waiting = this.held[request]!;
    if (waiting >= 0) this.freed.push(waiting);
  }

  release(nowS: number, send: (request: number) => void): void {
    const { arrivalS, clients, after, mostInFlight } = this.arrivals;
    if (clients !== null) {
      // The warm-up drains before the first request that counts is sent.
      if (!this.warmedUp && this.next === clients.warmupRequests && this.inFlight === 0) this.warmedUp = true;
      const end = this.warmedUp ? arrivalS.length : clients.warmupRequests;
      while (this.next < end && this.inFlight < clients.concurrency) {
        this.inFlight++;
        send(this.next++);
      }
      return;
    }
    this.due.push(...this.freed.splice(0));
    if (this.waitsForStage && this.endedCount === this.next) {
      this.openStage = this.arrivals.stage![this.next]!;
      this.lateS = Math.max(this.lateS, nowS - this.arrivals.stageStartS![this.openStage]!);
    }
    for (; this.next < arrivalS.length && !this.waitsForStage; this.next++) {
      if (arrivalS[this.next]! + this.lateS !== nowS) break;
      const before = after === null ? -1 : after[this.next]!;
      if (before >= 0 && this.over[before] === 0) this.held[before] = this.next;
      else this.due.push(this.next);
    }
    for (; this.firstDue < this.due.length && this.inFlight < mostInFlight; this.inFlight++)
      send(this.due[this.firstDue++]!);
  }
}
