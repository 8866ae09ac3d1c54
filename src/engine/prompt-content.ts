/**
 * What prompts have in common, as far as a prefix cache can tell: a key for each whole block of tokens. Two blocks with one
 * key hold the same tokens after the same tokens.
 */
import { threefry2x32, unit, words } from "../kernel/random.ts";

export interface PromptContent {
  /** Key of block `block` (blockTokens tokens from 0) of the context of request `ordinal` of a class; blocks of one key are the same. */
  key(ordinal: number, classIndex: number, block: number): number;
  /** For how many blocks from this one on, at least 1, each key is the one before and 1. */
  run(ordinal: number, classIndex: number, block: number): number;
}

/** A key is the number of a text times this, and the place of the block in its context; texts before those of single requests. */
export const BLOCKS_PER_TEXT = 1_048_576;
const SHARED_TEXTS = 2_147_483_648;
/** Keys from here on are of blocks that one request alone can have; all blocks after such a one are so too. */
export const OWN_KEYS = SHARED_TEXTS * BLOCKS_PER_TEXT;

/** Number of the text that a key is of. */
export function textOf(key: number): number {
  return Math.floor(key / BLOCKS_PER_TEXT);
}

/** A prompt as at most two shared beginnings and a rest of its own: a system prompt, then the earlier turns of its session. */
export interface SharedBeginnings {
  /** Number of the shared text (0 … 2³⁰ − 1), −1 = none; and how many tokens of this prompt it is. */
  systemStream(ordinal: number): number;
  systemTokens(ordinal: number): number;
  /** Number of the session (0 … 2³⁰ − 1), −1 = none. All beyond the system prompt is the session's text, answers included. */
  sessionStream(ordinal: number): number;
}

/** Beginnings that the prompts of a class share: one of `groups` texts of `tokens` tokens, each as likely. */
export interface SharedPrefix {
  readonly tokens: number;
  readonly groups: number;
}

/** What traffic knows of its prompts beyond the beginnings of their classes: sessions, or the hashes of a recording. */
export interface KnownText {
  /** Number of the session of request `ordinal`, the same for all its turns; of a request without one a number of its own. */
  session(ordinal: number): number;
  /**
   * Number (0 … 2³⁰ − 1) of the text that begins the context of request `ordinal` up to token `endToken`; −1 = nobody else has it.
   * Two contexts with the same number for the same token agree up to it. Asked while the request is under way.
   */
  text(ordinal: number, endToken: number): number;
  /** A context has one text from its beginning to its end. */
  readonly oneText: boolean;
}

/** Second key word of the draws of groups. */
const GROUP_KEY = 0x4752;

/** No two requests have anything in common; a request that is computed again still finds its own blocks. */
export const NOTHING_SHARED: PromptContent = {
  key: (ordinal, _, block) => OWN_KEYS + ordinal * BLOCKS_PER_TEXT + block,
  run: () => Infinity,
};

/** The same content with −1 for blocks that no other request can have. */
export function sharedOnly(content: PromptContent): PromptContent {
  return {
    key(ordinal, classIndex, block) {
      const key = content.key(ordinal, classIndex, block);
      return key < OWN_KEYS ? key : -1;
    },
    run: () => 1,
  };
}

/** Content in which a block is shared when it lies wholly within a shared beginning. */
export function sharedContent(beginnings: SharedBeginnings, blockTokens: number): PromptContent {
  return {
    key(ordinal, classIndex, block) {
      const system = beginnings.systemStream(ordinal);
      if (system >= 0 && (block + 1) * blockTokens <= beginnings.systemTokens(ordinal))
        return 2 * system * BLOCKS_PER_TEXT + block;
      const session = beginnings.sessionStream(ordinal);
      if (session >= 0) return (2 * session + 1) * BLOCKS_PER_TEXT + block;
      return NOTHING_SHARED.key(ordinal, classIndex, block);
    },
    run(ordinal, _, block) {
      const wholly = Math.floor(beginnings.systemTokens(ordinal) / blockTokens) - block;
      return beginnings.systemStream(ordinal) >= 0 && wholly > 0 ? wholly : Infinity;
    },
  };
}

/**
 * Content of classes that each begin their prompts with texts of their own; null = a class shares nothing. What follows is as the
 * traffic knows it: `known`, null = nothing. All turns of a session have one beginning.
 */
export function classContent(
  prefixes: readonly (SharedPrefix | null)[],
  luckKey: number,
  blockTokens: number,
  known: KnownText | null = null,
): PromptContent {
  let streams = 0;
  const firstStream = prefixes.map((prefix) => {
    const first = streams;
    streams += prefix?.groups ?? 0;
    return first;
  });
  return {
    key(ordinal, classIndex, block) {
      const prefix = prefixes[classIndex]!;
      const endToken = (block + 1) * blockTokens;
      if (prefix === null || endToken > prefix.tokens) {
        const text = known === null ? -1 : known.text(ordinal, endToken);
        if (text >= 0) return (2 * text + 1) * BLOCKS_PER_TEXT + block;
        return NOTHING_SHARED.key(ordinal, classIndex, block);
      }
      threefry2x32(luckKey, GROUP_KEY, known === null ? ordinal : known.session(ordinal), 0);
      const group = Math.floor(unit(words[0]!) * prefix.groups);
      return 2 * (firstStream[classIndex]! + group) * BLOCKS_PER_TEXT + block;
    },
    run(_, classIndex, block) {
      const prefix = prefixes[classIndex]!;
      const wholly = prefix === null ? 0 : Math.floor(prefix.tokens / blockTokens) - block;
      if (wholly > 0) return wholly;
      return known === null || known.oneText ? Infinity : 1;
    },
  };
}
