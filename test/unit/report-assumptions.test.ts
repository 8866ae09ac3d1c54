/** What stands behind the answer: what to check first, by subject, each value once and in words. */
import { describe, expect, test } from "vitest";
import { KINDS } from "../../src/catalog/schema.ts";
import { valueText } from "../../src/report/assumption-values.ts";
import { assumptionsView, subjectOf } from "../../src/report/assumptions.ts";
import { table as tableHtml } from "../../src/report/markup.ts";
import type { TableView } from "../../src/report/model.ts";
import type { Assumption } from "../../src/scenario/resolved.ts";
import { resolveRaw, smallExperiment } from "../fixtures/experiment.ts";

const ASOF = "2026-11-24";

function assumption(id: string, changes: Partial<Assumption> = {}): Assumption {
  return { id, label: id, value: 1, unit: "", kind: "published", source: "a paper", asOf: "2026-11-01", ...changes };
}

const rowIds = (table: TableView | null): (string | null)[] =>
  (table?.rows ?? []).filter(({ cells }) => cells.length > 0).map(({ note }) => note);

describe("the order of assumptions", () => {
  test("prices, people, rules and what is unverified come first; the rest by subject, weakest first", () => {
    const view = assumptionsView(
      [
        assumption("gpus/h100/memoryGB"),
        assumption("gpus/h100/fitted", { kind: "fitted" }),
        assumption("gpu-prices/x/usdPerGpuHour", { unit: "USD/GPU-h" }),
        assumption("gpus/h100/rumour", { kind: "measured", unverified: true }),
        assumption("places/vpc/networkS", { kind: "assumed" }),
        assumption("derived/people/fte", { kind: "derived" }),
        assumption("decision/a-rule", { kind: "assumed" }),
        assumption("experiment/traffic/requestsPerS", { kind: "declared" }),
      ],
      ASOF,
    );
    expect(view.headline).toBe("8 values behind the answer: 1 unverified, 2 assumed");
    expect(view.first!.rows.map(({ header }) => header)).toEqual([
      "Prices and people",
      "gpu-prices/x/usdPerGpuHour",
      "derived/people/fte",
      "Taken for granted by the decision",
      "decision/a-rule",
      "Not verified",
      "gpus/h100/rumour",
    ]);
    expect(view.subjects.map(({ title, note, table }) => [title, note, ...rowIds(table)])).toEqual([
      ["Traffic", "1 value: 1 declared", "experiment/traffic/requestsPerS"],
      [
        "Models, GPUs and where they stand",
        "3 values: 1 assumed, 1 fitted and 1 published",
        "places/vpc/networkS",
        "gpus/h100/fitted",
        "gpus/h100/memoryGB",
      ],
    ]);
    expect(assumptionsView([assumption("gpus/h100/memoryGB")], ASOF).first).toBeNull();
  });

  test("no value of an experiment is lost, and none stands twice", () => {
    const { assumptions } = resolveRaw(smallExperiment()).experiment;
    const { first, subjects } = assumptionsView(assumptions, ASOF);
    const shown = [...rowIds(first), ...subjects.flatMap(({ table }) => rowIds(table))];
    expect(assumptions.length).toBeGreaterThan(80);
    expect(shown.sort()).toEqual(assumptions.map(({ id }) => id).sort());
    expect(subjects.map(({ title }) => title)).not.toContain("Others");
  });

  test("each folder of the catalogue has its subject", () => {
    expect(Object.values(KINDS).filter(({ folder }) => subjectOf(`${folder}/x/y`) === "Others")).toEqual([]);
    expect(subjectOf("unheard-of/x")).toBe("Others");
    // A beginning of a word is no folder.
    expect(subjectOf("gpus-of-mine/x")).toBe("Others");
  });

  test("a source stands once for the rows that share it, with its date and age", () => {
    const other = { source: "a book", asOf: "2016" };
    const later = { source: "a plan", asOf: "2027-01" };
    const rows = assumptionsView(
      [assumption("gpus/a"), assumption("gpus/b"), assumption("gpus/c", other), assumption("gpus/d", later)],
      ASOF,
    ).subjects[0]!.table.rows;
    expect(
      rows.map(({ cells }) => cells.slice(2).map(({ text, note, tone, rows: r }) => [text, note, tone, r])),
    ).toEqual([
      [
        ["a paper", null, null, 2],
        ["1 Nov 2026", "23 days", null, 2],
      ],
      [],
      [
        ["a book", null, null, 1],
        ["2016", "3,980 days", "warn", 1],
      ],
      // What is of a later date has no age.
      [
        ["a plan", null, null, 1],
        ["Jan 2027", null, null, 1],
      ],
    ]);
  });
});

