import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import { Registry } from "./metrics.ts";
import { listenOps, type OpsServer } from "./ops-server.ts";

/** A source of events that the test makes, which counts who listens. */
class Source {
  readonly listeners = new Set<(event: object) => void>();

  tap(listener: (event: object) => void): Disposable {
    this.listeners.add(listener);
    return { [Symbol.dispose]: () => void this.listeners.delete(listener) };
  }

  emit(event: object): void {
    for (const listener of this.listeners) listener(event);
  }
}

function listen(source: Source): Promise<OpsServer> {
  return listenOps(
    { port: 0 },
    { notReady: () => [], metrics: new Registry(), tap: (listener) => source.tap(listener) },
  );
}

interface Asked extends AsyncDisposable {
  readonly status: number;
  readonly answer: IncomingMessage;
  /** The next line, parsed. */
  next(): Promise<unknown>;
}

async function ask(
  server: OpsServer,
  ...[path = "/tail", headers = {}, host = "127.0.0.1"]: [string?, Record<string, string>?, string?]
): Promise<Asked> {
  const sent = request({ host, port: server.port, path, headers });
  sent.on("error", () => {}); // a reset is how some of these end
  sent.end();
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  answer.on("error", () => {});
  let text = "";
  const next = async () => {
    while (!text.includes("\n")) {
      const chunk = answer.read() as Buffer | null;
      if (chunk === null) await once(answer, "readable");
      else text += chunk.toString();
    }
    const end = text.indexOf("\n");
    const line = text.slice(0, end);
    text = text.slice(end + 1);
    return JSON.parse(line) as unknown;
  };
  const { statusCode: status = 0 } = answer;
  return { status, answer, next, [Symbol.asyncDispose]: async () => void sent.destroy() };
}

/** Turns of the event loop until something holds; it fails by the test's own time limit. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

describe("GET /tail", () => {
  test("gives each event as a line, from now on, until the reader goes", async () => {
    const source = new Source();
    await using server = await listen(source);
    source.emit({ at: "before" });
    {
      await using reader = await ask(server);
      expect([reader.status, reader.answer.headers["content-type"]]).toEqual([200, "application/x-ndjson"]);
      source.emit({ at: 1 });
      source.emit({ at: 2, text: "a\nb" });
      expect(await reader.next()).toEqual({ at: 1 });
      expect(await reader.next()).toEqual({ at: 2, text: "a\nb" });
    }
    await until(() => source.listeners.size === 0);
  });

  test("leaves out what has not the text that is asked for", async () => {
    const source = new Source();
    await using server = await listen(source);
    await using reader = await ask(server, "/tail?contains=0xab%2B1");
    for (const id of ["0xcd", "0xab+1", "0xab"]) source.emit({ id });
    source.emit({ id: "0xab+1", last: true });
    expect([await reader.next(), await reader.next()]).toEqual([
      { id: "0xab+1" },
      { id: "0xab+1", last: true },
    ]);
  });

  test("tells a slow reader how many events it lost, and keeps the process free of them", async () => {
    const source = new Source();
    await using server = await listen(source);
    await using reader = await ask(server);
    const before = process.memoryUsage().arrayBuffers;
    const text = "x".repeat(10_000);
    const sent = 5_000; // 50 MB, which nobody reads
    for (let at = 0; at < sent; at += 1) {
      source.emit({ at, text });
      if (at % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
    let [seen, lost, last] = [0, 0, -1];
    while (seen + lost < sent) {
      const line = (await reader.next()) as { readonly at?: number; readonly lost?: number };
      if (line.lost === undefined) {
        seen += 1;
        expect(line.at).toBe(last + 1);
        last += 1;
      } else {
        lost += line.lost;
        last += line.lost;
      }
    }
    expect(lost).toBeGreaterThan(sent / 2);
    expect(seen).toBeGreaterThan(0);
    source.emit({ after: true });
    expect(await reader.next()).toEqual({ after: true });
  });

  test.each([
    ["under another name, as a page in a browser may", { host: "evil.example:7071" }],
    ["through a proxy", { "x-forwarded-for": "192.0.2.1" }],
    ["through another", { forwarded: "for=192.0.2.1" }],
  ])("refuses who comes %s", async (_, headers) => {
    const source = new Source();
    await using server = await listen(source);
    await using reader = await ask(server, "/tail", headers);
    expect(reader.status).toBe(403);
    expect(await reader.next()).toEqual({ error: expect.stringContaining("on this machine only") });
    expect(source.listeners.size).toBe(0);
  });

  test("refuses who comes from another address, whatever it calls itself", async ({ skip }) => {
    const address = Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.family === "IPv4" && !each.internal)?.address;
    if (address === undefined) skip("this machine has no address but loopback");
    const source = new Source();
    await using server = await listenOps(
      { host: "0.0.0.0", port: 0 },
      { notReady: () => [], metrics: new Registry(), tap: (listener) => source.tap(listener) },
    );
    await using here = await ask(server);
    expect(here.status).toBe(200);
    await using reader = await ask(server, "/tail", { host: "127.0.0.1" }, address);
    expect(reader.status).toBe(403);
  });

  test("takes eight readers, and one more when one of them has gone", async () => {
    const source = new Source();
    await using server = await listen(source);
    await using stack = new AsyncDisposableStack();
    const readers = await Promise.all(Array.from({ length: 8 }, async () => stack.use(await ask(server))));
    expect(readers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    const ninth = stack.use(await ask(server));
    expect([ninth.status, await ninth.next()]).toEqual([
      503,
      { error: expect.stringContaining("8 readers") },
    ]);
    await readers[0]?.[Symbol.asyncDispose]();
    await until(() => source.listeners.size === 7);
    expect(stack.use(await ask(server)).status).toBe(200);
  });

  test("is not there without a source of events", async () => {
    await using server = await listenOps({ port: 0 }, { notReady: () => [], metrics: new Registry() });
    expect((await fetch(`${server.url}/tail`)).status).toBe(404);
  });

  test("ends with the server", async () => {
    const source = new Source();
    const server = await listen(source);
    await using reader = await ask(server);
    const closed = new Promise((resolve) => reader.answer.once("close", resolve));
    await server[Symbol.asyncDispose]();
    await closed;
    expect(source.listeners.size).toBe(0);
  });
});
