import { describe, expect, test } from "vitest";
import { InvariantError } from "../../src/kernel/errors.ts";
import { exponential } from "../../src/kernel/samplers.ts";
import { stream } from "../../src/kernel/random.ts";
import type { SessionSpec, SubAgents, SyntheticTraffic } from "../../src/scenario/resolved.ts";
import type { OpenTrafficOptions } from "../../src/traffic/options.ts";
import { meanRequests, meanTurns, sessionTraffic } from "../../src/traffic/sessions.ts";
import { CHAT_ARRIVALS, OPTIONS } from "../fixtures/traffic-reference.ts";

const CHAT: SyntheticTraffic = {
  ...CHAT_ARRIVALS,
  meanRatePerS: 2,
  burst: { components: [], gapCv: 1 },
  input: { kind: "lognormal", medianTokens: 400, sigma: 0.8, minTokens: 1, maxTokens: 4000 },
  output: { kind: "lognormal", medianTokens: 150, sigma: 0.6, minTokens: 1, maxTokens: 2000 },
};
const SESSIONS: SessionSpec = {
  turnShares: [0.5, 0.3, 0.1, 0, 0.1],
  think: { medianS: 20, sigma: 1 },
  newInput: { kind: "lognormal", medianTokens: 60, sigma: 0.5, minTokens: 1, maxTokens: 500 },
  carryContext: true,
  maxContextTokens: 1_000_000,
};

const AGENTS: SubAgents = { share: 0.4, parallel: 2, calls: 3, input: { kind: "constant", tokens: 900 } };

interface Sent {
  readonly request: number;
  readonly sentS: number;
  readonly endS: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly classIndex: number;
  readonly session: number;
  readonly text: number;
}

/** Unlimited servers: each request takes `serviceS()`. Arrivals may not run backwards. */
function serve(
  sessions: SessionSpec,
  serviceS: () => number,
  options: Partial<OpenTrafficOptions> = {},
  spec = CHAT,
): Sent[] {
  const traffic = sessionTraffic(spec, sessions, { ...OPTIONS, classShares: [0.5, 0.5], ...options });
  const sent: Sent[] = [];
  const open: Sent[] = [];
  let nowS = -Infinity;
  for (;;) {
    let next: Sent | null = null;
    for (const each of open) if (next === null || each.endS < next.endS) next = each;
    if (next === null && traffic.timeS === Infinity) return sent;
    if (next !== null && next.endS <= traffic.timeS) {
      open.splice(open.indexOf(next), 1);
      traffic.onComplete(next.request, next.endS);
      nowS = next.endS;
      continue;
    }
    if (!(traffic.timeS >= nowS)) throw new Error(`a turn at ${traffic.timeS} s after ${nowS} s`);
    nowS = traffic.timeS;
    const { request, inputTokens, outputTokens, classIndex } = traffic;
    traffic.advance();
    const record = {
      request,
      sentS: nowS,
      endS: nowS + serviceS(),
      inputTokens,
      outputTokens,
      classIndex,
      session: traffic.known!.session(request),
      text: traffic.known!.text(request, 1),
    };
    sent.push(record);
    open.push(record);
  }
}

/** By session, in order of the turns. */
function bySession(sent: readonly Sent[]): Sent[][] {
  const sessions = new Map<number, Sent[]>();
  for (const each of sent) sessions.set(each.session, [...(sessions.get(each.session) ?? []), each]);
  return [...sessions.values()];
}

const luck = (name: string): (() => number) => {
  const draw = stream("sessions-test", 0, name);
  return () => 3 * exponential(draw);
};

