import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { tmpdir } from "node:os";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { join } from "node:path";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { once } from "node:events";
import { createLogger } from "@subnet-worker/kit";
import { FakeClock } from "@subnet-worker/testkit";
import { TestAuthority, type TestCertificate, writeCertificate } from "@subnet-worker/testkit/certificates";
import { beforeAll, describe, expect, it } from "vitest";
import type { ServeOptions } from "../src/index.ts";
import { openDoor } from "../src/rpc-door.ts";
import { scriptedHandler, startWep, type TestWep, until } from "./_wep.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

let dir: string;
let authority: TestAuthority;
let stranger: TestAuthority;
let client: TestCertificate;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "wep-tls-"));
  authority = await TestAuthority.create("our authority");
  stranger = await TestAuthority.create("another authority");
  client = await authority.issue({ names: ["wcp.test"], purposes: ["client"] });
});

let lastDir = 0;

/** A server with TLS on loopback; a test states only what it varies. */
async function startSecure(options: Partial<ServeOptions> = {}, clientNames?: readonly string[]) {
  const server = await authority.issue({ names: ["wep.test"], purposes: ["server"] });
  const files = writeCertificate(join(dir, String((lastDir += 1))), "wep", { ...server, ca: authority.cert });
  const { handler } = scriptedHandler();
  const wep = await startWep({
    handlers: [handler],
    ...options,
    tls: { ...files, ...(clientNames === undefined ? {} : { clientNames }) },
  });
  return { wep, files };
}

interface Met {
  /** What the server said as it hung up; `undefined` when it served us. */
  readonly farewell: string | undefined;
  readonly error: string | undefined;
  readonly fingerprint: string | undefined;
}

/** Connects as a worker client would, and asks for something that is not there. */
async function meet(port: number, options: ConnectionOptions = {}): Promise<Met> {
  const socket = connectTls({
    host: "127.0.0.1",
    port,
    ca: authority.cert,
    servername: "wep.test",
    ALPNProtocols: ["h2"],
    ...options,
  });
  const failed = new Promise<Met>((resolve) => {
    socket.on("error", (error: NodeJS.ErrnoException) =>
      resolve({ farewell: undefined, error: error.code ?? error.message, fingerprint: undefined }),
    );
  });
  return Promise.race([failed, once(socket, "secureConnect").then(() => ask(speak(socket), socket))]);
}

/** HTTP/2 from its first byte: a server closes what says nothing for long. */
function speak(socket: ReturnType<typeof connectTls>): ClientHttp2Session {
  const session = connectHttp2("https://wep.test", { createConnection: () => socket });
  session.on("error", () => undefined);
  return session;
}

function ask(session: ClientHttp2Session, socket: ReturnType<typeof connectTls>): Promise<Met> {
  const fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
  return new Promise((resolve) => {
    const end = (met: Partial<Met>) => {
      session.destroy();
      resolve({ farewell: undefined, error: undefined, fingerprint, ...met });
    };
    session.on("goaway", (_code, _last, debug) => end({ farewell: String(debug) }));
    session.on("close", () => end({ error: "closed" }));
    const request = session.request({ ":path": "/nothing" });
    request.on("error", () => undefined);
    request.on("response", () => end({}));
  });
}

const refusals = ({ logs }: TestWep) =>
  logs.filter(({ msg }) => msg === "connection refused").map(({ reason }) => String(reason));

