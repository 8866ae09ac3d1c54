/** How a module becomes the entry of a worker thread, from a checkout (TypeScript) as from an installed package. */

/** URL of a module beside `base` in the form that exists there: `.ts` in a checkout, `.js` in an installed package. */
export function siblingModule(name: string, base: string): URL {
  return new URL(name + base.slice(base.lastIndexOf(".")), base);
}

/**
 * `execArgv` of a worker thread that starts with `entry`. For TypeScript the thread registers tsx itself: `--import tsx`
 * registers in the main thread alone on Node 20. It is looked up from here, because the current folder may be anywhere.
 */
export function threadArguments(entry: URL): string[] {
  if (!entry.pathname.endsWith(".ts")) return [];
  const loader = `import { register } from ${JSON.stringify(import.meta.resolve("tsx/esm/api"))}; register();`;
  return ["--import", `data:text/javascript,${encodeURIComponent(loader)}`];
}