describe("sessions", () => {
  const sent = serve(SESSIONS, luck("a"), { horizonS: 20_000 });
  const whole = bySession(sent).filter((turns) => turns[0]!.sentS > 4000 && turns[0]!.sentS < 10_000);

  test("a prompt is the one before, its answer and what is new; all turns have one class and follow each other", () => {
    for (const turns of whole) {
      for (let k = 1; k < turns.length; k++) {
        const [before, turn] = [turns[k - 1]!, turns[k]!];
        expect(turn.request).toBe(before.request + 1);
        expect(turn.sentS).toBeGreaterThan(before.endS);
        expect(turn.classIndex).toBe(before.classIndex);
        const added = turn.inputTokens - before.inputTokens - before.outputTokens;
        expect(added).toBeGreaterThanOrEqual(1);
        expect(added).toBeLessThanOrEqual(500);
      }
    }
  });

  test("turns, think times and new parts have their laws", () => {
    const counts = [0, 0, 0, 0, 0];
    for (const turns of whole) counts[turns.length - 1]!++;
    counts.forEach((count, i) => {
      const share = SESSIONS.turnShares[i]!;
      expect(Math.abs(count - share * whole.length)).toBeLessThanOrEqual(4 * Math.sqrt(share * whole.length));
    });
    const gaps = whole.flatMap((turns) => turns.slice(1).map((turn, i) => Math.log(turn.sentS - turns[i]!.endS)));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    expect(Math.abs(mean - Math.log(20))).toBeLessThan(4 / Math.sqrt(gaps.length));
    expect(Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length)).toBeCloseTo(1, 1);
  });

  test("requestsPerS counts all turns, from the start of the window on", () => {
    expect(meanTurns(SESSIONS)).toBeCloseTo(1.9, 12);
    let requests = 0;
    let early = 0;
    const seeds = 20;
    for (let replication = 0; replication < seeds; replication++) {
      const run = serve({ ...SESSIONS, turnShares: [0, 0, 0, 0, 1] }, () => 0, { replication, horizonS: 3000 });
      requests += run.length / seeds;
      early += run.filter(({ sentS }) => sentS < 300).length / seeds;
    }
    // The counts of sessions of five are five times as dispersed.
    expect(Math.abs(requests - 6000)).toBeLessThan(4 * Math.sqrt((5 * 6000) / seeds));
    expect(Math.abs(early - 600)).toBeLessThan(4 * Math.sqrt((5 * 600) / seeds));
  });

  test("TRF-5: how requests are served moves no ordinal, turn, length, class or think time", () => {
    const facts = (run: readonly Sent[]): Map<number, string> =>
      new Map(
        bySession(run).flatMap((turns) =>
          turns.map((turn, k) => {
            const gapS = k === 0 ? turn.sentS : turn.sentS - turns[k - 1]!.endS;
            const { inputTokens, outputTokens, classIndex, session } = turn;
            return [
              turn.request,
              `${session} ${inputTokens} ${outputTokens} ${classIndex} ${gapS.toFixed(6)}`,
            ] as const;
          }),
        ),
      );
    const one = facts(serve(SESSIONS, luck("b")));
    const other = facts(serve(SESSIONS, () => 0.01));
    let common = 0;
    for (const [request, fact] of one) {
      if (!other.has(request)) continue;
      expect(other.get(request)).toBe(fact);
      common++;
    }
    expect(common).toBeGreaterThan(0.95 * one.size);
    expect(facts(serve(SESSIONS, luck("b"), { seed: "other" }))).not.toEqual(one);
  });

  test("a prompt beyond the limit is cut to it and shares nothing any more", () => {
    const cut = serve({ ...SESSIONS, maxContextTokens: 900 }, luck("c"));
    expect(Math.max(...cut.map(({ inputTokens }) => inputTokens))).toBe(900);
    // A prompt may have just the length of the limit without losing anything.
    const whole = cut.filter(({ text }) => text !== -1);
    for (const { session, text } of whole) expect(text).toBe(session);
    expect(cut.filter(({ inputTokens }) => inputTokens < 900).length / whole.length).toBeGreaterThan(0.99);
    for (const { inputTokens } of cut.filter(({ text }) => text === -1)) expect(inputTokens).toBe(900);
    const alone = serve({ ...SESSIONS, carryContext: false }, luck("c"));
    for (const turns of bySession(alone)) {
      for (const { text } of turns) expect(text).toBe(-1);
      for (const { inputTokens } of turns.slice(1)) expect(inputTokens).toBeLessThanOrEqual(500);
    }
  });

  test("a share of the pauses is of another law", () => {
    const breaks = { share: 0.25, medianS: 5000, sigma: 0 };
    const run = bySession(
      serve({ ...SESSIONS, think: { medianS: 1, sigma: 0, breaks } }, () => 2, { horizonS: 40_000 }),
    );
    const gaps = run.flatMap((turns) => turns.slice(1).map((turn, i) => turn.sentS - turns[i]!.endS));
    const [short, long] = [
      gaps.filter((gap) => Math.abs(gap - 1) < 1e-6),
      gaps.filter((gap) => Math.abs(gap - 5000) < 1e-6),
    ];
    expect(short.length + long.length).toBe(gaps.length);
    expect(long.length / gaps.length).toBeGreaterThan(0.2);
    expect(long.length / gaps.length).toBeLessThan(0.28);
  });

  test("a rewritten context is shorter, and is a text of its own that later turns hold", () => {
    const compaction = { share: 0.3, keptFraction: 0.25 };
    const run = bySession(serve({ ...SESSIONS, turnShares: [0, 0, 0, 0, 0, 1], compaction }, () => 2));
    let rewritten = 0;
    let later = 0;
    for (const turns of run) {
      for (let k = 1; k < turns.length; k++) {
        const [before, turn] = [turns[k - 1]!, turns[k]!];
        if (turn.request !== before.request + 1) continue;
        later++;
        const context = before.inputTokens + before.outputTokens;
        if (turn.text === before.text) {
          expect(turn.inputTokens).toBeGreaterThan(context);
          continue;
        }
        rewritten++;
        const added = turn.inputTokens - Math.round(0.25 * context);
        expect(added).toBeGreaterThanOrEqual(1);
        expect(added).toBeLessThanOrEqual(500);
      }
    }
    expect(Math.abs(rewritten / later - 0.3)).toBeLessThan(4 * Math.sqrt(0.21 / later));
  });

  describe("sub-agents", () => {
    const agents = serve({ ...SESSIONS, subAgents: AGENTS }, luck("agents"), { horizonS: 20_000 });
    const first = agents.filter(({ inputTokens }) => inputTokens === 900);

    test("run beside each other, each with its own context, and the next turn waits for all of them", () => {
      const groups = bySession(agents);
      const of = new Map(groups.map((turns) => [turns[0]!.session, turns]));
      let joined = 0;
      for (const turns of groups) {
        if (turns[0]!.inputTokens === 900 || turns[0]!.sentS < 2000 || turns[0]!.sentS > 8000) continue;
        // Sessions of sub-agents are numbered after their session's.
        let next = turns[0]!.session + 1;
        for (let k = 1; k < turns.length; k++) {
          const called = [of.get(next), of.get(next + 1)];
          const started = called[0]?.[0]!.inputTokens === 900 && called[0][0]!.sentS > turns[k - 1]!.endS;
          if (!started || called[0]![0]!.sentS > turns[k]!.sentS) continue;
          next += 2;
          joined++;
          for (const calls of called) {
            expect(calls).toHaveLength(3);
            expect(calls![0]!.sentS).toBeGreaterThan(turns[k - 1]!.endS);
            expect(calls![2]!.endS).toBeLessThan(turns[k]!.sentS);
            expect(calls![1]!.inputTokens).toBeGreaterThan(900 + calls![0]!.outputTokens);
            expect(calls!.every(({ classIndex }) => classIndex === turns[0]!.classIndex)).toBe(true);
          }
        }
      }
      expect(joined).toBeGreaterThan(200);
    });

    test("count in requestsPerS, and in as many turns as their share says", () => {
      expect(meanRequests({ ...SESSIONS, subAgents: AGENTS })).toBeCloseTo(1.9 + 0.9 * 0.4 * 6, 12);
      expect(Math.abs(agents.length / 40_000 - 1)).toBeLessThan(0.1);
      // Two calls of 900 tokens for 0.4 of the 0.9 later turns of a session.
      expect(first.length / agents.length).toBeCloseTo((0.9 * 0.4 * 2) / 4.06, 1.7);
    });

    test("TRF-5: how requests are served moves nothing but times", () => {
      const facts = (run: readonly Sent[]): Map<number, string> =>
        new Map(
          run.map(({ request, inputTokens, outputTokens, classIndex, session, text }) => [
            request,
            [inputTokens, outputTokens, classIndex, session, text].join(" "),
          ]),
        );
      const one = facts(agents);
      expect(one.size).toBe(agents.length);
      const other = facts(serve({ ...SESSIONS, subAgents: AGENTS }, () => 0.01, { horizonS: 20_000 }));
      let common = 0;
      for (const [request, fact] of one) {
        if (!other.has(request)) continue;
        expect(other.get(request)).toBe(fact);
        common++;
      }
      expect(common).toBeGreaterThan(0.97 * one.size);
    });
  });

  test("every option moves the requests", () => {
    const of = (change: Partial<SessionSpec>): string =>
      JSON.stringify(serve({ ...SESSIONS, ...change }, luck("d"), { horizonS: 600 }));
    const base = of({});
    const changes: Partial<SessionSpec>[] = [
      { turnShares: [0.5, 0.5] },
      { think: { medianS: 30, sigma: 1 } },
      { think: { medianS: 20, sigma: 0.5 } },
      { newInput: { kind: "constant", tokens: 100 } },
      { carryContext: false },
      { maxContextTokens: 500 },
      { think: { medianS: 20, sigma: 1, breaks: { share: 0.3, medianS: 200, sigma: 1 } } },
      { compaction: { share: 0.3, keptFraction: 0.2 } },
      { subAgents: AGENTS },
      { subAgents: { ...AGENTS, parallel: 3 } },
      { subAgents: { ...AGENTS, calls: 1 } },
      { subAgents: { ...AGENTS, input: { kind: "constant", tokens: 30 } } },
    ];
    for (const change of changes) expect(of(change), JSON.stringify(change)).not.toBe(base);
  });

  test("an answer that nobody waits for is refused", () => {
    const traffic = sessionTraffic(CHAT, SESSIONS, OPTIONS);
    expect(() => traffic.onComplete(traffic.request, 1)).toThrow(InvariantError);
  });
});
