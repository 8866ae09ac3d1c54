/** `replicas: auto`: the smallest fleet by a target that is known, pool by pool. */
import { expect, test } from "vitest";
import { fewestReplicas } from "../../src/experiment/size-pool.ts";
import { InfeasibleError } from "../../src/kernel/errors.ts";
import type { ResolvedPool } from "../../src/scenario/resolved.ts";
import { pool, strategy, to } from "../fixtures/strategies.ts";

const auto = (name: string, tensorParallelSize = 1): ResolvedPool =>
  pool({ name, replicas: "auto", engine: { tensorParallelSize } });

async function sizes(
  pools: readonly ResolvedPool[],
  meets: (replicas: readonly number[]) => boolean,
): Promise<{ sizes: number[]; tried: number }> {
  let tried = 0;
  const found = await fewestReplicas(strategy([[to("pool")]], pools), (replicas) => {
    tried++;
    return Promise.resolve(meets(replicas));
  });
  return { sizes: found, tried };
}

test("one pool: every size is found, in few tries", async () => {
  for (const needed of [1, 2, 3, 5, 8, 13, 700]) {
    const one = await sizes([auto("a")], ([a]) => a! >= needed);
    expect(one.sizes).toEqual([needed]);
    expect(one.tried).toBeLessThan(25);
  }
});

test("prefill and decode pools: each gets what it needs, numbers that are given stay", async () => {
  const both = await sizes([auto("prefill"), auto("decode")], ([p, d]) => p! >= 3 && d! >= 11);
  expect(both.sizes).toEqual([3, 11]);
  const given = await sizes([pool({ name: "prefill", replicas: 4 }), auto("decode")], ([p, d]) => p === 4 && d! >= 6);
  expect(given.sizes).toEqual([4, 6]);
  expect(await sizes([pool({ replicas: 4 })], () => false)).toEqual({ sizes: [4], tried: 0 });
});

test("where one can stand in for the other, the dearer replicas are spared", async () => {
  const work = (replicas: readonly number[]): boolean => replicas[0]! + replicas[1]! >= 8;
  expect((await sizes([auto("small"), auto("large", 4)], work)).sizes).toEqual([4, 4]);
  const spare = (replicas: readonly number[]): boolean => 2 * replicas[0]! + replicas[1]! >= 10;
  expect((await sizes([auto("small"), auto("large", 4)], spare)).sizes).toEqual([4, 2]);
});

test("no size suffices", async () => {
  const none = (...pools: ResolvedPool[]) => sizes(pools, () => false);
  await expect(none(auto("a"), auto("b"))).rejects.toThrow(InfeasibleError);
  await expect(none(auto("a"), pool({ name: "given" }))).rejects.toThrow("1024 replicas of pool a do not");
  await expect(none(auto("a"), auto("b"))).rejects.toThrow("1024 replicas in each of the pools a, b do not");
});
