import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer as createHttp1 } from "node:http";
import { createSecureServer, createServer as createPlainHttp2, type SecureServerOptions } from "node:http2";
import { type AddressInfo, createServer as createTcp, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createLogger, systemClock } from "@subnet-worker/kit";
import { type Envelope, envelope, Execution } from "@subnet-worker/protocol";
import {
  TestAuthority,
  type TestCertificate,
  type TlsFilePaths,
  writeCertificate,
} from "@subnet-worker/testkit/certificates";
import { beforeAll, describe, expect, it } from "vitest";
import { Session, type SessionEnded } from "../src/adapters/wep/session.ts";
import { openTransport, type TransportOptions, type WepTransport } from "../src/adapters/wep/transport.ts";
import { Metrics } from "../src/metrics.ts";
import { until } from "./_until.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

let dir: string;
let authority: TestAuthority;
let stranger: TestAuthority;
let files: TlsFilePaths;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "transport-"));
  authority = await TestAuthority.create("our authority");
  stranger = await TestAuthority.create("another authority");
  const mine = await authority.issue({ names: ["wcp.test"], purposes: ["client"] });
  files = writeCertificate(dir, "wcp", { ...mine, ca: authority.cert });
});

interface Logged {
  readonly msg?: string;
}

const logs: Logged[] = [];
const logger = createLogger({
  name: "wcp",
  level: "debug",
  destination: { write: (line) => void logs.push(JSON.parse(line) as Logged) },
});

function open(options: Partial<TransportOptions> = {}): WepTransport {
  return openTransport(
    { tls: { files, serverName: undefined }, allowPlaintext: false, ...options },
    { clock: systemClock, logger },
  );
}

interface Listening extends AsyncDisposable {
  readonly port: number;
}

