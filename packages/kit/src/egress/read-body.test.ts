import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { readBody, type ReadBodyOptions } from "./read-body.ts";

const options: ReadBodyOptions = { mostBytes: 1 << 20, tooLarge: () => new Error("too large") };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("after many chunks other work has its turn, and then the message goes on", async () => {
  const source = new PassThrough();
  const events: string[] = [];
  const body = readBody(source, options);
  await turn();
  for (const event of ["pause", "resume"]) source.on(event, () => events.push(event));
  const whole = Uint8Array.from({ length: 5_000 }, (_, index) => index % 251);
  const write = (begin: number, end: number) => {
    for (let index = begin; index < end; index += 1) source.write(whole.slice(index, index + 1));
  };
  write(0, 1_023);
  expect(events).toEqual([]);
  write(1_023, 5_000);
  expect(events).toEqual(["pause"]);
  source.end();
  let turns = 0;
  const countTurns = () => {
    turns += 1;
    if (!source.readableEnded) setImmediate(countTurns);
  };
  setImmediate(countTurns);
  expect(Buffer.compare(await body, whole)).toBe(0);
  expect(events).toEqual(Array.from({ length: 4 }, () => ["pause", "resume"]).flat());
  // It ends in the turn of the last.
  expect(turns).toBeGreaterThanOrEqual(3);
});

test("chunks are copied together, whatever sizes they have", async () => {
  const source = new PassThrough();
  const body = readBody(source, options);
  const whole = Uint8Array.from({ length: 400_000 }, (_, index) => index % 251);
  for (let from = 0, size = 1; from < whole.length; from += size, size = (size * 3) % 70_000) {
    const chunk = whole.slice(from, from + size);
    source.write(chunk);
    // It is the writer's again.
    chunk.fill(0);
  }
  source.end();
  expect(Buffer.compare(await body, whole)).toBe(0);
});

test("a body of the largest size is given back, and one byte more is too large", async () => {
  for (const mostBytes of [0, 1, 100_000]) {
    const right = new PassThrough();
    const body = readBody(right, { ...options, mostBytes });
    right.end(new Uint8Array(mostBytes));
    expect((await body).length).toBe(mostBytes);
    const large = new PassThrough();
    const refused = readBody(large, { ...options, mostBytes });
    large.end(new Uint8Array(mostBytes + 1));
    await expect(refused).rejects.toThrow("too large");
  }
});

test("a message that ends before its time is an error", async () => {
  const source = new PassThrough();
  const body = readBody(source, options);
  source.write("half of");
  source.destroy();
  await expect(body).rejects.toThrow(/close/i);
});
