/** Names and colours of ledger lines: blue for money that goes to an API, amber for GPUs, slate for people. */

interface LineStyle {
  readonly label: string;
  readonly color: string;
}

const LINES: Readonly<Record<string, LineStyle>> = {
  "gpu-busy": { label: "GPUs busy", color: "#b45309" },
  gpu: { label: "GPUs", color: "#b45309" },
  "gpu-idle": { label: "GPUs idle", color: "#fbbf24" },
  idle: { label: "GPUs idle", color: "#fbbf24" },
  "gpu-warm": { label: "GPUs warm", color: "#fde68a" },
  warm: { label: "GPUs warm", color: "#fde68a" },
  "gpu-down": { label: "GPUs down", color: "#ef4444" },
  people: { label: "People", color: "#475569" },
  "api-input": { label: "API input", color: "#93c5fd" },
  "api-cached-input": { label: "API cached input", color: "#dbeafe" },
  "api-cache-write": { label: "API cache writes", color: "#60a5fa" },
  "api-redaction": { label: "Redaction", color: "#1e40af" },
  "api-output": { label: "API output", color: "#2563eb" },
  "provisioned-used": { label: "Provisioned units used", color: "#1e40af" },
  "provisioned-unused": { label: "Provisioned units unused", color: "#a5b4fc" },
  "provisioned-purchase": { label: "Purchase of provisioned units", color: "#1e40af" },
  "reserved-used": { label: "Reserved spend used", color: "#1e40af" },
  "reserved-unused": { label: "Reserved spend unused", color: "#a5b4fc" },
  "commitment-shortfall": { label: "Shortfall of the commitment", color: "#c7d2fe" },
  "commitment-purchase": { label: "Prepaid commitment", color: "#1e40af" },
  "managed-markup": { label: "Vendor's markup", color: "#0f766e" },
};

const OTHERS = ["#7c3aed", "#0e7490", "#be185d", "#4d7c0f", "#57534e"] as const;

/** Capacity that is paid for without doing work. */
const SPARE = new Set(["gpu-idle", "idle", "gpu-warm", "warm"]);

export function lineLabel(line: string): string {
  return LINES[line]?.label ?? line;
}

/** `position` among the lines of the report, for lines without a colour of their own. */
export function lineColor(line: string, position: number): string {
  return LINES[line]?.color ?? OTHERS[position % OTHERS.length];
}

export function isSpare(line: string): boolean {
  return SPARE.has(line);
}

const PURCHASES = new Set(["provisioned-purchase", "commitment-purchase"]);

/** Paid for once and spread over other lines: it has cash of its own, but no cost. */
export function isPurchase(line: string): boolean {
  return PURCHASES.has(line);
}

export const PEOPLE = "people";
export const SPARE_COLOR = "#fbbf24";
