/**
 * Requests waiting at one replica in the order of a plug-in: a binary heap by (key, ticket), or one heap for each tenant with
 * the tenants by the service they have had. Of the table's columns `heapSlot` is the place in the heap of one that waits.
 */
import { chargesOf, numberKey } from "./policy-faults.ts";
import type { OrderPlugin, QueueOrder, RequestFacts, TenantCharges } from "./policies/policy.ts";
import { NO_SLOT, type RequestTable } from "./request-table.ts";

class KeyedHeap {
  count = 0;
  slots: Int32Array = new Int32Array(16);
  private readonly table: RequestTable;

  constructor(table: RequestTable) {
    this.table = table;
  }

  first(): number {
    return this.count === 0 ? NO_SLOT : this.slots[0];
  }

  push(slot: number): void {
    if (this.count === this.slots.length) {
      const bigger = new Int32Array(this.slots.length * 2);
      bigger.set(this.slots);
      this.slots = bigger;
    }
    this.rise(slot, this.count++);
  }

  remove(slot: number): void {
    const hole = this.table.heapSlot[slot];
    const last = this.slots[--this.count];
    if (last === slot) return;
    this.rise(last, hole);
    if (this.table.heapSlot[last] === hole) this.sink(last, hole);
  }

  private before(a: number, b: number): boolean {
    const { orderKey, orderTicket } = this.table;
    return orderKey[a] < orderKey[b] || (orderKey[a] === orderKey[b] && orderTicket[a] < orderTicket[b]);
  }

  private rise(slot: number, hole: number): void {
    const { slots, table } = this;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.before(slot, slots[parent])) break;
      slots[hole] = slots[parent];
      table.heapSlot[slots[hole]] = hole;
      hole = parent;
    }
    slots[hole] = slot;
    table.heapSlot[slot] = hole;
  }

  private sink(slot: number, hole: number): void {
    const { slots, table } = this;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= this.count) break;
      if (child + 1 < this.count && this.before(slots[child + 1], slots[child])) child++;
      if (!this.before(slots[child], slot)) break;
      slots[hole] = slots[child];
      table.heapSlot[slots[hole]] = hole;
      hole = child;
    }
    slots[hole] = slot;
    table.heapSlot[slot] = hole;
  }
}

/** What tenants have been served, in whole tokens so that it does not matter in how many parts they are booked. */
class TenantService {
  readonly inputTokens: Float64Array;
  readonly outputTokens: Float64Array;
  /** Lifted when a tenant comes back, so that time away is not saved up. */
  readonly lift: Float64Array;
  /** Came back since the last boundary. */
  readonly fresh: Uint8Array;
  lastToLeave = NO_SLOT;
  private readonly charges: TenantCharges;

  constructor(charges: TenantCharges, tenants: number) {
    this.charges = charges;
    this.inputTokens = new Float64Array(tenants);
    this.outputTokens = new Float64Array(tenants);
    this.lift = new Float64Array(tenants);
    this.fresh = new Uint8Array(tenants);
  }

  of(tenant: number): number {
    const { inputWeight, outputWeight } = this.charges;
    return this.lift[tenant] + inputWeight * this.inputTokens[tenant] + outputWeight * this.outputTokens[tenant];
  }

  clear(): void {
    this.inputTokens.fill(0);
    this.outputTokens.fill(0);
    this.lift.fill(0);
    this.fresh.fill(0);
    this.lastToLeave = NO_SLOT;
  }

  raiseTo(tenant: number, service: number): void {
    const own = this.of(tenant);
    if (service > own) this.lift[tenant] += service - own;
  }
}

export class WaitingLine {
  count = 0;
  /** Null for orders by key alone. */
  private readonly service: TenantService | null;
  private readonly heaps: readonly KeyedHeap[];
  private readonly orderName: string;
  private readonly order: QueueOrder;
  private readonly facts: RequestFacts;
  private readonly table: RequestTable;
  private readonly lastAdmittedFirst: boolean;
  private ticket = 0;
  private frontTicket = 0;

