/**
 * The frame of a page: one self-contained HTML file without scripts, fonts or anything else from outside (a content
 * security policy forbids it), for the screen from 360 px on and for A4 paper.
 */
import { escapeHtml } from "./markup.ts";
import { STYLE } from "./style.ts";

export interface Section {
  readonly id: string;
  readonly title: string;
  /** HTML, with one `h2`: what the section says. The title of the page is its `h1`. */
  readonly content: string;
}

export interface PageHead {
  readonly title: string;
  readonly question: string;
  readonly facts: readonly string[];
}

/** The whole page as text. The head is escaped here, the sections' content is HTML already. */
export function pageHtml({ title, question, facts }: PageHead, sections: readonly Section[]): string {
  const nav = sections.map((section) => `<a href="#${section.id}">${escapeHtml(section.title)}</a>`).join("");
  const body = sections.map(
    (section) =>
      `<section id="${section.id}" aria-labelledby="${section.id}-title"><p class="eyebrow" id="${section.id}-title">${escapeHtml(section.title)}</p>${section.content}</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1 class="eyebrow">${escapeHtml(title)}</h1>
<p class="question">${escapeHtml(question)}</p>
<p class="facts">${facts.map((fact) => `<span>${escapeHtml(fact)}</span>`).join(" ")}</p>
<nav aria-label="Sections">${nav}</nav>
</header>
<main>
${body.join("\n")}
</main>
</body>
</html>
`;
}
