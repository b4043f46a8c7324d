import { execFileSync } from "node:child_process";
import { FakeClock } from "@subnet-worker/testkit";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type HeapSize, type HeapState, nextHeap, watchHeap } from "./heap-watch.ts";

const MIB = 1_048_576;

function after(size: HeapSize, utilizations: readonly number[]): HeapSize {
  let state: HeapState = { size, against: 0 };
  for (const utilization of utilizations) state = nextHeap(state, utilization);
  return state.size;
}

function seconds(count: number, utilization: number): readonly number[] {
  return Array.from({ length: count }, () => utilization);
}

describe("the size of the heap", () => {
  it("becomes large in the third busy second in a row", () => {
    expect(after("small", seconds(2, 0.85))).toBe("small");
    expect(after("small", seconds(3, 0.85))).toBe("large");
    expect(after("small", [1, 1, 0.84, 1, 1])).toBe("small");
  });

  it("becomes small in the twentieth quiet second in a row", () => {
    expect(after("large", seconds(19, 0.39))).toBe("large");
    expect(after("large", seconds(20, 0.39))).toBe("small");
    expect(after("large", [...seconds(19, 0), 0.4, ...seconds(19, 0)])).toBe("large");
  });

  it("stays what it is while the process is neither busy nor quiet", () => {
    const between = fc.double({ min: 0.4, max: 0.849, noNaN: true });
    fc.assert(
      fc.property(fc.constantFrom<HeapSize>("small", "large"), fc.array(between), (size, utilizations) => {
        expect(after(size, utilizations)).toBe(size);
      }),
    );
  });

  it("needs as long for the way back as if it had been there for ever", () => {
    const grown = seconds(3, 1);
    expect(after("small", [...grown, ...seconds(19, 0)])).toBe("large");
    expect(after("small", [...grown, ...seconds(20, 0)])).toBe("small");
    expect(after("small", [...grown, ...seconds(20, 0), 1, 1])).toBe("small");
  });
});

describe("the watch", () => {
  it("looks once a second, and resizes only when that changes something", async () => {
    const clock = new FakeClock();
    const resized: string[] = [];
    let utilization = 1;
    const heap = {
      takeUtilization: () => utilization,
      resize: (size: HeapSize) => void resized.push(`${size} at ${clock.monotonicMs()}`),
    };
    {
      using _watch = watchHeap(heap, clock);
      await clock.advance(10_000);
      expect(resized).toEqual(["large at 3000"]);
      utilization = 0;
      await clock.advance(60_000);
      expect(resized).toEqual(["large at 3000", "small at 30000"]);
    }
    expect(clock.pendingCount).toBe(0);
  });
});

/** New space in MiB after much that lives for a while, with a small heap, then with a large one. */
const GROWS = `
import { getHeapSpaceStatistics } from "node:v8";
import { setHeapFlags } from "${new URL("./heap-watch.ts", import.meta.url).href}";
const kept = [];
const allocate = () => {
  for (let index = 0; index < 3_000_000; index += 1) kept[index % 100_000] = { index, text: [index] };
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space");
  return space.space_used_size + space.space_available_size;
};
setHeapFlags("small");
const small = allocate();
setHeapFlags("large");
console.log(JSON.stringify([small, allocate()]));
`;

describe("V8", () => {
  it("still reads the flags of new space after it has begun", () => {
    // Threads of its own would have a say in when V8 ends a collection, and so in how much new space grows meanwhile.
    const flags = ["--single-threaded", "--max-semi-space-size=16"];
    const args = [...flags, "--input-type=module", "-e", GROWS];
    const [small, large] = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as number[];
    expect(small).toBeLessThanOrEqual(4 * MIB);
    expect(large).toBeGreaterThanOrEqual(8 * MIB);
  });
});
