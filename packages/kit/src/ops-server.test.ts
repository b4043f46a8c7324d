import { createConnection } from "node:net";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { Counter, createRegistry, Registry } from "./metrics.ts";
import { listenOps, type OpsServer, type OpsServerDeps } from "./ops-server.ts";

function listen(deps: Partial<OpsServerDeps> = {}): Promise<OpsServer> {
  return listenOps({ port: 0 }, { notReady: () => [], metrics: new Registry(), ...deps });
}

describe("the ops server", () => {
  test("answers /healthz while it runs", async () => {
    await using server = await listen();
    const response = await fetch(`${server.url}/healthz`);
    expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
    expect(response.headers.get("content-type")).toBe("application/json");
  });

  test("listens on loopback unless told otherwise", async () => {
    await using server = await listen();
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
    await using ipv6 = await listenOps(
      { host: "::1", port: 0 },
      { notReady: () => [], metrics: new Registry() },
    );
    expect((await fetch(`${ipv6.url}/healthz`)).status).toBe(200);
  });

  test("answers /readyz with the reasons of the moment", async () => {
    let reasons = ["The WEP is unreachable."];
    await using server = await listen({ notReady: () => reasons });
    const before = await fetch(`${server.url}/readyz?verbose=1`);
    expect([before.status, await before.json()]).toEqual([
      503,
      { ready: false, reasons: ["The WEP is unreachable."] },
    ]);
    reasons = [];
    const after = await fetch(`${server.url}/readyz`);
    expect([after.status, await after.json()]).toEqual([200, { ready: true, reasons: [] }]);
  });

  test("answers /readyz with 503 when the check itself fails", async () => {
    const notReady = () => {
      throw new Error("no database");
    };
    await using server = await listen({ notReady });
    const response = await fetch(`${server.url}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      ready: false,
      reasons: ["the readiness check failed: Error: no database"],
    });
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test("answers /metrics in Prometheus' text format", async () => {
    const metrics = createRegistry();
    new Counter({ name: "claims_total", help: "Claims.", registers: [metrics] }).inc(3);
    await using server = await listen({ metrics });
    const response = await fetch(`${server.url}/metrics`);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = await response.text();
    expect(text).toContain("\nclaims_total 3\n");
    expect(text).toContain("process_cpu_seconds_total");
  });

  test("answers /metrics with 500 when a metric cannot be collected", async () => {
    const metrics = new Registry();
    const collect = () => {
      throw new Error("gone");
    };
    new Counter({ name: "broken_total", help: "Broken.", registers: [metrics], collect }).inc();
    await using server = await listen({ metrics });
    const response = await fetch(`${server.url}/metrics`);
    expect([response.status, await response.json()]).toEqual([500, { error: "Error: gone" }]);
  });

  test("answers HEAD without a body, and refuses other methods and paths", async () => {
    await using server = await listen();
    const head = await fetch(`${server.url}/healthz`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const post = await fetch(`${server.url}/healthz`, { method: "POST" });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect((await fetch(`${server.url}/`)).status).toBe(404);
  });

  test.each([
    ["events are served", { tap: () => ({ [Symbol.dispose]: () => undefined }) }, "/metrics or /tail"],
    ["none are", {}, "/readyz or /metrics"],
  ])("names what there is to who asks for something else, where %s", async (_where, deps, last) => {
    await using server = await listen(deps);
    const paths = last === "/metrics or /tail" ? ["/nothing"] : ["/nothing", "/tail"];
    for (const path of paths) {
      const response = await fetch(`${server.url}${path}`);
      const { error } = (await response.json()) as { error: string };
      expect([response.status, error]).toEqual([404, expect.stringMatching(`^try /healthz, .*${last}$`)]);
    }
  });

  test("says which address is taken", async () => {
    await using server = await listen();
    const second = listenOps({ port: server.port }, { notReady: () => [], metrics: new Registry() });
    await expect(second).rejects.toThrow(`EADDRINUSE: address already in use 127.0.0.1:${server.port}`);
  });

  test("closes with connections open, and its port is free again", async () => {
    const server = await listen();
    const socket = createConnection(server.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write("GET /healthz HTTP/1.1\r\n"); // never finished
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    socket.on("error", () => undefined).on("close", () => resolve()); // a reset is as good an end as any
    await server[Symbol.asyncDispose]();
    await closed;
    await using _again = await listenOps(
      { port: server.port },
      { notReady: () => [], metrics: new Registry() },
    );
  });
});
