/**
 * `crossover limits replay FILE`: examples of admission, sizing and billing, each with what must come out, through the code
 * that simulates. stdout is a table, or everything with --json; exit 5 when an example fails or can't be replayed.
 */
import { readFileSync } from "node:fs";
import { readFixtures, type ReplayedEvent, type ReplayedFixture } from "../../experiment/limits-replay/fixture.ts";
import { replayFixture } from "../../experiment/limits-replay/replay.ts";
import { EXIT, unreadable } from "../exit.ts";
import { textTable } from "../text-table.ts";

export function limitsReplayCommand(
  file: string,
  options: { readonly json?: boolean },
  out: (text: string) => void,
): number {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw unreadable(error, file);
  }
  const fixtures = readFixtures(text, file).map(replayFixture);
  out(options.json === true ? `${JSON.stringify({ fixtures }, null, 1)}\n` : tableOf(fixtures));
  return fixtures.every(({ pass }) => pass) ? EXIT.done : EXIT.infeasible;
}

function tableOf(fixtures: readonly ReplayedFixture[]): string {
  const columns = [
    { head: "" },
    { head: "example" },
    { head: "events", align: "right" as const },
    { head: "what differs" },
  ];
  const rows = fixtures.map((fixture) => [
    fixture.pass ? "pass" : "FAIL",
    fixture.id,
    String(fixture.events.length),
    fixture.pass ? "" : whatDiffers(fixture),
  ]);
  const passed = fixtures.filter(({ pass }) => pass).length;
  return `${textTable(columns, rows)}${passed} of ${fixtures.length} examples come out as expected\n`;
}

/** The first event that failed. */
function whatDiffers({ events, reason }: ReplayedFixture): string {
  if (reason !== undefined) return reason;
  const at = events.findIndex(({ pass }) => !pass);
  const event = events[at]!;
  return `event ${at}: ${event.reason ?? event.differs.map((path) => difference(path, event)).join("; ")}`;
}

function difference(path: string, { expected, got }: ReplayedEvent): string {
  // Names of headers and limits may hold dots: the group is the first part, the rest its key.
  const [group = "", ...rest] = path.split(".");
  const inside = (values: ReplayedEvent["got"]): unknown => {
    const value = values[group];
    return rest.length === 0 ? value : (value as ReplayedEvent["got"] | undefined)?.[rest.join(".")];
  };
  return `${path} is ${JSON.stringify(inside(got))}, expected ${JSON.stringify(inside(expected))}`;
}
