/** The page as a reader opens it: from disk, offline, on a phone, on a screen and on paper. */
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderReport } from "../../src/report/html.ts";
import { buildReport } from "../../src/report/view-model.ts";
import { reportInput } from "../fixtures/report/input.ts";
import { manyStrategies } from "../fixtures/report/many.ts";

/** `$CHROMIUM`, or a Chromium or Chrome on the path; null when there is none. */
function findChromium(): string | null {
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const candidates = [
    process.env["CHROMIUM"] ?? "",
    ...folders.flatMap((folder) => names.map((name) => join(folder, name))),
  ];
  return candidates.find((path) => path !== "" && isExecutable(path)) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const executablePath = findChromium();
if (executablePath === null) {
  console.warn("SKIPPED test/web/report-page: no Chromium. Install one or set CHROMIUM to its path.");
}

/** Opens `file` with the network cut and records what the page asks for and complains about. */
async function open(
  browser: Browser,
  file: string,
  width: number,
): Promise<{ page: Page; requests: string[]; complaints: string[] }> {
  const context = await browser.newContext({ viewport: { width, height: 900 } });
  const requests: string[] = [];
  const complaints: string[] = [];
  const page = await context.newPage();
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  await context.setOffline(true);
  await page.goto(pathToFileURL(file).href, { waitUntil: "load" });
  return { page, requests, complaints };
}

describe.skipIf(executablePath === null)("report.html in Chromium", () => {
  let browser: Browser;
  let folder: string;
  let file: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "crossover-report-"));
    file = join(folder, "report.html");
    writeFileSync(file, renderReport(buildReport(reportInput())));
    browser = await chromium.launch({
      executablePath: executablePath ?? "",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
      ],
    });
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each([360, 390, 768, 1100])(
    "%i px: nothing is requested or logged, nothing sticks out",
    async (width) => {
      const { page, requests, complaints } = await open(browser, file, width);
      expect(requests).toEqual([pathToFileURL(file).href]);
      expect(complaints).toEqual([]);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      // A chart is drawn once at each width, at a legible size, within the page.
      const charts = (await page.evaluate(
        `[...document.querySelectorAll("svg")].map((svg) => svg.getBoundingClientRect()).filter((box) => box.width > 0).map((box) => [box.left, box.right, box.height])`,
      )) as number[][];
      expect(charts.length).toBeGreaterThanOrEqual(8);
      for (const [left = 0, right = 0, height = 0] of charts) {
        expect(left).toBeGreaterThanOrEqual(0);
        expect(right).toBeLessThanOrEqual(width);
        expect(height).toBeGreaterThan(50);
      }
      await page.context().close();
    },
    30_000,
  );

  test("a page that asks for something is caught", async () => {
    const leaky = join(folder, "leaky.html");
    writeFileSync(leaky, '<img src="http://127.0.0.1:9/pixel.png">');
    const { page, requests } = await open(browser, leaky, 390);
    expect(requests).toContain("http://127.0.0.1:9/pixel.png");
    await page.context().close();
  }, 30_000);

  test("all sections are there, in order, each with a heading and content", async () => {
    const { page } = await open(browser, file, 1100);
    const sections = (await page.evaluate(
      `[...document.querySelectorAll("section")].map((section) => [section.id, section.querySelectorAll("h1, h2").length, section.innerText.length])`,
    )) as [string, number, number][];
    expect(sections.map(([id]) => id)).toEqual([
      "verdict",
      "strategies",
      "cost",
      "latency",
      "utilization",
      "requests",
      "differences",
      "assumptions",
      "appendix",
    ]);
    for (const [id, headings, length] of sections) {
      expect(headings, id).toBe(1);
      expect(length, id).toBeGreaterThan(40);
    }
    await page.context().close();
  }, 30_000);

  test("charts have a text for those who do not see them, tables have headers, text has contrast", async () => {
    const { page } = await open(browser, file, 1100);
    expect(
      await page.evaluate(
        `[...document.querySelectorAll("svg")].filter((svg) => svg.getAttribute("role") !== "img" || (svg.getAttribute("aria-label") ?? "").length < 20).length`,
      ),
    ).toBe(0);
    expect(
      await page.evaluate(
        `[...document.querySelectorAll("table")].filter((table) => table.querySelectorAll("thead th[scope=col]").length === 0 || table.querySelectorAll("tbody th[scope]").length === 0 || table.caption === null).length`,
      ),
    ).toBe(0);
    // WCAG 2: 4.5 to 1 for the colours of running text on white.
    const colors = (await page.evaluate(
      `[...new Set([...document.querySelectorAll("main p, main li, main th, main td span, main h3 span, main b, main small, main dd")].map((node) => getComputedStyle(node)).map((style) => style.color).filter((color) => color !== "rgb(255, 255, 255)"))]`,
    )) as string[];
    expect(colors.length).toBeGreaterThan(1);
    for (const color of colors) expect(contrastOnWhite(color), color).toBeGreaterThanOrEqual(4.5);
    await page.context().close();
  }, 30_000);

  test("header and sections are landmarks of the page, tables within reach of the keyboard", async () => {
    const { page } = await open(browser, file, 1100);
    const landmarks = (await page.evaluate(
      `[...document.body.children].map((one) => one.localName).concat([...document.querySelectorAll("section, nav, .scroll")].filter((one) => one.getAttribute("aria-label") === null && document.getElementById(one.getAttribute("aria-labelledby")) === null).map(() => "without a name"))`,
    )) as string[];
    expect(landmarks).toEqual(["header", "main"]);
    await page.context().close();
  }, 30_000);

  test("what is folded opens with the keyboard, and is open on paper", async () => {
    const { page } = await open(browser, file, 1100);
    const shown = async (): Promise<boolean[]> =>
      (await page.evaluate(
        `[...document.querySelectorAll("details")].map((one) => one.lastElementChild.checkVisibility())`,
      )) as boolean[];
    const folded = await shown();
    expect(folded.length).toBeGreaterThan(1);
    expect(folded).not.toContain(true);
    await page.focus("summary");
    await page.keyboard.press("Enter");
    expect(await shown()).toEqual(folded.map((_, i) => i === 0));
    await page.emulateMedia({ media: "print" });
    expect(await shown()).not.toContain(false);
    await page.context().close();
  }, 30_000);

  test("on A4 long names of assumptions break instead of making the whole print smaller", async () => {
    const input = reportInput();
    const [first, ...others] = input.experiment.assumptions;
    const long = { ...first!, id: `experiment/${"strategies-pools-scheduler/".repeat(4)}hostLinkGBps` };
    const longFile = join(folder, "long.html");
    const experiment = { ...input.experiment, assumptions: [long, ...others] };
    writeFileSync(longFile, renderReport(buildReport({ ...input, experiment })));
    const between = 688; // the margins of A4, at 96 px an inch
    const { page } = await open(browser, longFile, between);
    await page.emulateMedia({ media: "print" });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(between);
    await page.context().close();
  }, 30_000);

  test("on A4 long parts break between their rows and paragraphs, which stay whole", async () => {
    const { page } = await open(browser, file, 688);
    await page.emulateMedia({ media: "print" });
    const breaks = (selector: string): Promise<unknown> =>
      page.evaluate(
        `[...new Set([...document.querySelectorAll("${selector}")].map((one) => getComputedStyle(one).breakInside))]`,
      );
    expect(await breaks(".segment, #assumptions tr, #assumptions td[rowspan]")).toEqual(["auto"]);
    expect(await breaks(".segment li, #assumptions td:not([rowspan]), #strategies tr")).toEqual(["avoid"]);
    await page.context().close();
  }, 30_000);

  test("on A4 no chart is cut by a page break", async () => {
    const { page } = await open(browser, file, 1100);
    const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
    const pages = pdf.toString("latin1").match(/\/Type\s*\/Page\b(?!s)/g)?.length ?? 0;
    expect(pages).toBeGreaterThan(4);
    expect(pages).toBeLessThan(20);
    expect(pdf.toString("latin1")).toMatch(/\/MediaBox\s*\[\s*0 0 59[45](\.\d+)? 84[12]/);
    await page.emulateMedia({ media: "print" });
    // What a page break may not cut must fit on one page: 267 mm at 96 px an inch.
    const figures = (await page.evaluate(
      `[...document.querySelectorAll("figure")].map((figure) => [getComputedStyle(figure).breakInside, figure.getBoundingClientRect().height])`,
    )) as [string, number][];
    expect(figures.length).toBeGreaterThanOrEqual(8);
    for (const [breakInside, height] of figures) {
      expect(breakInside).toBe("avoid");
      expect(height).toBeLessThan((267 / 25.4) * 96);
    }
    await page.context().close();
  }, 60_000);

  test("twelve strategies fit on paper: no table is wider, no chart higher than a page", async () => {
    const many = join(folder, "many.html");
    writeFileSync(many, renderReport(buildReport(manyStrategies(12))));
    // 182 mm between the margins.
    const { page } = await open(browser, many, 688);
    await page.emulateMedia({ media: "print" });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(688);
    const heights = (await page.evaluate(
      `[...document.querySelectorAll("figure")].map((figure) => figure.getBoundingClientRect().height)`,
    )) as number[];
    expect(Math.max(...heights)).toBeLessThan((267 / 25.4) * 96);
    await page.context().close();
  }, 60_000);
});

function contrastOnWhite(color: string): number {
  const [r = 0, g = 0, b = 0] = (color.match(/[\d.]+/g) ?? []).slice(0, 3).map((text) => {
    const value = Number(text) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05);
}
