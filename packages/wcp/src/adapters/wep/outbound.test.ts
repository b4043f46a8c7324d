import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Envelope, envelope } from "@subnet-worker/protocol";
import { describe, expect, it } from "vitest";
import { Outbound } from "./outbound.ts";

const ping = (nonce: bigint): Envelope => envelope("ping", { nonce });

function nonceOf({ msg }: Envelope): bigint {
  return msg.case === "ping" ? msg.value.nonce : -1n;
}

/** Reads all there is until the end, and says how far it is. */
function read(outbound: Outbound): { readonly nonces: bigint[]; readonly ended: Promise<void> } {
  const nonces: bigint[] = [];
  const ended = (async () => {
    for await (const message of outbound) nonces.push(nonceOf(message));
  })();
  return { nonces, ended };
}

/** Collects garbage now. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

describe("messages that wait to be written", () => {
  it("come out in order, those from before the reader first", async () => {
    const outbound = new Outbound({ limit: 10, onOverflow: () => undefined });
    outbound.push(ping(1n));
    outbound.push(ping(2n));
    const { nonces, ended } = read(outbound);
    await Promise.resolve();
    outbound.push(ping(3n));
    outbound.close();
    await ended;
    expect(nonces).toEqual([1n, 2n, 3n]);
  });

  it("are still written when the stream is closed, and none after that", async () => {
    const outbound = new Outbound({ limit: 10, onOverflow: () => undefined });
    outbound.push(ping(1n));
    outbound.close();
    outbound.push(ping(2n));
    const { nonces, ended } = read(outbound);
    await ended;
    expect(nonces).toEqual([1n]);
  });

  it("wake a reader that waits, each time", async () => {
    const outbound = new Outbound({ limit: 10, onOverflow: () => undefined });
    const iterator = outbound[Symbol.asyncIterator]();
    for (const nonce of [1n, 2n, 3n]) {
      const next = iterator.next();
      outbound.push(ping(nonce));
      const { value } = (await next) as IteratorYieldResult<Envelope>;
      expect(nonceOf(value)).toBe(nonce);
    }
    const next = iterator.next();
    outbound.close();
    expect(await next).toEqual({ value: undefined, done: true });
  });

  it("beyond the limit are told of, not kept: nobody is reading", () => {
    let overflows = 0;
    const outbound = new Outbound({ limit: 3, onOverflow: () => (overflows += 1) });
    for (let nonce = 0n; nonce < 5n; nonce += 1n) outbound.push(ping(nonce));
    expect(overflows).toBe(2);
  });

  it.each([1, 64])(
    "are let go of once they are sent, in batches of %i, by a queue that never runs empty",
    async (maxBatch) => {
      const outbound = new Outbound({ limit: 1_000, onOverflow: () => expect.unreachable() });
      outbound.maxBatch = maxBatch;
      const sent: WeakRef<Envelope>[] = [];
      const nonces: bigint[] = [];
      const push = (nonce: bigint) => {
        const message = ping(nonce);
        sent.push(new WeakRef(message));
        outbound.push(message);
      };
      let pushed = 0n;
      const topUp = () => {
        for (; pushed < BigInt(nonces.length) + 100n; pushed += 1n) push(pushed);
      };
      topUp();
      while (nonces.length < 5_000) {
        const { value } = (await outbound.next()) as IteratorYieldResult<Envelope>;
        const { msg } = value;
        nonces.push(...(msg.case === "batch" ? msg.value.envelopes.map(nonceOf) : [nonceOf(value)]));
        topUp();
      }
      expect(nonces).toEqual(nonces.map((_, index) => BigInt(index)));
      // What a WeakRef was made for is held until the turn of the event loop is over.
      await new Promise((resolve) => void setImmediate(resolve));
      collectGarbage();
      const held = sent.filter((reference) => reference.deref() !== undefined).length;
      expect(held).toBeGreaterThanOrEqual(100);
      expect(held).toBeLessThan(500);
    },
  );
});
