import { describe, expect, test } from "vitest";
import { LocatedConfigError, YamlSource } from "../../src/node/yaml-source.ts";

const TEXT = `id: a # comment
classes:
  - name: open
    slo: { ttftMs: "3s", tpotMs: 80 }
base: &base { gpu: h100 }
copy: *base
`;

function place(path: (string | number)[], onKey = false): string {
  const { line, column, width } = YamlSource.parse("x.yaml", TEXT).locate(path, onKey);
  return `${line}:${column}+${width}`;
}

describe("positions", () => {
  test("a scalar is shown at its value, its field at the key", () => {
    expect(place(["id"])).toBe("1:5+1");
    expect(place(["id"], true)).toBe("1:1+2");
    expect(place(["classes", 0, "slo", "ttftMs"])).toBe("4:20+4");
    expect(place(["classes", 0, "slo", "tpotMs"], true)).toBe("4:26+6");
  });

  test("a group is shown at its key, an entry of a list at its start", () => {
    expect(place(["classes"])).toBe("2:1+7");
    expect(place(["classes", 0])).toBe("3:5+10");
  });

  test("what is missing is shown where it would have to stand", () => {
    expect(place(["classes", 0, "slo", "e2eMs"])).toBe("4:5+3");
    expect(place(["classes", 7, "name"])).toBe("2:1+7");
    expect(place(["nothing"])).toBe("1:1+15");
  });

  test("an alias leads to what it stands for", () => {
    expect(place(["copy", "gpu"])).toBe("5:20+4");
  });

  test("an alias of nothing is shown where it stands, and so is a key that no data can have", () => {
    const text = "rate: *none\nstrategies:\n  __proto__: {}\n";
    expect(() => YamlSource.parse("x.yaml", text)).toThrow(LocatedConfigError);
    try {
      YamlSource.parse("x.yaml", text);
    } catch (error) {
      const places = (error as LocatedConfigError).located.map((one) => `${one.line}:${one.column}+${one.width}`);
      expect(places).toEqual(["1:7+5", "3:3+9"]);
    }
  });

  test("positions hold with Windows line ends, tabs and a byte order mark", () => {
    const source = YamlSource.parse("x.yaml", "a: 1\r\nb: { c: 2 }\r\n");
    expect(source.locate(["b", "c"])).toEqual({ line: 2, column: 9, width: 1 });
    expect(YamlSource.parse("x.yaml", "a:\t1\n").locate(["a"])).toEqual({ line: 1, column: 4, width: 1 });
    expect(YamlSource.parse("x.yaml", "\uFEFFa: 1\n").value).toEqual({ a: 1 });
  });
});

test("thousands of aliases are data, merged ones too; aliases of aliases that multiply are refused", () => {
  const lines = Array.from({ length: 2000 }, (_, i) => `s${i}: { <<: *own, routes: *routes }\n`).join("");
  const { value } = YamlSource.parse("x.yaml", `own: &own { gpu: h100 }\nroutes: &routes [own]\n${lines}`);
  expect((value as Record<string, unknown>).s1999).toEqual({ gpu: "h100", routes: ["own"] });
  const levels = ["b", "c", "d", "e", "f", "g"].map((name, i) => {
    const below = `*${String.fromCharCode(97 + i)}`;
    return `${name}: &${name} [${Array(9).fill(below).join(", ")}]\n`;
  });
  const laughs = `a: &a ["ha"]\n${levels.join("")}`;
  expect(() => YamlSource.parse("x.yaml", laughs)).toThrow(/aliases \(\*name\) come to more than 10000 copies/);
});

test("problems come sorted by line, each with source line, caret and hint", () => {
  const error = YamlSource.parse("x.yaml", TEXT).error([
    { path: ["classes", 0, "slo", "ttftMs"], message: "must be a number", hint: "write 3000" },
    { path: ["id"], message: "is too short" },
  ]);
  expect(error.text).toBe(
    [
      "x.yaml:1:5: id: is too short",
      "  id: a # comment",
      "      ^",
      "",
      "x.yaml:4:20: classes[0].slo.ttftMs: must be a number",
      '      slo: { ttftMs: "3s", tpotMs: 80 }',
      "                     ^^^^",
      "  hint: write 3000",
      "",
      "2 problems",
      "",
    ].join("\n"),
  );
  expect(error.located.map(({ line, column }) => [line, column])).toEqual([
    [1, 5],
    [4, 20],
  ]);
});

test.each([
  ["an open bracket", "a: [1, 2\nb: 3\n", 2],
  ["a key twice", "a: 1\na: 2\n", 2],
  ["wrong indentation", "a:\n  b: 1\n c: 2\n", 3],
  ["two documents", "a: 1\n---\nb: 2\n", 2],
  ["an unknown alias", "a: *nowhere\n", 1],
])("YAML that is wrong gives the line: %s", (_, text, line) => {
  try {
    YamlSource.parse("x.yaml", text);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(LocatedConfigError);
    expect((error as LocatedConfigError).located[0]!.line).toBe(line);
    expect((error as LocatedConfigError).text).toMatch(new RegExp(`^x\\.yaml:${line}:\\d+: YAML: `));
  }
});

test("an alias bomb is refused, not expanded", () => {
  const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(", ")}]`);
  expect(() => YamlSource.parse("x.yaml", `l0: &l0 x\n${levels.join("\n")}\n`)).toThrow(LocatedConfigError);
});

test("a key that is merged in is shown where it stands", () => {
  const source = YamlSource.parse("x.yaml", "base: &base\n  gpu: h100\n  size: 1\nown:\n  <<: *base\n  size: 2\n");
  expect(source.value).toMatchObject({ own: { gpu: "h100", size: 2 } });
  expect(source.locate(["own", "gpu"])).toMatchObject({ line: 2, column: 8 });
  expect(source.locate(["own", "size"])).toMatchObject({ line: 6, column: 9 });
});
