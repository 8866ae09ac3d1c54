/** Words of a printed command, by the shell that is to read them. */
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { shellWord } from "../../src/node/shell-word.ts";

test("plain words stay as they are", () => {
  for (const word of ["experiment.yaml", "../a_b/c-1.yaml", "--seed", "7", "http://h:80/x", "a=b,c@1%", "für.yaml"])
    expect(shellWord(word)).toBe(word);
});

test("a shell reads every word as it was", () => {
  const words = ["with space.yaml", "my file's.yaml", "$HOME", '"q"', "a;b", "*", "~", "", "\\", "`id`", "new\nline"];
  const read = execFileSync("sh", ["-c", `printf '%s\\0' ${words.map(shellWord).join(" ")}`], { encoding: "utf8" });
  expect(read.split("\0").slice(0, -1)).toEqual(words);
});
