/**
 * What prompts have in common, as a prefix cache would see it: each prompt is the beginning of a shared system prompt
 * followed by the beginning of its session's own stream of tokens. Lengths in tokens.
 */
import type { Draw } from "../../kernel/random.ts";
import type { CaseLengths, RecordedCase } from "./case.ts";
import { LoadError, drawLengths } from "./lengths.ts";

/**
 * Columns by request. A prompt is `prefixTokens` of stream `prefixStream`, then the session's stream from its start:
 * `sessionTokens` that earlier requests of the session have shown to the engine (as prompt or as answer), then new ones.
 * Two prompts of the same stream agree as far as both reach into it; streams of different numbers share nothing.
 */
export interface PromptContent {
  /** Number of the system prompt; −1 for none. */
  readonly prefixStream: Float64Array;
  readonly prefixTokens: Uint32Array;
  /** Number of the session; each request that belongs to none is a session of its own. */
  readonly sessionStream: Float64Array;
  readonly sessionTokens: Uint32Array;
}

interface SharedPrompts {
  readonly inputTokens: Uint32Array;
  readonly content: PromptContent;
  readonly after: Int32Array | null;
}

/**
 * The prompts of a load with `sharedPrefixTokens` or `prefix`; null for other loads. `outputTokens` are those of its
 * requests in order. Throws LoadError for what the load leaves open.
 *
 * Users take turns in one random order, as inference-perf's shared-prefix generator has them. Without `multiTurn` a user
 * whose turn comes again repeats his prompt word for word. With it the prompt is the whole conversation and one more
 * question, and it waits for the answer before: `after`.
 */
export function sharedPrompts(
  load: RecordedCase["load"],
  outputTokens: Uint32Array,
  lengthDraw: Draw,
  userDraw: Draw,
): SharedPrompts | null {
  if (load.prefix !== undefined) return turns(load.prefix, outputTokens, lengthDraw, userDraw);
  const shared = load.sharedPrefixTokens ?? 0;
  if (shared === 0) return null;
  if (load.inputTokens === undefined) throw new LoadError("token lengths are not recorded");
  const size = outputTokens.length;
  const inputTokens = drawLengths(load.inputTokens, size, lengthDraw, "inputTokens");
  const prefixTokens = Math.round(shared);
  if (inputTokens.some((tokens) => tokens < prefixTokens))
    throw new LoadError(`prompts shorter than the shared prefix of ${prefixTokens} tokens`);
  return {
    inputTokens,
    content: {
      prefixStream: new Float64Array(size),
      prefixTokens: new Uint32Array(size).fill(prefixTokens),
      sessionStream: Float64Array.from({ length: size }, (_, i) => i),
      sessionTokens: new Uint32Array(size),
    },
    after: null,
  };
}

type Prefix = NonNullable<RecordedCase["load"]["prefix"]>;

function turns(prefix: Prefix, outputTokens: Uint32Array, lengthDraw: Draw, userDraw: Draw): SharedPrompts {
  const { groups, multiTurn } = prefix;
  const size = outputTokens.length;
  if (multiTurn && prefix.usersPerGroup === undefined) throw new LoadError("multi-turn prompts without usersPerGroup");
  // Not recorded: nobody comes twice.
  const usersPerGroup = prefix.usersPerGroup ?? Math.ceil(size / groups);
  const users = groups * usersPerGroup;
  const system = drawLengths(need(prefix.systemTokens, "systemTokens"), groups, lengthDraw, "systemTokens");
  const question = drawLengths(need(prefix.questionTokens, "questionTokens"), users, lengthDraw, "questionTokens");
  const order = shuffled(users, userDraw);
  /** Tokens of each user's stream that are out so far. */
  const told = new Uint32Array(users);
  const inputTokens = new Uint32Array(size);
  const after = new Int32Array(size).fill(-1);
  const content: PromptContent = {
    prefixStream: new Float64Array(size),
    prefixTokens: new Uint32Array(size),
    sessionStream: new Float64Array(size),
    sessionTokens: new Uint32Array(size),
  };
  for (let i = 0; i < size; i++) {
    const user = order[i % users]!;
    const group = Math.floor(user / usersPerGroup);
    content.prefixStream[i] = group;
    content.prefixTokens[i] = system[group]!;
    content.sessionStream[i] = user;
    content.sessionTokens[i] = told[user]!;
    const own = multiTurn ? told[user]! + question[user]! : question[user]!;
    inputTokens[i] = system[group]! + own;
    told[user] = multiTurn ? own + outputTokens[i]! : own;
    if (multiTurn && i >= users) after[i] = i - users;
  }
  return { inputTokens, content, after: multiTurn ? after : null };
}

function need(lengths: CaseLengths | undefined, name: string): CaseLengths {
  if (lengths === undefined) throw new LoadError(`a prefix without ${name}`);
  return lengths;
}

/** The numbers below `size` in random order (Fisher and Yates). */
function shuffled(size: number, draw: Draw): Uint32Array {
  const order = Uint32Array.from({ length: size }, (_, i) => i);
  for (let last = size - 1; last > 0; last--) {
    const other = Math.floor(draw() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}
