import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { Liveness } from "./liveness.ts";

function open(patience = () => 1) {
  const clock = new FakeClock();
  const asked: bigint[] = [];
  let silences = 0;
  const liveness = new Liveness(
    { pingIntervalMs: 2_000, silenceMs: 8_000 },
    { clock, ask: (nonce) => void asked.push(nonce), patience, onSilent: () => (silences += 1) },
  );
  return { clock, asked, liveness, silences: () => silences };
}

describe("a peer", () => {
  it("that says nothing is found at most one interval after the silence that it is allowed", async () => {
    const { clock, liveness, silences } = open();
    liveness.start();
    await clock.advance(9_999);
    expect(silences()).toBe(0);
    await clock.advance(1);
    expect(silences()).toBe(1);
    expect(clock.pendingCount).toBe(0);
  });

  it("that speaks is not silent", async () => {
    const { clock, liveness, silences } = open();
    liveness.start();
    for (let second = 0; second < 60; second += 5) {
      await clock.advance(5_000);
      liveness.heard();
    }
    expect(silences()).toBe(0);
  });

  it("is given more time when there is reason to", async () => {
    let patience = 10;
    const { clock, liveness, silences } = open(() => patience);
    liveness.start();
    await clock.advance(60_000);
    expect(silences()).toBe(0);
    patience = 1;
    await clock.advance(2_000);
    expect(silences()).toBe(1);
  });

  it("is not taken for silent because we were: a pause lasts one beat", () => {
    let nowMs = 0;
    let beat: (() => void) | undefined;
    let silences = 0;
    const clock = {
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      sleep: () => Promise.resolve(),
      timer: (_ms: number, fire: () => void) => {
        beat = fire;
        return { [Symbol.dispose]: () => undefined };
      },
    };
    const liveness = new Liveness(
      { pingIntervalMs: 2_000, silenceMs: 8_000 },
      { clock, ask: () => undefined, patience: () => 1, onSilent: () => (silences += 1) },
    );
    liveness.start();
    beat?.();
    nowMs += 3_600_000;
    beat?.();
    expect(silences).toBe(0);
    for (let more = 0; more < 3; more += 1) beat?.();
    expect(silences).toBe(1);
  });
});

describe("a ping", () => {
  it("is measured by its nonce, and an answer to another is nothing", async () => {
    const { clock, asked, liveness } = open();
    const answer = liveness.ask();
    await clock.advance(30);
    liveness.answered(99n);
    expect(liveness.roundTripMs).toBeUndefined();
    liveness.answered(asked[0] ?? 0n);
    expect(await answer).toBe(30);
    expect(liveness.roundTripMs).toBe(30);
  });

  it("is over when the session is", async () => {
    const { liveness } = open();
    const answer = liveness.ask();
    liveness[Symbol.dispose]();
    await expect(answer).rejects.toThrow("lost before the answer came");
    await expect(liveness.ask()).rejects.toThrow("the connection is gone");
  });

  it("that is never answered is forgotten in the end", async () => {
    const { clock, liveness } = open();
    const answer = liveness.ask();
    const refused = expect(answer).rejects.toThrow("does not answer pings");
    liveness.start();
    for (let beat = 0; beat < 40; beat += 1) {
      await clock.advance(2_000);
      liveness.heard();
    }
    await refused;
  });
});
