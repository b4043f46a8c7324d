import { createLogger, createRegistry, systemClock } from "@subnet-worker/kit";
import { type Envelope, envelope } from "@subnet-worker/protocol";
import { createDeferred } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { EnvelopeLog } from "./envelope-log.ts";
import { defineHandler } from "./handler.ts";
import { MetricNames } from "./handler-metrics.ts";
import { HandlerRegistry } from "./handler-registry.ts";
import { createWepMetrics } from "./metrics.ts";
import { RunTable } from "./run-table.ts";
import { Session } from "./session.ts";
import { resolveSettings } from "./settings.ts";
import { turn } from "./turn.ts";

const noop = defineHandler({ kind: "test.noop", version: "1.0.0", run: async () => ({}) });

/** A session of its own, and nothing else of a server. */
function openSession(): Session {
  const log = createLogger({ name: "wep", level: "fatal" });
  const clock = systemClock;
  const settings = resolveSettings({ maxConcurrency: 100 });
  const handlers = new HandlerRegistry([noop]);
  const metrics = createWepMetrics(createRegistry(), {
    slots: () => ({ busy: 0, free: 0 }),
    classSlots: () => [],
    streams: () => 0,
    unacknowledged: () => 0,
    threads: undefined,
  });
  const handlerMetrics = { names: new MetricNames(), sink: () => undefined };
  const runs = new RunTable({ handlers, settings, clock, log, metrics, handlerMetrics });
  return new Session(
    {
      runs,
      handlers,
      settings,
      clock,
      log,
      envelopes: new EnvelopeLog({ log, clock }),
      onOpen: () => undefined,
      identity: { instanceId: "wep-test", agent: "test" },
    },
    { signal: new AbortController().signal, remoteAddress: "test", hangUp: () => undefined },
  );
}

/**
 * What a session says to `batches` batches of assignments that are all there before the first is read, flight by
 * flight; its transport takes `turns` turns of the event loop for each.
 */
async function answersTo({ batches, turns }: { readonly batches: number; readonly turns: number }) {
  const greeted = createDeferred();
  const flights: Envelope[][] = [];
  for await (const message of openSession().serve(bufferedBatches(batches, greeted.promise))) {
    const flight = message.msg.case === "batch" ? message.msg.value.envelopes : [message];
    flights.push(flight);
    for (let left = turns; left > 0; left -= 1) await turn();
    if (flight.some(({ msg }) => msg.case === "capacity")) greeted.resolve();
  }
  return flights;
}

async function* bufferedBatches(count: number, greeted: Promise<void>): AsyncGenerator<Envelope> {
  yield envelope("hello", { min: "1.0.0", max: "1.1.0", nodeId: "node-1", maxBatch: 100 });
  await greeted;
  for (let batch = 1; batch <= count; batch += 1) yield batchOf(batch);
}

function batchOf(batch: number): Envelope {
  const envelopes = ["a", "b", "c"].map((name) =>
    envelope("assign", {
      activityId: `${batch}${name}`,
      runId: "run-1",
      taskKind: "test.noop",
      taskVersion: "1.0.0",
    }),
  );
  return envelope("batch", { envelopes });
}

function completedIn(flight: readonly Envelope[]): string[] {
  return flight.flatMap(({ msg }) => (msg.case === "completion" ? [msg.value.activityId] : []));
}

describe("batches that wait to be read", () => {
  it("are answered one by one", async () => {
    const flights = await answersTo({ batches: 3, turns: 0 });
    expect(flights.map(completedIn).filter((ids) => ids.length > 0)).toEqual([
      ["1a", "1b", "1c"],
      ["2a", "2b", "2c"],
      ["3a", "3b", "3c"],
    ]);
  });

  it.each([0, 1, 2, 3])(
    "get no acks where the handlers end at once, over a transport that takes %i turns for a message",
    async (turns) => {
      const flights = await answersTo({ batches: 4, turns });
      expect(flights.flat().map(({ msg }) => msg.case)).not.toContain("ack");
      const completed = flights.map(completedIn).filter((ids) => ids.length > 0);
      expect(completed[0]).toEqual(["1a", "1b", "1c"]);
      expect(completed.flat().slice(3)).toEqual(["2a", "2b", "2c", "3a", "3b", "3c", "4a", "4b", "4c"]);
    },
  );
});
