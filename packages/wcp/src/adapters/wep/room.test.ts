import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CapabilitiesSchema, CapacityUpdateSchema } from "@subnet-worker/protocol";
import { describe, expect, it } from "vitest";
import { freeOf, Room, type TakenSlot } from "./room.ts";

const WISH = { kind: "a", version: "1.0.0" };

class Bench {
  readonly room: Room = new Room();
  readonly taken = new Set<TakenSlot>();

  tell(init: MessageInitShape<typeof CapabilitiesSchema>): this {
    this.room.tell(create(CapabilitiesSchema, init), this.taken);
    return this;
  }

  report(init: MessageInitShape<typeof CapacityUpdateSchema>): void {
    this.room.report(create(CapacityUpdateSchema, init));
  }

  take(wish: Parameters<Room["find"]>[0] = WISH, isHome = false): TakenSlot | undefined {
    const found = this.room.find(wish, isHome);
    if (found === undefined) return undefined;
    found.inUse += 1;
    const slot = { className: found.name, isKnown: false };
    this.taken.add(slot);
    return slot;
  }
}

const CLASSES = [
  { name: "cpu", maxConcurrency: 2, tags: ["avx512"] },
  { name: "gpu", maxConcurrency: 1, tags: ["gpu"] },
];
const KINDS = [
  { kind: "a", version: "1.0.0", class: "cpu" },
  { kind: "b", version: "1.0.0", class: "gpu" },
];

describe("slots by class", () => {
  it("are taken from the class of the kind, and another class does not help out", () => {
    const bench = new Bench().tell({ maxConcurrency: 3, classes: CLASSES, kinds: KINDS });
    expect([bench.take()?.className, bench.take()?.className]).toEqual(["cpu", "cpu"]);
    expect(bench.take()).toBeUndefined();
    expect(bench.take({ kind: "b", version: "1.0.0" })?.className).toBe("gpu");
    expect(bench.take({ kind: "b", version: "1.0.0" })).toBeUndefined();
    expect(bench.take({ kind: "b", version: "2.0.0" })).toBeUndefined();
  });

  it("of a WEP that takes any kind come from the class that has what the task needs", () => {
    const bench = new Bench().tell({ classes: CLASSES });
    expect(bench.take({ ...WISH, needs: ["gpu"] })?.className).toBe("gpu");
    expect(bench.take({ ...WISH, needs: ["gpu"] })).toBeUndefined();
    expect(bench.take()?.className).toBe("cpu");
  });

  it("fit when tags of the WEP and of the class together have all that is needed", () => {
    const bench = new Bench().tell({ tags: ["eu"], classes: CLASSES, kinds: KINDS });
    const b = { kind: "b", version: "1.0.0" };
    expect(bench.room.find({ ...b, needs: ["eu", "gpu"] })?.name).toBe("gpu");
    expect(bench.room.find({ ...b, needs: ["eu", "avx512"] })).toBeUndefined();
    expect(bench.room.find({ ...b, needs: [] })?.name).toBe("gpu");
  });

  it("of none at all are none, in a class; in a WEP without classes they are one", () => {
    expect(new Bench().tell({ classes: [{ name: "gpu", maxConcurrency: 0 }] }).take()).toBeUndefined();
    expect(new Bench().tell({ maxConcurrency: 0 }).take()).toBeDefined();
  });

  it("that are out are counted again when the classes are told anew", () => {
    const bench = new Bench().tell({ classes: CLASSES, kinds: KINDS });
    bench.take();
    bench.room.forget(bench.taken);
    expect(bench.room.free).toBe(1);
    bench.tell({ classes: CLASSES, kinds: KINDS });
    expect(bench.room.free).toBe(2);
  });
});

describe("what the WEP says is free", () => {
  it("limits what is taken, less what was taken since", () => {
    const bench = new Bench().tell({ maxConcurrency: 8 });
    bench.report({ availableSlots: 2 });
    expect(bench.take()).toBeDefined();
    expect(bench.room.free).toBe(1);
    expect(bench.take()).toBeDefined();
    expect(bench.take()).toBeUndefined();
  });

  it("counts what it has acked: that is not taken off once more", () => {
    const bench = new Bench().tell({ maxConcurrency: 4 });
    const slot = bench.take();
    if (slot !== undefined) bench.room.setKnown(slot, true);
    bench.report({ availableSlots: 3 });
    expect(bench.room.free).toBe(3);
    if (slot !== undefined) bench.room.setKnown(slot, false); // it is to run another
    expect(bench.room.free).toBe(2);
    if (slot !== undefined) bench.room.release(slot);
    expect(bench.room.free).toBe(3);
  });

  it("never makes more of it than its number of slots", () => {
    const bench = new Bench().tell({ maxConcurrency: 1 });
    bench.report({ availableSlots: 9 });
    expect(bench.room.free).toBe(1);
  });

  it("is heard by class", () => {
    const bench = new Bench().tell({ classes: CLASSES, kinds: KINDS });
    bench.report({ availableSlots: 0, classes: [{ name: "gpu", availableSlots: 0 }, { name: "x" }] });
    expect(bench.room.view().map(({ name, free }) => `${name} ${free}`)).toEqual(["cpu 2", "gpu 0"]);
  });

  it("is not less than nothing", () => {
    const room = { name: "", slots: 2, tags: [], inUse: 2, known: 0, credit: 0 };
    expect(freeOf(room)).toBe(0);
  });
});
