import { type Envelope, envelope } from "@subnet-worker/protocol";
import { describe, expect, it } from "vitest";
import { Outbox, type OutboxOptions } from "./outbox.ts";

function ping(nonce: number): Envelope {
  return envelope("ping", { nonce: BigInt(nonce) });
}

function nonceOf({ msg }: Envelope): number {
  return msg.case === "ping" ? Number(msg.value.nonce) : -1;
}

function outboxOf(options: Partial<OutboxOptions> = {}): Outbox {
  return new Outbox({ capacity: 10, capacityBytes: 1_000_000, batchBytes: 100_000, ...options });
}

function completion(runId: string, sizeBytes: number): Envelope {
  return envelope("completion", { runId, resultInline: new Uint8Array(sizeBytes) });
}

/** What goes out, as lists of nonces; a batch of one is none. */
async function flights(outbox: Outbox): Promise<number[][]> {
  const out: number[][] = [];
  for await (const { msg } of outbox.drain()) {
    if (msg.case === "batch") out.push(msg.value.envelopes.map(nonceOf));
    else if (msg.case === "ping") out.push([Number(msg.value.nonce)]);
  }
  return out;
}

async function rest(outbox: Outbox): Promise<number[]> {
  const nonces: number[] = [];
  for await (const message of outbox.drain()) nonces.push(nonceOf(message));
  return nonces;
}

describe("an outbox", () => {
  it("gives messages in order, those of one key once, in the first one's place", async () => {
    const outbox = outboxOf();
    outbox.push({ envelope: ping(1), key: "progress" });
    outbox.push({ envelope: ping(2) });
    outbox.push({ envelope: ping(3), key: "progress" });
    outbox.push({ envelope: ping(4) });
    outbox.end();
    expect(await rest(outbox)).toEqual([3, 2, 4]);
  });

  it("does not replace what was already taken", async () => {
    const outbox = outboxOf();
    const reader = outbox.drain();
    outbox.push({ envelope: ping(1), key: "progress" });
    await reader.next();
    outbox.push({ envelope: ping(2), key: "progress" });
    expect(nonceOf((await reader.next()).value as Envelope)).toBe(2);
  });

  it("writes what waits before it ends, and then says why it ended", async () => {
    const outbox = outboxOf();
    outbox.push({ envelope: ping(1) });
    outbox.end(new Error("dropped"));
    outbox.push({ envelope: ping(2) });
    const reader = outbox.drain();
    expect(nonceOf((await reader.next()).value as Envelope)).toBe(1);
    await expect(reader.next()).rejects.toThrow("dropped");
  });

  it("calls back once the transport asks for the next message, not before", async () => {
    const outbox = outboxOf();
    const events: string[] = [];
    outbox.push({ envelope: ping(1), onWritten: () => events.push("written") });
    const reader = outbox.drain();
    await reader.next();
    events.push("taken");
    void reader.next();
    outbox.end();
    await reader.next();
    expect(events).toEqual(["taken", "written"]);
  });

  it("holds its owner's reader while it is full, and lets go when it ends", async () => {
    const outbox = outboxOf({ capacity: 2 });
    const events: string[] = [];
    outbox.push({ envelope: ping(1) });
    await outbox.room();
    outbox.push({ envelope: ping(2) });
    const waiting = outbox.room().then(() => events.push("room"));
    const reader = outbox.drain();
    await new Promise((resolve) => void setImmediate(resolve));
    events.push("read");
    await reader.next();
    await waiting;
    expect(events).toEqual(["read", "room"]);
    outbox.push({ envelope: ping(3) });
    const held = outbox.room();
    outbox.end();
    await held;
  });

  it("is full by bytes too", async () => {
    const outbox = outboxOf({ capacityBytes: 5_000 });
    outbox.push({ envelope: completion("small", 1_000) });
    expect(outbox.isFull).toBe(false);
    outbox.push({ envelope: completion("large", 4_000) });
    expect(outbox.isFull).toBe(true);
    await outbox.drain().next();
    expect(outbox.isFull).toBe(false);
  });

  it("asks for a message when it is written, and leaves out one that has nothing to say", async () => {
    const outbox = outboxOf();
    let nonce: number | undefined = 1;
    const news = { key: "news", envelope: () => (nonce === undefined ? undefined : ping(nonce)) };
    outbox.push(news);
    nonce = 2;
    outbox.push({ envelope: ping(3) });
    const reader = outbox.drain();
    expect(nonceOf((await reader.next()).value as Envelope)).toBe(2);
    nonce = undefined;
    outbox.push(news);
    outbox.push({ envelope: ping(4) });
    outbox.end();
    expect(await rest(outbox)).toEqual([3, 4]);
  });
});

describe("an outbox whose peer takes batches", () => {
  it("puts what waits into one message, in order, up to the peer's limit", async () => {
    const outbox = outboxOf();
    outbox.allowBatches(3);
    for (const nonce of [1, 2, 3, 4, 5, 6, 7]) outbox.push({ envelope: ping(nonce) });
    outbox.end();
    expect(await flights(outbox)).toEqual([[1, 2, 3], [4, 5, 6], [7]]);
  });

  it("waits for nothing that is not there", async () => {
    const outbox = outboxOf();
    outbox.allowBatches(100);
    const reader = outbox.drain();
    const first = reader.next();
    outbox.push({ envelope: ping(1) });
    expect(nonceOf((await first).value as Envelope)).toBe(1);
  });

  it("takes along what the same turn of the event loop says", async () => {
    const outbox = outboxOf();
    outbox.allowBatches(100);
    const reader = outbox.drain();
    const first = reader.next();
    for (const nonce of [1, 2, 3]) setImmediate(() => outbox.push({ envelope: ping(nonce) }));
    const { msg } = (await first).value as Envelope;
    expect(msg.case === "batch" && msg.value.envelopes.map(nonceOf)).toEqual([1, 2, 3]);
  });

  it("holds a batch below its bytes, and sends one that is larger by itself", async () => {
    const outbox = outboxOf({ batchBytes: 4_000 });
    outbox.allowBatches(100);
    for (const [runId, sizeBytes] of [
      ["a", 1_000],
      ["b", 1_000],
      ["c", 1_500],
      ["d", 9_000],
      ["e", 1],
    ] as const)
      outbox.push({ envelope: completion(runId, sizeBytes) });
    outbox.end();
    const sent: (number | string | undefined)[] = [];
    for await (const { msg } of outbox.drain())
      sent.push(msg.case === "batch" ? msg.value.envelopes.length : msg.case);
    expect(sent).toEqual([2, "completion", "completion", "completion"]);
  });

  it("calls back for each of a batch once the transport asks for more", async () => {
    const outbox = outboxOf();
    outbox.allowBatches(100);
    const written: number[] = [];
    for (const nonce of [1, 2]) outbox.push({ envelope: ping(nonce), onWritten: () => written.push(nonce) });
    const reader = outbox.drain();
    await reader.next();
    expect(written).toEqual([]);
    outbox.end();
    await reader.next();
    expect(written).toEqual([1, 2]);
  });
});