describe("a WEP with TLS", () => {
  it("serves a worker client whose certificate its authority signed", async () => {
    const { wep } = await startSecure();
    await using _ = wep;
    expect(await meet(wep.port, client)).toMatchObject({ farewell: undefined, error: undefined });
    expect(refusals(wep)).toEqual([]);
  });

  it.each<readonly [string, () => Promise<ConnectionOptions>, RegExp]>([
    ["without a certificate", async () => ({}), /no client certificate was shown/],
    ["of another authority", () => stranger.issue({ names: ["wcp.test"] }), /wrong CA/],
    [
      "whose certificate has expired",
      () => authority.issue({ validFromMs: Date.now() - 2 * DAY_MS, validToMs: Date.now() - DAY_MS }),
      /has expired/,
    ],
    [
      "whose certificate is not valid yet",
      () => authority.issue({ validFromMs: Date.now() + DAY_MS, validToMs: Date.now() + 2 * DAY_MS }),
      /not valid yet/,
    ],
    ["with a server's certificate", () => authority.issue({ purposes: ["server"] }), /not for this side/],
    [
      "of another name",
      () => authority.issue({ names: ["other.test"] }),
      /wrong name.*other\.test.*wcp\.test/,
    ],
  ])("refuses a worker client %s, and both sides read why", async (_what, certificate, reason) => {
    const { wep } = await startSecure({}, ["wcp.test"]);
    await using _ = wep;
    expect((await meet(wep.port, await certificate())).farewell).toMatch(reason);
    expect(refusals(wep)).toEqual([expect.stringMatching(reason)]);
    expect(await meet(wep.port, client)).toMatchObject({ farewell: undefined, error: undefined });
  });

  it("refuses TLS 1.2, and both sides read why", async () => {
    const { wep } = await startSecure();
    await using _ = wep;
    const met = await meet(wep.port, { ...client, minVersion: "TLSv1.2", maxVersion: "TLSv1.2" });
    expect(met.error).toBe("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
    await until(() => refusals(wep).length > 0);
    expect(refusals(wep)[0]).toMatch(/^TLS version too old/);
  });

  it("refuses a peer that speaks TLS but not HTTP/2", async () => {
    const { wep } = await startSecure();
    await using _ = wep;
    const met = await meet(wep.port, { ...client, ALPNProtocols: [] });
    expect(met.farewell).toMatch(/no HTTP\/2/);
    expect(refusals(wep)[0]).toMatch(/no HTTP\/2/);
  });

  it("tells a plain-text peer, of gRPC or of HTTP, that it must use TLS", async () => {
    const { wep } = await startSecure();
    await using _ = wep;
    const session = connectHttp2(`http://127.0.0.1:${wep.port}`);
    session.on("error", () => undefined);
    const [, , debug] = (await once(session, "goaway")) as [number, number, Buffer];
    expect(String(debug)).toMatch(/^plain text on a TLS port: write https:\/\//);
    const answer = await fetch(`http://127.0.0.1:${wep.port}/`);
    expect([answer.status, await answer.text()]).toEqual([
      400,
      expect.stringMatching(/plain text on a TLS port/),
    ]);
    expect(refusals(wep)).toEqual([expect.stringMatching(/plain text on a TLS port/)]);
  });

  it("does not log every try of a peer that tries again and again", async () => {
    const { wep } = await startSecure();
    await using _ = wep;
    for (let tries = 0; tries < 5; tries += 1) await meet(wep.port);
    expect(refusals(wep)).toHaveLength(1);
  });

  it("uses new certificates for new connections, and lets old connections be", async () => {
    const { wep, files } = await startSecure();
    await using _ = wep;
    const old = connectTls({
      host: "127.0.0.1",
      port: wep.port,
      ca: authority.cert,
      servername: "wep.test",
      ALPNProtocols: ["h2"],
      ...client,
    });
    await once(old, "secureConnect");
    const oldSession = speak(old);
    const before = await meet(wep.port, client);
    const next = await authority.issue({ names: ["wep.test"], purposes: ["server"] });
    writeFileSync(files.certFile, next.cert);
    writeFileSync(files.keyFile, next.key);
    await until(() => wep.logs.some(({ msg }) => String(msg).startsWith("certificates reloaded")));
    const after = await meet(wep.port, client);
    expect(after.error).toBeUndefined();
    expect(after.fingerprint).not.toBe(before.fingerprint);
    expect(await ask(oldSession, old)).toMatchObject({ farewell: undefined, error: undefined });
  });

  it("tells in its metrics when the certificate ends that it shows, after a renewal too", async () => {
    const { wep, files } = await startSecure();
    await using _ = wep;
    const told = async () => (await wep.metric(EXPIRY)) ?? 0;
    expect(await told()).toBe(endOf(files.certFile));
    const next = await authority.issue({ names: ["wep.test"], validToMs: Date.now() + 50 * DAY_MS });
    writeFileSync(files.certFile, next.cert);
    writeFileSync(files.keyFile, next.key);
    await until(() => wep.logs.some(({ msg }) => String(msg).startsWith("certificates reloaded")));
    expect(await told()).toBe(endOf(files.certFile));
    expect(Math.abs((await told()) - (Date.now() + 50 * DAY_MS) / 1_000)).toBeLessThan(3_600);
  });

  it("does not start with certificates that cannot be used", async () => {
    const missing = { certFile: "/nowhere/wep.crt", keyFile: "/nowhere/wep.key", caFile: "/nowhere/ca.crt" };
    await expect(startWep({ handlers: [], tls: missing })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(/ca\.crt does not exist/),
    });
  });
});

const EXPIRY = "wep_tls_certificate_expiry_timestamp_seconds";

/** Unix time, in seconds. */
function endOf(certFile: string): number {
  return new X509Certificate(readFileSync(certFile)).validToDate.getTime() / 1_000;
}

describe("a WEP without TLS", () => {
  it("has no metric of a certificate", async () => {
    await using wep = await startWep({ handlers: [scriptedHandler().handler] });
    expect(await wep.metrics.metrics()).not.toContain(EXPIRY);
  });

  it("tells a TLS peer that it speaks plain text", async () => {
    await using wep = await startWep({ handlers: [] });
    const met = await meet(wep.port, client);
    expect(met.error).toBe("ERR_SSL_WRONG_VERSION_NUMBER");
    expect(refusals(wep)).toEqual([expect.stringMatching(/^the peer speaks TLS, and this port plain text/)]);
  });

  it("does not start where other hosts reach it, unless that is allowed", async () => {
    await expect(startWep({ handlers: [], host: "0.0.0.0" })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(/other hosts can reach 0\.0\.0\.0.*server\.allow_plaintext/),
    });
    await using wep = await startWep({ handlers: [], host: "0.0.0.0", allowPlaintext: true });
    expect(wep.logs).toContainEqual(expect.objectContaining({ level: "warn", host: "0.0.0.0" }));
  });
});

describe("a connection that says nothing", () => {
  it("is closed after ten seconds", async () => {
    const clock = new FakeClock();
    const logger = createLogger({ name: "t", level: "silent" });
    using door = openDoor({ tls: undefined }, { clock, log: logger, admit: () => undefined });
    door.server.listen(0, "127.0.0.1");
    await once(door.server, "listening");
    const socket = connectTcp((door.server.address() as AddressInfo).port, "127.0.0.1");
    await once(socket, "connect");
    await until(() => door.sockets.size === 1);
    await clock.advance(9_999);
    expect(door.sockets.size).toBe(1);
    const closed = once(socket, "close");
    await clock.advance(1);
    await closed;
    await until(() => door.sockets.size === 0);
    expect(clock.pendingCount).toBe(0);
    door.server.close();
  });
});
