/**
 * Queue orders for the naive policy stepper: a plain array of who waits, looked through from scratch each time somebody asks
 * who is first. Written from what the orders promise.
 */
import { exp, normalQuantile } from "../../src/kernel/math.ts";
import { threefry2x32, unit, words } from "../../src/kernel/random.ts";
import type { PolicyScenario } from "./scenario.ts";

/** What the queue knows of a request that waits or runs. */
export interface Queued {
  readonly index: number;
  readonly classIndex: number;
  readonly input: number;
  readonly output: number;
  readonly arrivedS: number;
  /** Its place among all arrivals. */
  readonly arrival: number;
}

/** Key of the draws of prediction errors: part of the rule, so that all strategies have the same luck. */
const PREDICTION_KEY = 0x5052;

export class NaiveQueue<Q extends Queued> {
  waiting: Q[] = [];
  /** By tenant: service had. */
  private service: number[];
  /** Tenants whose queue was empty before an arrival that no step boundary has seen yet. */
  private cameBack = new Set<number>();
  private lastToLeave: number | null = null;
  private readonly scenario: PolicyScenario;

  constructor(scenario: PolicyScenario) {
    this.scenario = scenario;
    this.service = scenario.classes.map(() => 0);
  }

  private get fair(): boolean {
    return this.scenario.scheduler.order.name === "fair-share";
  }

  /** Under first come first served and fair shares the last admitted goes and comes back to the front. */
  private get byAdmission(): boolean {
    return this.fair || this.scenario.scheduler.order.name === "fcfs";
  }

  private option(name: string, ifNone: number): number {
    return this.scenario.scheduler.order.options[name] ?? ifNone;
  }

  /** How far from urgent, as it stands now. */
  private urgency(request: Q, nowS: number): number {
    const { priority, ttftS } = this.scenario.classes[request.classIndex]!;
    switch (this.scenario.scheduler.order.name) {
      case "priority":
        return priority;
      case "edf":
        return ttftS === null ? Infinity : request.arrivedS + ttftS;
      case "shortest-prompt":
        return request.input - this.option("agingTokensPerS", 0) * (nowS - request.arrivedS);
      case "predicted-shortest": {
        const sigma = this.option("sigma", 0.5);
        threefry2x32(this.scenario.luckKey, PREDICTION_KEY, request.index, 0);
        return sigma === 0 ? request.output : request.output * exp(sigma * normalQuantile(unit(words[0]!)));
      }
      default:
        return 0;
    }
  }

  /** Of those that wait, in the order in which they are served if nothing changes; under fair shares only the first counts. */
  first(nowS: number): Q | undefined {
    if (this.fair) {
      const tenants = this.scenario.classes.map((_, tenant) => tenant).filter((t) => this.of(t).length > 0);
      const next = tenants.sort((a, b) => this.service[a]! - this.service[b]! || a - b)[0];
      return next === undefined ? undefined : this.of(next)[0];
    }
    if (this.byAdmission) return this.waiting[0];
    return [...this.waiting].sort((a, b) => this.compare(a, b, nowS))[0];
  }

  /** Whom to send away of those that run, given in order of admission. */
  victim(running: readonly Q[], nowS: number): Q {
    if (this.byAdmission) return running[running.length - 1]!;
    return [...running].sort((a, b) => this.compare(b, a, nowS))[0]!;
  }

  arrive(request: Q): void {
    if (this.of(request.classIndex).length === 0) this.cameBack.add(request.classIndex);
    this.waiting.push(request);
  }

  /** Sent away from the batch. */
  putBack(request: Q): void {
    this.waiting.unshift(request);
  }

  remove(request: Q): void {
    this.waiting = this.waiting.filter((other) => other !== request);
    const tenant = request.classIndex;
    if (this.of(tenant).length > 0) return;
    if (!this.cameBack.delete(tenant)) this.lastToLeave = tenant;
  }

  /** At a boundary: who was away has not saved up. */
  settle(): void {
    const levels = this.scenario.classes
      .map((_, tenant) => tenant)
      .filter((tenant) => this.of(tenant).length > 0 && !this.cameBack.has(tenant))
      .map((tenant) => this.service[tenant]!);
    const last = this.lastToLeave === null ? 0 : this.service[this.lastToLeave]!;
    const level = levels.length > 0 ? Math.min(...levels) : last;
    for (const tenant of this.cameBack) this.service[tenant] = Math.max(this.service[tenant]!, level);
    this.cameBack.clear();
  }

  charge(tenant: number, inputTokens: number, outputTokens: number): void {
    this.service[tenant]! +=
      this.option("inputWeight", 1) * inputTokens + this.option("outputWeight", 2) * outputTokens;
  }

  /** The replica died: a new one knows nothing. */
  restart(): void {
    this.waiting = [];
    this.service = this.service.map(() => 0);
    this.cameBack.clear();
    this.lastToLeave = null;
  }

  private of(tenant: number): Q[] {
    return this.waiting.filter((request) => request.classIndex === tenant);
  }

  private compare(a: Q, b: Q, nowS: number): number {
    const x = this.urgency(a, nowS);
    const y = this.urgency(b, nowS);
    return x === y ? a.arrival - b.arrival : x - y;
  }
}
