/** Ids of offers made from the names under which providers sell their models. */

/** `together`, `meta-llama/Llama-3.3-70B` → `together/meta-llama-llama-3.3-70b`. */
export function offerId(provider: string, model: string): string {
  const name = model
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+|-+$/g, "");
  return `${provider}/${name}`;
}
