/**
 * What prompts have in common, as far as a prefix cache can tell: a key for each whole block of tokens. Two blocks with one
 * key hold the same tokens after the same tokens.
 */
export interface PromptContent {
  /** Key of block `block` (blockTokens tokens from 0) of the context of request `ordinal`: a number that identifies it. */
  key(ordinal: number, block: number): number;
}

/** Blocks of one stream of text that a key has room for, and streams before those of single requests. */
const BLOCKS_PER_STREAM = 1_048_576;
const SHARED_STREAMS = 2_147_483_648;

/** A prompt as at most two shared beginnings and a rest of its own: a system prompt, then the earlier turns of its session. */
export interface SharedBeginnings {
  /** Number of the shared text (0 … 2³⁰ − 1), −1 = none; and how many tokens of this prompt it is. */
  systemStream(ordinal: number): number;
  systemTokens(ordinal: number): number;
  /** Number of the session (0 … 2³⁰ − 1), −1 = none. All beyond the system prompt is the session's text, answers included. */
  sessionStream(ordinal: number): number;
}

/** No two requests have anything in common; a request that is computed again still finds its own blocks. */
export const NOTHING_SHARED: PromptContent = {
  key: (ordinal, block) => (SHARED_STREAMS + ordinal) * BLOCKS_PER_STREAM + block,
};

/** Content in which a block is shared when it lies wholly within a shared beginning. */
export function sharedContent(beginnings: SharedBeginnings, blockTokens: number): PromptContent {
  return {
    key(ordinal, block) {
      const system = beginnings.systemStream(ordinal);
      if (system >= 0 && (block + 1) * blockTokens <= beginnings.systemTokens(ordinal))
        return 2 * system * BLOCKS_PER_STREAM + block;
      const session = beginnings.sessionStream(ordinal);
      if (session >= 0) return (2 * session + 1) * BLOCKS_PER_STREAM + block;
      return NOTHING_SHARED.key(ordinal, block);
    },
  };
}