describe("a table of assumptions as HTML", () => {
  test("a heading is that of its own rows, a shared source one cell over the rows that share it", () => {
    const price = { unit: "USD/year" };
    const { first } = assumptionsView(
      [assumption("people/a", price), assumption("people/b", price), assumption("decision/c")],
      ASOF,
    );
    const bodies = tableHtml(first!).split("<tbody>").slice(1);
    expect(bodies.map((body) => body.match(/<th scope="row(group)?"/g))).toEqual([
      ['<th scope="rowgroup"', '<th scope="row"', '<th scope="row"'],
      ['<th scope="rowgroup"', '<th scope="row"'],
    ]);
    expect(bodies[0]!.match(/<td rowspan="2" data-label="[^"]*"/g)).toEqual([
      '<td rowspan="2" data-label="Source"',
      '<td rowspan="2" data-label="As of"',
    ]);
    expect(bodies[0]).toContain("also of the next 1");
    expect(bodies[1]).not.toContain("rowspan");
  });
});

describe("values in words", () => {
  test.each([
    [3000, "ms", "3 s"],
    [80, "ms", "80 ms"],
    [600, "s", "10 min"],
    [0.002, "s", "2 ms"],
    [0.25, "h", "15 min"],
    [100, "s", "100 s"],
    [92.5, "h", "92.5 h"],
    [2.74607, "ms", "2.74607 ms"],
    [0.00101, "ms", "0.00101 ms"],
    [0, "s", "0 s"],
    [0.99, "fraction", "99 %"],
    [0.0123456, "fraction", "1.23456 %"],
    [0.8981, "", "0.8981"],
    [8192, "tokens", "8,192 tokens"],
    [70_552_387_584, "parameters", "70.6B parameters"],
    [2.95, "USD/GPU-h", "$2.95 per GPU-hour"],
    [0.25, "USD/Mtok", "$0.25 per 1M tokens"],
    [300_000, "USD/year", "$300,000 a year"],
    [30_000, "1/min", "30,000 a minute"],
    [5, "level", "level 5"],
    ["fp8", "", "fp8"],
    ["[4", "", "[4"],
    ["[1,2,4]", "s", "1 s, 2 s, 4 s"],
    ["{}", "", "nothing"],
    ["[]", "", "none"],
    [
      '{"fromHour":13,"toHour":19,"ttftFactor":1.35,"meanDwellH":0.25}',
      "",
      "from hour 13, to hour 19, ttft factor 1.35, mean dwell 15 min",
    ],
    [
      '[{"name":"busy","overloadProbability":0.003,"next":{"normal":0.9}},{"name":"idle"}]',
      "",
      "busy: overload 0.3 %, next (normal 0.9); idle",
    ],
    [
      '{"businessHours":2.23,"otherWeekday":0.71,"weekend":0.14}',
      "",
      "business hours 2.23, other weekday 0.71, weekend 0.14",
    ],
    ['{"components":[{"cv":0.23,"tauS":174}],"on":true}', "", "components (cv 0.23, tau 2.9 min), on true"],
  ])("%s %s is %s", (value, unit, text) => {
    expect(valueText(value, unit)).toBe(text);
  });
});
