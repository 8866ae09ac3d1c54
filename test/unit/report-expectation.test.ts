/** What an experiment's author predicted and found, on its pages. */
import { expect, test } from "vitest";
import { expectationSection } from "../../src/report/expectation.ts";
import { renderReport } from "../../src/report/html.ts";
import { buildReport } from "../../src/report/view-model.ts";
import { resolveRaw, smallExperiment } from "../fixtures/experiment.ts";
import { reportInput } from "../fixtures/report/input.ts";

const html = (prediction?: string, finding?: string): string =>
  expectationSection({ prediction, finding })
    .map(({ content }) => content)
    .join("");

test("both texts stand there in the author's words, numbered points as a list", () => {
  const page = html("Cheap. (1) Less than $5 & fast. (2) By 3 % (±1).", "(1) Right. (2) Wrong.");
  expect(page).toContain("<p>Cheap.</p><ul><li>(1) Less than $5 &amp; fast.</li><li>(2) By 3\u00a0% (±1).</li></ul>");
  expect(page).toContain("<li>(1) Right.</li><li>(2) Wrong.</li>");
  expect(page).not.toContain("<p></p>");
});

test("what is missing is said, and without either there is no section", () => {
  expect(html("Cheap.")).toContain("a finding is not written down yet");
  expect(html(undefined, "Dear.")).toContain("nothing had been predicted");
  expect(html()).toBe("");
});

test("they come from the file to the report", () => {
  const { prediction, finding } = resolveRaw({
    ...smallExperiment(),
    prediction: "Cheap.",
    finding: "Dear.",
  }).experiment;
  expect([prediction, finding]).toEqual(["Cheap.", "Dear."]);
  const input = reportInput({ days: 7 });
  const page = (more: object): string =>
    renderReport(buildReport({ ...input, experiment: { ...input.experiment, ...more } }));
  expect(page({ prediction, finding })).toMatch(/id="expected"[\s\S]*Cheap\.[\s\S]*Dear\./);
  expect(page({})).not.toContain('id="expected"');
});
