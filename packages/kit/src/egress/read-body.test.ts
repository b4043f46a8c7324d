import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { readBody, type ReadBodyOptions } from "./read-body.ts";

/** A message whose socket notes what is asked of it. */
function message() {
  const events: string[] = [];
  let isPaused = false;
  const socket = {
    isPaused: () => isPaused,
    pause() {
      isPaused = true;
      events.push("paused");
      return this as never;
    },
    resume() {
      isPaused = false;
      events.push("resumed");
      return this as never;
    },
  };
  const source = Object.assign(new PassThrough(), { socket });
  return { source, events };
}

const options: ReadBodyOptions = { mostBytes: 1 << 20, tooLarge: () => new Error("too large") };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("after many chunks other work has its turn, and then the socket goes on", async () => {
  const { source, events } = message();
  const body = readBody(source, options);
  let written = 0;
  const writeUpTo = (count: number) => {
    for (; written < count; written += 1) source.write(Uint8Array.of(written % 251));
  };
  writeUpTo(1_023);
  expect(events).toEqual([]);
  // Whatever is in already is taken, and the socket paused once for it.
  writeUpTo(3_000);
  expect(events).toEqual(["paused"]);
  await turn();
  writeUpTo(3_071);
  expect(events).toEqual(["paused", "resumed"]);
  writeUpTo(5_000);
  expect(events).toEqual(["paused", "resumed", "paused"]);
  source.end();
  expect(await body).toEqual(Uint8Array.from({ length: 5_000 }, (_, index) => index % 251));
  await turn();
  expect(events).toEqual(["paused", "resumed", "paused", "resumed"]);
});

test("chunks are copied together, whatever sizes they have", async () => {
  const { source, events } = message();
  const body = readBody(source, options);
  const whole = Uint8Array.from({ length: 400_000 }, (_, index) => index % 251);
  for (let from = 0, size = 1; from < whole.length; from += size, size = (size * 3) % 70_000) {
    const chunk = whole.slice(from, from + size);
    source.write(chunk);
    // It is the writer's again.
    chunk.fill(0);
  }
  source.end();
  expect(await body).toEqual(whole);
  expect(events).toEqual([]);
});

test("a body of the largest size is given back, and one byte more is too large", async () => {
  for (const mostBytes of [0, 1, 100_000]) {
    const right = message();
    const body = readBody(right.source, { ...options, mostBytes });
    right.source.end(new Uint8Array(mostBytes));
    expect((await body).length).toBe(mostBytes);
    const large = message();
    const refused = readBody(large.source, { ...options, mostBytes });
    large.source.end(new Uint8Array(mostBytes + 1));
    await expect(refused).rejects.toThrow("too large");
  }
});

test("a message that ends before its time is an error", async () => {
  const { source } = message();
  const body = readBody(source, options);
  source.write("half of");
  source.destroy();
  await expect(body).rejects.toThrow(/close/i);
});
