import type { Capabilities, CapacityUpdate } from "@subnet-worker/protocol";
import type { ExecutorView, SlotWish } from "../../ports.ts";

/** Slots of one class of work on one WEP. */
export interface ClassRoom {
  /** cpu, gpu or io; empty for a WEP without classes. */
  readonly name: string;
  readonly slots: number;
  readonly tags: readonly string[];
  /** Taken by us. */
  inUse: number;
  /** Of those, the ones that the WEP knows of, so that its reports count them. */
  known: number;
  /** Free by the WEP's last report; `undefined` before any. */
  credit: number | undefined;
}

/** A slot that is out. */
export interface TakenSlot {
  readonly className: string;
  /** The WEP has acked what runs in it, so that its reports of free slots count it. */
  isKnown: boolean;
}

const ANY = "";

/**
 * What one WEP can take, by class.
 *
 * Several WCPs may share a WEP, so its own word counts besides its number of slots: never more than the last
 * report says is free, less what was taken since and the WEP had not acked when it made the report.
 */
export class Room {
  readonly #classes = new Map<string, ClassRoom>();
  /** Class by kind and version. Empty: any kind. */
  readonly #kinds = new Map<string, string>();
  #tags: ReadonlySet<string> = new Set();

  constructor() {
    this.forget([]);
  }

  /** As of a peer that has said nothing: one slot, any kind. `taken`: the slots that are out. */
  forget(taken: Iterable<TakenSlot>): void {
    this.#tags = new Set();
    this.#kinds.clear();
    this.#setClasses([{ name: ANY, maxConcurrency: 1, tags: [] }]);
    for (const slot of taken) slot.isKnown = false;
    this.#count(taken);
  }

  /** What the WEP says it can run. */
  tell({ maxConcurrency, tags, kinds, classes }: Capabilities, taken: Iterable<TakenSlot>): void {
    this.#tags = new Set(tags);
    this.#setClasses(classes.length === 0 ? [{ name: ANY, maxConcurrency, tags: [] }] : classes);
    this.#kinds.clear();
    for (const { kind, version, class: name } of kinds) this.#kinds.set(kindKey({ kind, version }), name);
    this.#count(taken);
  }

  /** What the WEP says is free. */
  report({ availableSlots, classes }: CapacityUpdate): void {
    const only = this.#classes.get(ANY);
    if (only !== undefined) only.credit = availableSlots;
    for (const { name, availableSlots: free } of classes) {
      const room = this.#classes.get(name);
      if (room !== undefined) room.credit = free;
    }
  }

  /** The class of a slot that can run this and is free or `evenIfFull`; `undefined` when there is none. */
  find(wish: SlotWish, evenIfFull = false): ClassRoom | undefined {
    if (this.#kinds.size > 0) {
      const name = this.#kinds.get(kindKey(wish));
      if (name === undefined) return undefined;
      const room = this.#classes.get(name);
      if (room !== undefined) return this.#fits(room, wish, evenIfFull) ? room : undefined;
    }
    // A kind without a class of its own takes what there is.
    let best: ClassRoom | undefined;
    for (const room of this.#classes.values()) {
      if (!this.#fits(room, wish, evenIfFull)) continue;
      if (best === undefined || freeOf(room) > freeOf(best)) best = room;
    }
    return best;
  }

  /** The WEP has acked what runs in it, or it is to run something new. */
  setKnown(slot: TakenSlot, isKnown: boolean): void {
    if (slot.isKnown === isKnown) return;
    slot.isKnown = isKnown;
    const room = this.#classes.get(slot.className);
    if (room !== undefined) room.known += isKnown ? 1 : -1;
  }

  release({ className, isKnown }: TakenSlot): void {
    const room = this.#classes.get(className);
    if (room === undefined) return;
    room.inUse -= 1;
    if (isKnown) room.known -= 1;
  }

  get free(): number {
    let free = 0;
    for (const room of this.#classes.values()) free += freeOf(room);
    return free;
  }

  get slots(): number {
    let slots = 0;
    for (const room of this.#classes.values()) slots += room.slots;
    return slots;
  }

  /** For the operator. */
  view(): ExecutorView["classes"] {
    return [...this.#classes.values()].map((room) => ({
      name: room.name,
      slots: room.slots,
      free: freeOf(room),
      tags: [...new Set([...this.#tags, ...room.tags])],
    }));
  }

  /** Names and versions; empty for any. */
  get kinds(): readonly string[] {
    return [...this.#kinds.keys()];
  }

  #fits(room: ClassRoom, { needs = [] }: SlotWish, evenIfFull: boolean): boolean {
    if (!evenIfFull && freeOf(room) === 0) return false;
    return needs.every((tag) => this.#tags.has(tag) || room.tags.includes(tag));
  }

  /** Of classes that were told anew; a slot of one that is gone counts nowhere. */
  #count(taken: Iterable<TakenSlot>): void {
    for (const { className, isKnown } of taken) {
      const room = this.#classes.get(className);
      if (room === undefined) continue;
      room.inUse += 1;
      if (isKnown) room.known += 1;
    }
  }

  #setClasses(classes: readonly ClassSlots[]): void {
    this.#classes.clear();
    for (const { name, maxConcurrency, tags } of classes) {
      const slots = name === ANY ? Math.max(1, maxConcurrency) : maxConcurrency;
      this.#classes.set(name, { name, slots, tags, inUse: 0, known: 0, credit: undefined });
    }
  }
}

interface ClassSlots {
  readonly name: string;
  readonly maxConcurrency: number;
  readonly tags: readonly string[];
}

export function freeOf({ slots, inUse, known, credit }: ClassRoom): number {
  const room = slots - inUse;
  return Math.max(0, credit === undefined ? room : Math.min(room, credit - (inUse - known)));
}

function kindKey({ kind, version }: { readonly kind: string; readonly version: string }): string {
  return `${kind} ${version}`;
}
