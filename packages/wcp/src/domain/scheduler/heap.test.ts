import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Heap, type HeapNode } from "./heap.ts";

interface Item {
  key: number;
}

const step = fc.oneof(
  fc.record({ kind: fc.constant("push" as const), key: fc.integer({ min: 0, max: 20 }) }),
  fc.record({ kind: fc.constant("pop" as const) }),
  fc.record({ kind: fc.constant("remove" as const), which: fc.nat() }),
  fc.record({ kind: fc.constant("move" as const), which: fc.nat(), key: fc.integer({ min: 0, max: 20 }) }),
);

describe("a heap", () => {
  it("has the least in front, whatever is pushed, removed and moved", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const heap = new Heap<Item>((a, b) => a.key < b.key);
        const nodes: HeapNode<Item>[] = [];
        const out = (node: HeapNode<Item> | undefined) => {
          if (node === undefined) return;
          heap.remove(node);
          nodes.splice(nodes.indexOf(node), 1);
        };
        for (const each of steps) {
          if (each.kind === "push") nodes.push(heap.push({ key: each.key }));
          else if (each.kind === "pop") out(nodes.find(({ value }) => value === heap.peek()));
          else if (each.kind === "remove") out(nodes[each.which % Math.max(1, nodes.length)]);
          else {
            const node = nodes[each.which % Math.max(1, nodes.length)];
            if (node === undefined) continue;
            node.value.key = each.key;
            heap.update(node);
          }
          expect(heap.size).toBe(nodes.length);
          expect(heap.peek()?.key).toBe(
            nodes.length === 0 ? undefined : Math.min(...nodes.map(({ value }) => value.key)),
          );
        }
      }),
    );
  });

  it("lets go of what is out already", () => {
    const heap = new Heap<Item>((a, b) => a.key < b.key);
    const node = heap.push({ key: 1 });
    heap.push({ key: 2 });
    heap.remove(node);
    heap.remove(node);
    expect(heap.peek()).toEqual({ key: 2 });
    expect(heap.size).toBe(1);
  });
});
