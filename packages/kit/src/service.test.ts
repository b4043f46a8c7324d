import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { runServices, type Service } from "./service.ts";

/** A service that runs until it is asked to stop, and notes it. */
function patient(name: string, events: string[]): Service {
  return {
    name,
    async run(signal) {
      events.push(`${name} started`);
      if (!signal.aborted) await once(signal, "abort");
      events.push(`${name} stopped`);
    },
  };
}

function failing(name: string, error: unknown): Service {
  return { name, run: () => Promise.reject(error) };
}

describe("runServices", () => {
  test("runs all until the signal aborts, then resolves once all have ended", async () => {
    const events: string[] = [];
    const stop = new AbortController();
    const slow = Promise.withResolvers<void>();
    const running = runServices(
      [
        patient("a", events),
        {
          name: "slow",
          async run(signal) {
            await once(signal, "abort");
            await slow.promise;
            events.push("slow stopped");
          },
        },
      ],
      stop.signal,
    ).then(() => events.push("all ended"));
    stop.abort();
    slow.resolve();
    await running;
    expect(events).toEqual(["a started", "a stopped", "slow stopped", "all ended"]);
  });

  test("stops the others when one fails, and throws its error once they have ended", async () => {
    const events: string[] = [];
    const fault = new Error("disk full");
    const running = runServices([patient("a", events), failing("b", fault)], new AbortController().signal);
    await expect(running).rejects.toBe(fault);
    expect(events).toEqual(["a started", "a stopped"]);
  });

  test("takes a service that throws before its first await as failed", async () => {
    const broken: Service = {
      name: "broken",
      run: () => {
        throw new Error("at once");
      },
    };
    const events: string[] = [];
    await expect(runServices([broken, patient("a", events)], new AbortController().signal)).rejects.toThrow(
      "at once",
    );
    expect(events).toContain("a stopped");
  });

  test("takes a service that ends before it is asked to as failed", async () => {
    const events: string[] = [];
    const short: Service = { name: "short", run: () => Promise.resolve() };
    const running = runServices([patient("a", events), short], new AbortController().signal);
    await expect(running).rejects.toThrow("service short ended by itself");
    expect(events).toContain("a stopped");
  });

  test("gathers several failures, also one that comes while stopping", async () => {
    const late: Service = {
      name: "late",
      async run(signal) {
        await once(signal, "abort");
        throw new Error("cannot flush");
      },
    };
    const running = runServices(
      [failing("first", new Error("disk full")), late],
      new AbortController().signal,
    );
    const error: unknown = await running.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AggregateError);
    expect((error as AggregateError).message).toBe("2 services failed");
    expect((error as AggregateError).errors.map(String)).toEqual(["Error: disk full", "Error: cannot flush"]);
  });

  test("gives services that start after the signal has aborted an aborted signal", async () => {
    const events: string[] = [];
    await runServices([patient("a", events)], AbortSignal.abort());
    expect(events).toEqual(["a started", "a stopped"]);
  });

  test("of none resolves", async () => {
    await runServices([], new AbortController().signal);
  });
});
