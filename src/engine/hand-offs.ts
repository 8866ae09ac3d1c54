/** Keys and values on their way from the replicas that prefill: each sends one request's after another's, and keeps it until it is taken over. */

/** In place of a replica: none keeps it. */
export const NOBODY = -1;

export class HandOffs {
  /** By replica: when its network port is free again. */
  private readonly portFreeS: Float64Array;
  /** By slot of the request: the replica that keeps its KV. */
  private readonly keepers = new Map<number, number>();

  constructor(replicas: number) {
    this.portFreeS = new Float64Array(replicas).fill(-Infinity);
  }

  /** A replica has the KV ready to be sent, which takes its port for `transferS`. Returns when all of it has left. */
  send(slot: number, replica: number, readyS: number, transferS: number): number {
    const leftS = Math.max(readyS, this.portFreeS[replica]!) + transferS;
    this.portFreeS[replica] = leftS;
    this.keepers.set(slot, replica);
    return leftS;
  }

  /** Nobody needs to keep it any more: returns who did, to be told, or NOBODY. */
  settle(slot: number): number {
    const keeper = this.keepers.size === 0 ? undefined : this.keepers.get(slot);
    if (keeper === undefined) return NOBODY;
    this.keepers.delete(slot);
    return keeper;
  }
}
