/** Small CSV files: quoting, line ends, and what is refused. */
import { expect, test } from "vitest";
import { parseCsv } from "../../src/kernel/csv.ts";

test.each([
  ["quoted fields", '\uFEFFa, b \r\n"1,""x""\n",2\r\n', [['1,"x"\n', "2"]]],
  ["blank lines, and a last line without its end", "a,b\n\n1,2\n\r\n3,4\r", [["1", "2"], ["3", "4"]]], // prettier-ignore
  ["a quote within a field, which is a letter like others", 'a,b\n5",\n', [['5"', ""]]],
  ["one column", "a\n;\n", [[";"]]],
])("%s", (_, text, rows) => {
  expect(parseCsv("f", text).rows).toEqual(rows);
});

test.each([
  ["", "f: the file is empty"],
  ["a,b\n1\n", "f: row 1: 1 fields where the header has 2"],
  ['a,b\n1,2\n3,"4\n', "f: row 2: a quoted field is not closed"],
  ["a;b\n1;2\n", "f: semicolons separate its columns, commas are needed"],
  ["a\tb\n1\t2\n", "f: tabs separate its columns, commas are needed"],
  ["a|b\n", "f: bars separate its columns, commas are needed"],
])("%j is refused", (text, message) => {
  expect(() => parseCsv("f", text)).toThrow(message);
});