async function listen(server: Server): Promise<Listening> {
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A WEP of another make: answers hello, then waits. */
const adapter = connectNodeAdapter({
  routes: (router) =>
    router.service(Execution, {
      async *taskStream(requests: AsyncIterable<Envelope>) {
        for await (const { msg } of requests) {
          if (msg.case === "hello") yield envelope("helloAck", { min: "1.0.0", max: "1.0.0" });
        }
      },
    }),
});

interface SecureWep extends Listening {
  /** Fingerprints of the certificates it was shown. */
  readonly shown: readonly (string | undefined)[];
  /** What clients said as they hung up. */
  readonly farewells: readonly string[];
}

async function startWep(
  spec: Parameters<TestAuthority["issue"]>[0] & { readonly by?: TestAuthority } = {},
  options: SecureServerOptions = {},
): Promise<SecureWep> {
  const { cert, key } = await (spec.by ?? authority).issue({ purposes: ["server"], ...spec });
  const shown: (string | undefined)[] = [];
  const farewells: string[] = [];
  const server = createSecureServer(
    { cert, key, ca: authority.cert, requestCert: true, rejectUnauthorized: false, ...options },
    adapter,
  );
  server.on("sessionError", () => undefined);
  server.on("secureConnection", (socket) => shown.push(socket.getPeerX509Certificate()?.fingerprint256));
  server.on("session", (session) => {
    session.on("goaway", (_code, _lastStream, debug) => farewells.push(String(debug)));
  });
  return { ...(await listen(server)), shown, farewells };
}

/** How the first session with a WEP goes: `ready`, or why it ended. */
async function meet(transport: WepTransport, target: { url: string; address?: string }): Promise<string> {
  const stop = new AbortController();
  let isReady = false;
  const session = new Session(
    {
      ...target,
      instanceId: "i",
      agent: "a",
      handshakeTimeoutMs: 10_000,
      pingIntervalMs: 60_000,
      silenceMs: 120_000,
    },
    {
      clock: systemClock,
      connect: transport.connect,
      events: {
        onReady: () => {
          isReady = true;
          stop.abort();
        },
        onCapabilities: () => undefined,
        onMessage: () => undefined,
      },
    },
  );
  const ended = await session.run(stop.signal).catch((error: unknown) => error as SessionEnded);
  return isReady ? "ready" : ended.message;
}

describe("the way to a WEP over TLS", () => {
  it("is open to one whose certificate is for the host of its URL", async () => {
    await using wep = await startWep();
    using transport = open();
    expect(await meet(transport, { url: `https://localhost:${wep.port}` })).toBe("ready");
    expect(await meet(transport, { url: `https://127.0.0.1:${wep.port}` })).toBe("ready");
  });

  it("expects the name of the URL from an address that DNS gave for it", async () => {
    await using wep = await startWep({ names: ["wep.test"] });
    using transport = open();
    const address = "127.0.0.1";
    expect(await meet(transport, { url: `https://wep.test:${wep.port}`, address })).toBe("ready");
    expect(await meet(transport, { url: `https://other.test:${wep.port}`, address })).toMatch(/wrong name/);
  });

  it("expects the one name that is configured", async () => {
    await using wep = await startWep({ names: ["wep.test"] });
    using transport = open({ tls: { files, serverName: "wep.test" } });
    expect(await meet(transport, { url: `https://127.0.0.1:${wep.port}` })).toBe("ready");
  });

  it.each<readonly [string, Parameters<typeof startWep>[0] | "stranger", RegExp]>([
    ["of another authority", "stranger", /^\[REFUSED\] https:.*wrong CA/],
    [
      "whose certificate has expired",
      { validFromMs: Date.now() - 2 * DAY_MS, validToMs: Date.now() - DAY_MS },
      /^\[REFUSED\].*its certificate has expired/,
    ],
    [
      "of another name",
      { names: ["wep.test"] },
      /^\[REFUSED\].*wrong name: its certificate is for wep\.test/,
    ],
    ["with a client's certificate", { purposes: ["client"] }, /^\[REFUSED\].*not for this side/],
  ])("is closed to a WEP %s, which is told", async (_what, spec, reason) => {
    await using wep = await startWep(spec === "stranger" ? { by: stranger } : spec);
    using transport = open();
    expect(await meet(transport, { url: `https://localhost:${wep.port}` })).toMatch(reason);
    await until(() => wep.farewells.length > 0);
    expect(wep.farewells).toEqual([expect.stringMatching(/^the worker client refuses this WEP: /)]);
  });

  it("says that a WEP of another make wants a certificate, and that we have none", async () => {
    await using wep = await startWep({}, { rejectUnauthorized: true });
    const { caFile } = files;
    using transport = open({ tls: { files: { caFile }, serverName: undefined } });
    expect(await meet(transport, { url: `https://localhost:${wep.port}` })).toMatch(
      /no client certificate: the WEP asks for one.*set wep_tls\.cert_file/,
    );
  });

  it("is closed to TLS 1.2", async () => {
    await using wep = await startWep({}, { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" });
    using transport = open();
    expect(await meet(transport, { url: `https://localhost:${wep.port}` })).toMatch(/TLS version too old/);
  });

  it("tells plain text from TLS, whoever speaks it", async () => {
    await using http2 = await listen(createPlainHttp2(adapter));
    await using http1 = await listen(createHttp1());
    await using mute = await listen(createTcp((socket) => socket.once("data", () => socket.end())));
    using transport = open();
    const reasonOf = ({ port }: Listening) => meet(transport, { url: `https://localhost:${port}` });
    expect(await reasonOf(http2)).toMatch(/the other side speaks plain text, not TLS/);
    expect(await reasonOf(http1)).toMatch(/the other side speaks plain text, not TLS/);
    expect(await reasonOf(mute)).toMatch(/hung up during the TLS handshake/);
  });

  it("says that nobody listens where nobody does", async () => {
    using transport = open();
    // No program is ever given this port.
    expect(await meet(transport, { url: "https://localhost:1" })).toMatch(/^\[UNREACHABLE\].*ECONNREFUSED/);
  });

  it("shows a new certificate on new connections, and keeps the old one while the new cannot be used", async () => {
    await using wep = await startWep();
    const first = await authority.issue({ names: ["first.test"] });
    const own = writeCertificate(join(dir, "renewed"), "wcp", { ...first, ca: authority.cert });
    using transport = open({ tls: { files: own, serverName: undefined } });
    const told = (pattern: RegExp) => logs.some(({ msg }) => pattern.test(msg ?? ""));
    const renew = ({ cert, key }: TestCertificate) => {
      writeFileSync(own.certFile, cert);
      writeFileSync(own.keyFile, key);
    };
    const url = `https://localhost:${wep.port}`;
    expect(await meet(transport, { url })).toBe("ready");
    renew(await authority.issue({ validToMs: Date.now() - 1 }));
    await until(() => told(/cannot be used; the ones before stay in use/));
    expect(await meet(transport, { url })).toBe("ready");
    const second = await authority.issue({ names: ["second.test"] });
    renew(second);
    await until(() => told(/^certificates reloaded/));
    expect(await meet(transport, { url })).toBe("ready");
    const [before, meanwhile, after] = wep.shown;
    expect([before, meanwhile]).toEqual([fingerprintOf(first), fingerprintOf(first)]);
    expect(after).toBe(fingerprintOf(second));
  });
});

describe("the metric of when our certificate ends", () => {
  const EXPIRY = "wcp_tls_certificate_expiry_timestamp_seconds";

  it("follows the certificate that is in use", async () => {
    const endsAtMs = (days: number) => Math.floor(Date.now() / 1_000 + days * 86_400) * 1_000;
    const [first, second] = [endsAtMs(30), endsAtMs(60)];
    const issue = (validToMs: number) => authority.issue({ names: ["end.test"], validToMs });
    const own = writeCertificate(join(dir, "end"), "wcp", { ...(await issue(first)), ca: authority.cert });
    using transport = open({ tls: { files: own, serverName: undefined } });
    const metrics = new Metrics();
    metrics.observeCertificate(transport);
    const told = () => metrics.registry.getSingleMetricAsString(EXPIRY);
    expect(await told()).toContain(`\n${EXPIRY} ${first / 1_000}`);
    const next = await issue(second);
    writeFileSync(own.certFile, next.cert);
    writeFileSync(own.keyFile, next.key);
    await until(async () => (await told()).includes(`\n${EXPIRY} ${second / 1_000}`));
  });

  it("is not there without a certificate", async () => {
    const { caFile } = files;
    using plain = open({ tls: undefined });
    using nameless = open({ tls: { files: { caFile }, serverName: undefined } });
    const metrics = new Metrics();
    metrics.observeCertificate(plain);
    metrics.observeCertificate(nameless);
    expect(await metrics.registry.metrics()).not.toContain(EXPIRY);
  });
});

function fingerprintOf({ cert }: TestCertificate): string {
  return new X509Certificate(cert).fingerprint256;
}

describe("the way to a WEP in plain text", () => {
  it("leads to loopback", async () => {
    await using wep = await listen(createPlainHttp2(adapter));
    using transport = open({ tls: undefined });
    expect(await meet(transport, { url: `http://127.0.0.1:${wep.port}` })).toBe("ready");
    const address = "127.0.0.1";
    expect(await meet(transport, { url: `http://localhost:${wep.port}`, address })).toBe("ready");
  });

  it("leads to no other host, unless that is allowed", async () => {
    await using wep = await listen(createPlainHttp2(adapter));
    const target = { url: `http://wep.test:${wep.port}`, address: "127.0.0.1" };
    using strict = open();
    expect(await meet(strict, target)).toMatch(/^\[REFUSED\].*plain text to another host/);
    using lax = open({ allowPlaintext: true });
    expect(await meet(lax, target)).toBe("ready");
  });

  it("hints at TLS where a server of another make hangs up on plain text", async () => {
    await using wep = await startWep();
    using transport = open();
    expect(await meet(transport, { url: `http://127.0.0.1:${wep.port}` })).toMatch(
      /may speak TLS: write https:/,
    );
  });

  it("is none to https://", async () => {
    using transport = open({ tls: undefined });
    expect(await meet(transport, { url: "https://127.0.0.1:1" })).toMatch(/needs wep_tls\.ca_file/);
  });
});