  constructor(
    plugin: OrderPlugin,
    options: Readonly<Record<string, number>>,
    facts: RequestFacts,
    table: RequestTable,
    tenants: number,
  ) {
    this.orderName = plugin.name;
    this.order = plugin.create(options);
    this.facts = facts;
    this.table = table;
    this.lastAdmittedFirst = plugin.victim === "last-admitted";
    const charges = chargesOf(plugin, options);
    this.service = charges === null ? null : new TenantService(charges, tenants);
    this.heaps = Array.from({ length: charges === null ? 1 : tenants }, () => new KeyedHeap(table));
  }

  /** Who is first may change without anybody coming or going: service moves as tokens come out. */
  get shifts(): boolean {
    return this.service !== null;
  }

  /**
   * True when the step under way must end at its next boundary whoever is first: a tenant came back. Throws PolicyError where
   * the order gives no number: the heap would lose requests.
   */
  push(slot: number): boolean {
    const { orderKey, orderTicket } = this.table;
    orderKey[slot] = numberKey(this.orderName, this.order.key(this.facts, slot));
    orderTicket[slot] = ++this.ticket;
    const alone = this.enter(slot);
    if (this.service === null || !alone) return false;
    this.service.fresh[this.table.classIndex[slot]] = 1;
    return true;
  }

  /** Back from the batch: to the front under orders that preempt the last admitted, else to its old place. */
  pushPreempted(slot: number): void {
    if (this.lastAdmittedFirst) this.table.orderTicket[slot] = --this.frontTicket;
    this.enter(slot);
  }

  first(): number {
    return this.heaps[this.firstTenant()].first();
  }

  /** The i-th in no order. */
  at(i: number): number {
    let left = i;
    for (const heap of this.heaps) {
      if (left < heap.count) return heap.slots[left];
      left -= heap.count;
    }
    return NO_SLOT;
  }

  remove(slot: number): void {
    const heap = this.heapOf(slot);
    heap.remove(slot);
    this.count--;
    if (this.service !== null && heap.count === 0) {
      const tenant = this.table.classIndex[slot];
      // One that came and went between two boundaries was never levelled, so it is no level for others.
      if (this.service.fresh[tenant] === 0) this.service.lastToLeave = tenant;
      this.service.fresh[tenant] = 0;
    }
  }

  /** As after a restart: nobody waits and nobody was served. */
  clear(): void {
    for (const heap of this.heaps) heap.count = 0;
    this.count = 0;
    this.service?.clear();
  }

  /** At a boundary, before a step is formed: who came back starts level with those that waited, or with the last that left. */
  settle(): void {
    const { service, heaps } = this;
    if (service === null) return;
    let least = Infinity;
    for (let t = 0; t < heaps.length; t++)
      if (heaps[t].count > 0 && service.fresh[t] === 0) least = Math.min(least, service.of(t));
    if (least === Infinity && service.lastToLeave !== NO_SLOT) least = service.of(service.lastToLeave);
    for (let t = 0; t < heaps.length; t++) {
      if (service.fresh[t] === 1 && least < Infinity) service.raiseTo(t, least);
      service.fresh[t] = 0;
    }
  }

  /** Books what a tenant was served. */
  charge(tenant: number, inputTokens: number, outputTokens: number): void {
    if (this.service === null) return;
    this.service.inputTokens[tenant] += inputTokens;
    this.service.outputTokens[tenant] += outputTokens;
  }

  private heapOf(slot: number): KeyedHeap {
    return this.heaps[this.service === null ? 0 : this.table.classIndex[slot]];
  }

  /** True when it is the only one in its heap. */
  private enter(slot: number): boolean {
    const heap = this.heapOf(slot);
    heap.push(slot);
    this.count++;
    return heap.count === 1;
  }

  /** The waiting tenant with the least service, the first of equals; 0 when nobody waits. */
  private firstTenant(): number {
    const { service, heaps } = this;
    if (service === null) return 0;
    let best = 0;
    let least = Infinity;
    for (let t = 0; t < heaps.length; t++) {
      if (heaps[t].count === 0) continue;
      const had = service.of(t);
      if (had < least) {
        least = had;
        best = t;
      }
    }
    return best;
  }
}
