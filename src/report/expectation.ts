/** What the author of an experiment expected of it, and wrote down after it had run: the section of both pages. */
import { bullets, escapeHtml, paragraph, prose } from "./markup.ts";
import type { Section } from "./shell.ts";

export interface Expectation {
  readonly prediction?: string | undefined;
  readonly finding?: string | undefined;
}

/** No section where the experiment says neither. */
export function expectationSection({ prediction, finding }: Expectation): Section[] {
  if (prediction === undefined && finding === undefined) return [];
  const content = [
    `<h2>${prose(headline(prediction, finding))}</h2>`,
    paragraph("In the words of the experiment's author. Nothing here was computed from this run.", "sub"),
    part("Predicted before the first run", prediction),
    part("Found after it", finding),
  ];
  return [{ id: "expected", title: "Expected and found", content: content.join("") }];
}

function headline(prediction: string | undefined, finding: string | undefined): string {
  if (finding === undefined) return "What was expected; a finding is not written down yet";
  return prediction === undefined
    ? "What was found; nothing had been predicted"
    : "What was expected, and what came out";
}

function part(title: string, text: string | undefined): string {
  if (text === undefined) return "";
  const [before = "", ...numbered] = ` ${text.trim()}`.split(/\s+(?=\(\d+\) )/).map((one) => one.trim());
  const words = before === "" ? "" : paragraph(before);
  return `<h3>${escapeHtml(title)}</h3>${words}${numbered.length === 0 ? "" : bullets(numbered)}`;
}
