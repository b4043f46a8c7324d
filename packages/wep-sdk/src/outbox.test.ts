import { type Envelope, envelope } from "@subnet-worker/protocol";
import { describe, expect, it } from "vitest";
import { Outbox } from "./outbox.ts";

function ping(nonce: number): Envelope {
  return envelope("ping", { nonce: BigInt(nonce) });
}

function nonceOf({ msg }: Envelope): number {
  return msg.case === "ping" ? Number(msg.value.nonce) : -1;
}

async function rest(outbox: Outbox): Promise<number[]> {
  const nonces: number[] = [];
  for await (const message of outbox.drain()) nonces.push(nonceOf(message));
  return nonces;
}

describe("an outbox", () => {
  it("gives messages in order, those of one key once, in the first one's place", async () => {
    const outbox = new Outbox(10);
    outbox.push({ envelope: ping(1), key: "progress" });
    outbox.push({ envelope: ping(2) });
    outbox.push({ envelope: ping(3), key: "progress" });
    outbox.push({ envelope: ping(4) });
    outbox.end();
    expect(await rest(outbox)).toEqual([3, 2, 4]);
  });

  it("does not replace what was already taken", async () => {
    const outbox = new Outbox(10);
    const reader = outbox.drain();
    outbox.push({ envelope: ping(1), key: "progress" });
    await reader.next();
    outbox.push({ envelope: ping(2), key: "progress" });
    expect(nonceOf((await reader.next()).value as Envelope)).toBe(2);
  });

  it("writes what waits before it ends, and then says why it ended", async () => {
    const outbox = new Outbox(10);
    outbox.push({ envelope: ping(1) });
    outbox.end(new Error("dropped"));
    outbox.push({ envelope: ping(2) });
    const reader = outbox.drain();
    expect(nonceOf((await reader.next()).value as Envelope)).toBe(1);
    await expect(reader.next()).rejects.toThrow("dropped");
  });

  it("calls back once the transport asks for the next message, not before", async () => {
    const outbox = new Outbox(10);
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
    const outbox = new Outbox(2);
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
});
