import { FakeClock } from "@subnet-worker/kit/fake-clock";
import { describe, expect, it } from "vitest";
import { createTransferRetry, DEFAULT_TRANSFER } from "./transfer-retry.ts";

const OUTAGE = { retryAfterMs: 0, isRefusal: false };
const REFUSAL = { retryAfterMs: 0, isRefusal: true };
const SETTINGS = { ...DEFAULT_TRANSFER, maxFailures: 3, patienceMs: 60_000 };

/** A transfer on a clock that jumps over its waits. */
function rig() {
  const clock = new FakeClock();
  const retry = createTransferRetry({ clock, settings: SETTINGS, signal: new AbortController().signal });
  const fails = async (failure: typeof OUTAGE): Promise<boolean> => {
    const waits = retry.waitBeforeRetry(failure);
    await clock.advance(DEFAULT_TRANSFER.maxBackoffMs);
    return await waits;
  };
  /** Failures until it gives up, and when that was. */
  const untilGivenUp = async (failure: typeof OUTAGE) => {
    const startedAtMs = clock.monotonicMs();
    let failures = 1;
    while (await fails(failure)) failures += 1;
    return { failures, afterMs: clock.monotonicMs() - startedAtMs };
  };
  return { clock, retry, fails, untilGivenUp };
}

describe("a transfer that fails again and again", () => {
  it("goes on through an outage for as long as it is patient, whatever the number of failures", async () => {
    const { failures, afterMs } = await rig().untilGivenUp(OUTAGE);
    expect(failures).toBeGreaterThan(SETTINGS.maxFailures);
    expect(afterMs).toBeGreaterThanOrEqual(SETTINGS.patienceMs);
    expect(afterMs).toBeLessThan(SETTINGS.patienceMs + 2 * SETTINGS.maxBackoffMs);
  });

  it("gives up after so many failures when it is refused", async () => {
    expect(await rig().untilGivenUp(REFUSAL)).toMatchObject({ failures: SETTINGS.maxFailures });
  });

  it("counts failures and time from its last progress", async () => {
    const { clock, retry, fails, untilGivenUp } = rig();
    await fails(OUTAGE);
    await fails(OUTAGE);
    await clock.advance(SETTINGS.patienceMs);
    retry.progressed();
    expect(await fails(OUTAGE)).toBe(true);
    expect((await untilGivenUp(OUTAGE)).afterMs).toBeGreaterThan(SETTINGS.patienceMs / 2);
  });

  it("is not given up for time alone: a slow one has its attempts", async () => {
    const { clock, fails } = rig();
    for (let count = 1; count < SETTINGS.maxFailures; count += 1) {
      await clock.advance(10 * SETTINGS.patienceMs);
      expect(await fails(OUTAGE)).toBe(true);
    }
    await clock.advance(10 * SETTINGS.patienceMs);
    expect(await fails(OUTAGE)).toBe(false);
  });

  it("is as patient when it was slow before: with a large part, or a reader who takes his time", async () => {
    const { clock, untilGivenUp } = rig();
    await clock.advance(10 * SETTINGS.patienceMs);
    expect((await untilGivenUp(OUTAGE)).afterMs).toBeGreaterThanOrEqual(SETTINGS.patienceMs);
  });

  it("may be refused after an outage as often as without: a URL that ran out meanwhile is renewed", async () => {
    const { fails, untilGivenUp } = rig();
    for (let count = 0; count <= SETTINGS.maxFailures; count += 1) expect(await fails(OUTAGE)).toBe(true);
    expect(await untilGivenUp(REFUSAL)).toMatchObject({ failures: SETTINGS.maxFailures });
  });

  it("is not refused for ever because it also fails otherwise", async () => {
    const { fails } = rig();
    for (let count = 1; count < SETTINGS.maxFailures; count += 1) {
      expect([await fails(REFUSAL), await fails(OUTAGE)]).toEqual([true, true]);
    }
    expect(await fails(REFUSAL)).toBe(false);
  });
});
