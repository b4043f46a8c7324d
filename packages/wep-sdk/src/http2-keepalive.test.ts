import type { ServerHttp2Session } from "node:http2";
import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { keepSessionAlive } from "./http2-keepalive.ts";

function fakeSession(answers: boolean) {
  return {
    destroyed: false,
    closed: false,
    pings: 0,
    ping(done: (error: Error | null) => void) {
      this.pings += 1;
      if (answers) done(null);
      return true;
    },
    destroy() {
      this.destroyed = true;
    },
  };
}

describe("the keepalive of a connection", () => {
  it("keeps one that answers", async () => {
    const clock = new FakeClock();
    const session = fakeSession(true);
    using _ = keepSessionAlive(session as unknown as ServerHttp2Session, clock);
    await clock.advance(60_000);
    expect(session).toMatchObject({ pings: 6, destroyed: false });
  });

  it("does not ping one that is gone, which Node would take for a fault of the caller", async () => {
    const clock = new FakeClock();
    const session = fakeSession(true);
    using _ = keepSessionAlive(session as unknown as ServerHttp2Session, clock);
    await clock.advance(15_000);
    session.destroyed = true;
    await clock.advance(60_000);
    expect(session.pings).toBe(1);
    expect(clock.pendingCount).toBe(0);
  });

  it("destroys one that does not answer, and then leaves it alone", async () => {
    const clock = new FakeClock();
    const session = fakeSession(false);
    using _ = keepSessionAlive(session as unknown as ServerHttp2Session, clock);
    await clock.advance(20_000);
    expect(session.destroyed).toBe(false);
    await clock.advance(10_000);
    expect(session.destroyed).toBe(true);
    await clock.advance(60_000);
    expect(session.pings).toBe(2);
    expect(clock.pendingCount).toBe(0);
  });
});
