/** KV blocks that a request of one replica needs, whether it has them or not. Lengths in tokens. */
import type { RequestTable } from "./request-table.ts";
import type { SchedulerSpec } from "./scheduler-spec.ts";
import type { EngineSpec } from "./spec.ts";

export class KvNeeds {
  private readonly table: RequestTable;
  private readonly kvBlocks: number;
  private readonly maxModelLen: number;
  private readonly roundUp: number;
  private readonly blockShift: number;
  private readonly decodeTokens: number;
  private readonly reserves: boolean;
  private readonly handsOn: boolean;

  /** `decodeTokens`: of one decode, with its drafts. */
  constructor(spec: EngineSpec, scheduler: SchedulerSpec, decodeTokens: number, table: RequestTable) {
    this.table = table;
    this.kvBlocks = spec.kvBlocks;
    this.maxModelLen = spec.maxModelLen;
    this.roundUp = spec.blockTokens - 1;
    this.blockShift = 31 - Math.clz32(spec.blockTokens);
    this.decodeTokens = decodeTokens;
    this.reserves = scheduler.admission === "reserve";
    this.handsOn = scheduler.role === "prefill";
  }

  /** Whole blocks that hold so many tokens. */
  of(tokens: number): number {
    return (tokens + this.roundUp) >> this.blockShift;
  }

  /** For a decode: its context and the drafts, but never beyond the longest answer allowed nor more than there are. */
  toDecode(slot: number, context: number): number {
    if (this.decodeTokens === 1) return this.of(context);
    const { inputTokens, maxOutputTokens } = this.table;
    const longest = Math.max(context, inputTokens[slot] + maxOutputTokens[slot] - 1);
    return Math.min(this.of(Math.min(context + this.decodeTokens - 1, longest)), this.kvBlocks);
  }

  /** For the longest answer that the client allows, under reserving admission (0 under another); of one that is handed on for its prompt. */
  reserved(slot: number): number {
    if (!this.reserves) return 0;
    const { inputTokens, maxOutputTokens } = this.table;
    const answer = this.handsOn ? 1 : maxOutputTokens[slot];
    const longest = Math.min(inputTokens[slot] + answer - 1, this.maxModelLen);
    return Math.min(this.of(longest), this.kvBlocks);
  }
}
