/** The links between the GPUs of a recording, where they are not those of the GPU's entry in the catalogue. */
import type { Catalog, CatalogEntry } from "../../catalog/schema.ts";
import type { RecordedCase } from "./case.ts";

type Gpu = CatalogEntry<"gpus">;
type Link = Pick<Gpu, "interconnect" | "linkGBpsPerDirection">;

/**
 * The link that a case names, at the rate that the catalogue gives it on other GPUs: PCIe on any GPU, and a bridge of NVLink between cards that
 * have PCIe by themselves. Null where the case names none, or that of its GPU, or another.
 */
export function recordedLink({ interconnect }: RecordedCase, gpu: Gpu, catalog: Catalog): Link | null {
  if (interconnect === undefined || sameLink(interconnect, gpu.interconnect)) return null;
  const kind = kindOf(interconnect);
  const onCard = kindOf(gpu.interconnect).startsWith("pcie");
  const sought = kind.startsWith("pcie") ? `${kind}x16` : onCard && kind !== "" ? `${kind}bridge` : null;
  const known = [...catalog.gpus.values()].find((other) => plain(other.interconnect) === sought);
  return known === undefined ? null : { interconnect, linkGBpsPerDirection: known.linkGBpsPerDirection };
}

/** What was made of the link that a case names; null = it is that of its GPU, or no two GPUs exchange anything. */
export function linkCaveat(recorded: RecordedCase, gpu: Gpu, own: Link): string | null {
  const { interconnect, gpu: named, tp, pp, dp, disaggregated } = recorded;
  if (interconnect === undefined || sameLink(interconnect, own.interconnect)) return null;
  if (disaggregated === undefined && Math.max(tp, pp, dp) === 1) return null;
  const usual = `${own.interconnect ?? "its link"}, ${own.linkGBpsPerDirection} GB/s`;
  return gpu.interconnect === interconnect
    ? `the GPUs are linked by ${interconnect}, ${gpu.linkGBpsPerDirection} GB/s, instead of the usual link of ${named} (${usual})`
    : `interconnect ${interconnect} is not read, the catalogue has no rate of it for ${named}: its usual link (${usual}) is taken`;
}

/** A name without a generation (`nvlink`) is any of its kind. */
function sameLink(recorded: string, own: string | undefined): boolean {
  const [a, b] = [kindOf(recorded), kindOf(own)];
  if (a === "" || b === "") return plain(recorded) === plain(own);
  return a.startsWith(b) || b.startsWith(a);
}

/** `nvlink4` of `NVLink4 bridge`, `pcie5` of `PCIe5 x16` and `PCIe Gen5`; empty = neither. */
function kindOf(name: string | undefined): string {
  return /^(nvlink|pcie)\d?/.exec(plain(name))?.[0] ?? "";
}

const plain = (name: string | undefined): string =>
  (name ?? "")
    .toLowerCase()
    .replaceAll("nvswitch", "nvlink")
    .replaceAll(/[\s_.-]|gen/g, "");
