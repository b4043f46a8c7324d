import { createServer, type Server } from "node:http";
import { isRetryableError, isTerminalError } from "@subnet-worker/wep-sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFetchModule, createSend } from "../src/wasm/wasm-egress.ts";
import { DEFAULTS } from "./_wasm-handler.ts";

const none = new Uint8Array();
const { signal } = new AbortController();
let server: Server;
let port: number;

beforeAll(async () => {
  server = createServer((request, response) => response.end(`${request.method} ${request.url}`));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as { readonly port: number }).port;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe("what programs may send", () => {
  it("is nothing where no host is allowed", () => {
    expect(createSend(DEFAULTS)).toBeUndefined();
  });

  it("is a request to an allowed host, port and network, and to no other", async () => {
    const get = (config: Partial<typeof DEFAULTS.http>) => {
      const http = {
        ...DEFAULTS.http,
        allowed_hosts: ["127.0.0.1"],
        ports: [port],
        allow_plaintext: true,
        ...config,
      };
      const url = `http://127.0.0.1:${port}/a`;
      return createSend({ ...DEFAULTS, http })!({ method: "GET", url, headers: [], body: none }, signal);
    };
    const { status, body } = await get({ networks: ["127.0.0.1"] });
    expect([status, new TextDecoder().decode(body)]).toEqual([200, "GET /a"]);
    await expect(get({})).rejects.toMatchObject({ code: "ADDRESS_REFUSED" });
    await expect(get({ allowed_hosts: ["a.example"] })).rejects.toMatchObject({ code: "HOST_REFUSED" });
    await expect(get({ ports: [443] })).rejects.toMatchObject({ code: "PORT_REFUSED" });
    await expect(get({ allow_plaintext: false })).rejects.toMatchObject({ code: "SCHEME_REFUSED" });
  });
});

describe("modules that are fetched", () => {
  const config = { ...DEFAULTS, sources: ["url"], source_hosts: ["modules.example"] };
  const resolve = (address: string) => () => Promise.resolve([{ address, family: 4 }]);

  it("are none where url is no source", () => {
    expect(createFetchModule(DEFAULTS)).toBeUndefined();
  });

  it.each([
    ["https://other.example/m.wasm", "EGRESS_HOST_REFUSED"],
    ["https://modules.example:8443/m.wasm", "EGRESS_PORT_REFUSED"],
    ["https://modules.example/m.wasm?token=secret", "EGRESS_ADDRESS_REFUSED"],
  ])("come from no other place: %s", async (url, part) => {
    const fetchModule = createFetchModule(config, { resolve: resolve("10.0.0.1") })!;
    const error = await fetchModule(url, signal).catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({ code: 2_003, message: expect.stringContaining(part) });
    expect(isTerminalError(error)).toBe(true);
    expect((error as Error).message).not.toContain("secret");
  });

  it.each([
    [404, false],
    [302, false],
    [503, true],
    [429, true],
  ])("are not what comes with status %s; another try may help: %s", async (status, isRetryable) => {
    const egress = { send: () => Promise.resolve({ status, headers: [], body: new Uint8Array([1]) }) };
    const fetchModule = createFetchModule(config, { egress })!;
    const error = await fetchModule("https://modules.example/m?token=secret", signal).catch(
      (reason: unknown) => reason,
    );
    expect([isRetryableError(error), isTerminalError(error)]).toEqual([isRetryable, !isRetryable]);
    expect(error).toMatchObject({
      code: 3_003,
      message: expect.stringMatching(`modules.example answered ${status}`),
    });
    expect((error as Error).message).not.toContain("secret");
  });

  it("are what comes with status 200, asked for with GET and nothing else", async () => {
    const asked: unknown[] = [];
    const egress = {
      send: (request: unknown) => {
        asked.push(request);
        return Promise.resolve({ status: 200, headers: [], body: new Uint8Array([1]) });
      },
    };
    expect(await createFetchModule(config, { egress })!("https://modules.example/m", signal)).toEqual(
      new Uint8Array([1]),
    );
    expect(asked).toEqual([{ method: "GET", url: "https://modules.example/m", headers: [], body: none }]);
  });

  it("may come later when their host cannot be reached", async () => {
    const unknown = () => Promise.reject(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }));
    const fetchModule = createFetchModule(config, { resolve: unknown })!;
    const error = await fetchModule("https://modules.example/m", signal).catch((reason: unknown) => reason);
    expect(isRetryableError(error)).toBe(true);
    expect(error).toMatchObject({ code: 3_001 });
  });

  it("are not waited for when the run is stopped", async () => {
    const stop = new AbortController();
    const reason = new Error("stopped");
    const fetchModule = createFetchModule(config, { resolve: () => new Promise(() => undefined) })!;
    const fetched = fetchModule("https://modules.example/m", stop.signal);
    stop.abort(reason);
    await expect(fetched).rejects.toBe(reason);
  });
});
