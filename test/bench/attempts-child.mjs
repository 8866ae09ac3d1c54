/**
 * Attempts at API offers and nothing else, on the built code as it ships: each is admitted or refused, drawn, ended and
 * billed. Seconds are those of the processor. Reads {offers, attempts, seed, repeats} from stdin, prints one JSON object.
 */
import "../../dist/node/v8-flags.js";
import { readFileSync } from "node:fs";
import { resolveExperiment } from "../../dist/experiment/resolve.js";
import { loadCatalog } from "../../dist/node/catalog-files.js";
import { ADMITTED, Offer } from "../../dist/provider/offer.js";

/** Attempts a second at one offer, in flight at once, and what each asks for. */
const RATE_PER_S = 60;
const IN_FLIGHT = 1024;
const INPUT = 1200;
const OUTPUT = 150;
const MAX_OUTPUT = 1024;
const { offers: names, attempts, seed, repeats } = JSON.parse(readFileSync(0, "utf8"));
const { catalog } = await loadCatalog();
const { experiment } = resolveExperiment(
  {
    id: "attempts",
    title: "Attempts",
    question: "How long does an attempt take?",
    start: "2026-11-02",
    days: 1,
    seed,
    classes: [{ name: "all", share: 1, slo: { ttftMs: 2000 } }],
    traffic: { preset: "chat-consumer" },
    client: "none",
    strategies: {
      api: {
        title: "API",
        option: "api",
        offers: Object.fromEntries(names.map((offer, i) => [`offer-${i}`, { offer, outages: "none" }])),
        routes: { all: names.map((_, i) => `offer-${i}`) },
      },
    },
  },
  catalog,
);

let seconds = Infinity;
let admitted = 0;
let growthMiB = 0;
for (let repeat = 0; repeat < repeats; repeat++) {
  const context = {
    seed,
    replication: repeat,
    startEpochS: experiment.startEpochS,
    horizonS: attempts / RATE_PER_S,
    warmupS: 0,
  };
  const offers = experiment.strategies[0].offers.map((spec) => new Offer(spec, context));
  const startUs = process.cpuUsage().user;
  admitted = attempt(offers, 0, attempts / 10);
  globalThis.gc();
  const before = process.memoryUsage();
  admitted += attempt(offers, attempts / 10, attempts);
  seconds = Math.min(seconds, (process.cpuUsage().user - startUs) / 1e6);
  globalThis.gc();
  const after = process.memoryUsage();
  growthMiB = (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / 2 ** 20;
}

/** Attempts `from` up to `to`, each offer in its turn; those in flight end `IN_FLIGHT` attempts later. */
function attempt(offers, from, to) {
  const attemptS = new Float64Array(IN_FLIGHT);
  const running = new Uint8Array(IN_FLIGHT);
  const count = offers.length;
  let taken = 0;
  for (let i = from; i < to; i++) {
    const offer = offers[i % count];
    const slot = i % IN_FLIGHT;
    const timeS = i / (RATE_PER_S * count);
    if (running[slot] === 1) {
      const old = offers[(i - IN_FLIGHT) % count];
      old.finish(timeS, attemptS[slot], INPUT, 0, MAX_OUTPUT, OUTPUT);
      old.bill(attemptS[slot], INPUT, 0, OUTPUT);
    }
    running[slot] = 0;
    if (offer.attempt(timeS, i, 0, INPUT, OUTPUT, MAX_OUTPUT) === ADMITTED) {
      running[slot] = 1;
      attemptS[slot] = timeS;
      taken++;
    }
  }
  // What is still running ends here, so that no limit is left held.
  const endS = (to - 1) / (RATE_PER_S * count);
  for (let i = to - IN_FLIGHT; i < to; i++) {
    const slot = i % IN_FLIGHT;
    if (i >= from && running[slot] === 1) {
      offers[i % count].finish(endS, attemptS[slot], INPUT, 0, MAX_OUTPUT, OUTPUT);
    }
  }
  return taken;
}

// High-water mark of this process's resident memory.
const peakKiB = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
console.log(
  JSON.stringify({
    attempts,
    requestsPerS: Math.round(attempts / seconds),
    nsPerEvent: Math.round((seconds * 1e9) / attempts),
    admittedFraction: Number((admitted / attempts).toFixed(4)),
    peakMemoryMiB: Math.round(peakKiB / 1024),
    memoryGrowthMiB: Number(growthMiB.toFixed(2)),
  }),
);
