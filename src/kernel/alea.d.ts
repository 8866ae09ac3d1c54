declare module "seedrandom/lib/alea.js" {
  /** Johannes Baagøe's Alea generator as packaged by seedrandom: uniform in [0, 1) with 32 bits. */
  export default function alea(seed: string): () => number;
}
