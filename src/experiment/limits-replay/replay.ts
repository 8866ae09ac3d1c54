/**
 * Replays fixtures: events at limits through the simulator's admission, calculations through the functions that it uses.
 * A fixture passes when every event gives everything that is expected of it.
 */
import { calculate } from "./calculations.ts";
import { compare } from "./compare.ts";
import { firstTimeMs, Replay } from "./drive.ts";
import { Refusal, type Values } from "./fields.ts";
import type { Fixture, ReplayedEvent, ReplayedFixture } from "./fixture.ts";

export function replayFixture(fixture: Fixture): ReplayedFixture {
  const { id, calc, config, events, expected } = fixture;
  const step = refusing(() => {
    if (events.length === 0) throw new Refusal("it has no events: there is nothing to replay");
    if (events.length !== expected.length) {
      throw new Refusal(`${events.length} events, but ${expected.length} expected`);
    }
    if (calc !== null) return (event: Values, i: number) => calculate(calc, config, event, `events[${i}]`);
    const replay = new Replay(config, firstTimeMs(events));
    return (event: Values, i: number) => replay.event(event, i);
  });
  if (typeof step === "string") return { id, pass: false, events: [], reason: step };
  const replayed: ReplayedEvent[] = [];
  for (const [i, event] of events.entries()) {
    const wanted = expected[i]!;
    const head = {
      type: String(event["type"] ?? ""),
      t_ms: typeof event["t_ms"] === "number" ? event["t_ms"] : null,
      req: event["req"] === undefined ? null : String(event["req"]),
      expected: wanted,
    };
    const result = refusing(() => compare(wanted, step(event, i)));
    if (typeof result === "string") {
      // What follows would rest on a state that nobody knows.
      replayed.push({ ...head, pass: false, got: {}, differs: [], reason: result });
      break;
    }
    replayed.push({ ...head, pass: result.differs.length === 0, ...result });
  }
  return { id, pass: replayed.length === events.length && replayed.every(({ pass }) => pass), events: replayed };
}

/** The result, or the reason for which it was refused. */
function refusing<T>(run: () => T): T | string {
  try {
    return run();
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}
