import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { X509Certificate } from "node:crypto";
import { connect as connectHttp2 } from "node:http2";
import { createServer as createHttps } from "node:https";
import { type AddressInfo } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { TestAuthority, type TlsFilePaths, writeCertificate } from "@subnet-worker/testkit/certificates";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BareChain, ECHO_HANDLERS, ECHO_QUEUE, ECHO_SPEC_PATH, startBareChain } from "./_bare-chain.ts";
import type { TestProcess } from "./_process.ts";
import { parseMetrics } from "./_prometheus.ts";
import { freePort } from "./_rpc-proxy.ts";
import { until } from "./_until.ts";
import { configWith, fundedWallet, makeWcp, startWcp, wcpConfig, type WcpProcess } from "./_wcp.ts";
import { startWep, type WepProcess } from "./_wep.ts";

/** How long a certificate is good that is to expire: longer than a process takes to see that it is there. */
const BRIEF_MS = 10_000;

let chain: BareChain;
let dir: string;
/** As `wcp tls init` made them, for 127.0.0.1 and this machine's other address. */
let tls: { readonly wep: TlsFilePaths; readonly wcp: TlsFilePaths };
let stranger: TestAuthority;
let ours: TestAuthority;

/** An address of this machine that other hosts could reach. */
const offHost = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.internal === false && each.family === "IPv4")?.address;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "e2e-tls-"));
  chain = await startBareChain();
  const names = ["127.0.0.1", ...(offHost === undefined ? [] : [offHost])].join(",");
  await using init = await startWcp(["tls", "init", "--dir", "tls", "--wep-name", names], {
    cwd: dir,
    env: {},
  });
  expect(await init.ended).toBe(0);
  const caFile = join(dir, "tls", "ca.crt");
  const filesOf = (side: string) => ({
    caFile,
    certFile: join(dir, "tls", `${side}.crt`),
    keyFile: join(dir, "tls", `${side}.key`),
  });
  tls = { wep: filesOf("wep"), wcp: filesOf("wcp") };
  stranger = await TestAuthority.create("a stranger");
  ours = await TestAuthority.create("ours");
});

afterAll(async () => {
  await chain[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

/** A certificate in files; the other side is verified against `ca`, by default the same authority. */
async function madeBy(
  authority: TestAuthority,
  name: string,
  spec: Parameters<TestAuthority["issue"]>[0] & { readonly ca?: TestAuthority } = {},
): Promise<TlsFilePaths> {
  const certificate = await authority.issue(spec);
  return writeCertificate(join(dir, name), "tls", { ...certificate, ca: (spec.ca ?? authority).cert });
}

function wepEnv(files: TlsFilePaths, clientNames = ""): Record<string, string> {
  return {
    WEP__SERVER__TLS__ENABLED: "true",
    WEP__SERVER__TLS__CERT_FILE: files.certFile,
    WEP__SERVER__TLS__KEY_FILE: files.keyFile,
    WEP__SERVER__TLS__CA_CERT_FILE: files.caFile,
    ...(clientNames === "" ? {} : { WEP__SERVER__TLS__CLIENT_NAMES: clientNames }),
  };
}

interface TlsWep extends WepProcess {
  readonly port: number;
}

async function startTlsWep(env: Readonly<Record<string, string>>): Promise<TlsWep> {
  const port = await freePort();
  const wep = await startWep({ handlers: ECHO_HANDLERS, port, env });
  await wep.find("the WEP to listen", ({ msg }) => msg === "wep listening");
  return { ...wep, port };
}

type TlsSettings = Readonly<Record<string, string | boolean>>;

function settingsOf({ caFile, certFile, keyFile }: TlsFilePaths): TlsSettings {
  return { ca_file: caFile, cert_file: certFile, key_file: keyFile };
}

async function startNode(endpoints: readonly string[], settings: TlsSettings): Promise<WcpProcess> {
  const wallet = await fundedWallet(chain.facts);
  const config = configWith(wcpConfig(chain.facts, "", ECHO_SPEC_PATH), {
    wep_grpc_endpoint: endpoints,
    wep_tls: settings,
    scheduler: { queue_name: [ECHO_QUEUE] },
  });
  return makeWcp({ dir, config, env: { WCP__ETHEREUM__WALLET_PRIVATE_KEY: wallet.privateKey } }).start();
}

/** What the node logs as the reason that it does without a WEP. */
async function reasonOf(wcp: WcpProcess, url: string): Promise<string> {
  const line = await wcp.find(
    `why ${url} is not used`,
    ({ wep, reason }) => wep === url && reason !== undefined,
  );
  return String(line["reason"]);
}

/** What the WEP logs of whom it refuses, or who refuses it. */
async function refusalBy(wep: WepProcess): Promise<string> {
  const line = await wep.find(
    "a refusal in the WEP's log",
    ({ msg }) => msg === "connection refused" || msg === "the peer hung up and said why",
  );
  return String(line["reason"]);
}

describe("a WEP that the node cannot trust, or that does not trust the node", () => {
  test("is not used, and both logs name the reason", async () => {
    const trusts = { ca: ours };
    await using wrongCa = await startTlsWep(wepEnv(await madeBy(stranger, "wrong-ca", trusts)));
    await using wrongName = await startTlsWep(
      wepEnv(await madeBy(ours, "wrong-name", { names: ["other.test"] })),
    );
    await using pickyName = await startTlsWep(wepEnv(await madeBy(ours, "picky"), "somebody-else"));
    await using pickyCa = await startTlsWep(wepEnv(await madeBy(ours, "picky-ca", { ca: stranger })));
    await using plain = await startTlsWep({});
    await using secure = await startTlsWep(wepEnv(await madeBy(ours, "secure")));
    await using old = await startOldTls();
    const at = (wep: { readonly port: number }) => `https://127.0.0.1:${wep.port}`;
    const downgraded = `http://127.0.0.1:${secure.port}`;
    const mine = await madeBy(ours, "node", { names: ["wcp"], purposes: ["client"] });
    await using wcp = await startNode(
      [...[wrongCa, wrongName, pickyName, pickyCa, plain, old].map(at), downgraded],
      settingsOf(mine),
    );
    expect(await reasonOf(wcp, at(wrongCa))).toMatch(/the WEP is refused: wrong CA/);
    expect(await refusalBy(wrongCa)).toMatch(/the worker client refuses this WEP: wrong CA/);
    expect(await reasonOf(wcp, at(wrongName))).toMatch(/wrong name: its certificate is for other\.test/);
    expect(await refusalBy(wrongName)).toMatch(/refuses this WEP: wrong name/);
    expect(await reasonOf(wcp, at(pickyName))).toMatch(
      /the WEP refuses this worker client: wrong name.*somebody-else/,
    );
    expect(await refusalBy(pickyName)).toMatch(/wrong name: its certificate is for wcp/);
    expect(await reasonOf(wcp, at(pickyCa))).toMatch(/the WEP refuses this worker client: wrong CA/);
    expect(await refusalBy(pickyCa)).toMatch(/^wrong CA/);
    expect(await reasonOf(wcp, at(plain))).toMatch(/the other side speaks plain text, not TLS/);
    expect(await refusalBy(plain)).toMatch(/the peer speaks TLS, and this port plain text/);
    expect(await reasonOf(wcp, downgraded)).toMatch(/plain text on a TLS port: write https:/);
    expect(await refusalBy(secure)).toMatch(/plain text on a TLS port/);
    expect(await reasonOf(wcp, at(old))).toMatch(/TLS version too old/);
    expect(await old.refusal).toMatch(/UNSUPPORTED_PROTOCOL|VERSION/);
  });
});

describe("a node that a WEP does not trust", () => {
  test("learns that its certificate is of another authority, and that it has none", async () => {
    await using wep = await startTlsWep(wepEnv(tls.wep, "wcp"));
    const url = `https://127.0.0.1:${wep.port}`;
    const foreign = await madeBy(stranger, "foreign-node", { names: ["wcp"] });
    await using other = await startNode([url], { ...settingsOf(foreign), ca_file: tls.wep.caFile });
    await using bare = await startNode([url], { ca_file: tls.wep.caFile });
    expect(await reasonOf(other, url)).toMatch(/the WEP refuses this worker client: wrong CA/);
    expect(await reasonOf(bare, url)).toMatch(/no client certificate was shown; set wep_tls\.cert_file/);
    await until("both refusals", () => {
      const reasons = wep
        .lines()
        .flatMap(({ msg, reason }) => (msg === "connection refused" ? [String(reason)] : []));
      return (
        reasons.some((reason) => reason.startsWith("wrong CA")) &&
        reasons.includes("no client certificate was shown")
      );
    });
  });
});

test("TLS 1.2 is refused, and both sides read why", async () => {
  await using wep = await startTlsWep(wepEnv(tls.wep));
  const socket = connectTls({
    host: "127.0.0.1",
    port: wep.port,
    maxVersion: "TLSv1.2",
    rejectUnauthorized: false,
  });
  const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
  expect(await refusalBy(wep)).toMatch(/^TLS version too old/);
});

describe.skipIf(offHost === undefined)("from another host", () => {
  const host = offHost ?? "";

  test("plain text is told that it must be TLS, and the log says who tried", async () => {
    await using wep = await startTlsWep({ ...wepEnv(tls.wep), WEP__SERVER__HOST: "0.0.0.0" });
    const session = connectHttp2(`http://${host}:${wep.port}`);
    session.on("error", () => undefined);
    const [, , words] = (await once(session, "goaway")) as [number, number, Buffer];
    expect(String(words)).toMatch(/^plain text on a TLS port: write https:/);
    const line = await wep.find("the refusal", ({ msg }) => msg === "connection refused");
    expect(String(line["peer"])).toMatch(new RegExp(`^${host.replaceAll(".", "\\.")}:`));
  });

  test("plain text is not served at all without TLS, and not spoken by a node", async () => {
    await using wep = await startWep({
      handlers: ECHO_HANDLERS,
      port: await freePort(),
      env: { WEP__SERVER__HOST: "0.0.0.0" },
    });
    expect(await wep.ended).toBe(78);
    expect(wep.stderr()).toMatch(/other hosts can reach 0\.0\.0\.0/);
    await using wcp = await startNode([`http://${host}:7070`], {});
    expect(await wcp.ended).toBe(78);
    expect(wcp.stderr()).toMatch(/is plain text to another host/);
  });

  test("work is done over TLS, with what wcp tls init made, and both certificates are renewed meanwhile", async () => {
    const slots = { WEP__RUNTIME__MAX_CONCURRENCY: "16" };
    await using wep = await startTlsWep({
      ...wepEnv(tls.wep, "wcp"),
      ...slots,
      WEP__SERVER__HOST: "0.0.0.0",
    });
    await using wcp = await startNode([`https://${host}:${wep.port}`], settingsOf(tls.wcp));
    await wcp.untilReady();
    for (const side of ["wep", "wcp"] as const)
      expect(await certificateEnd(side, { wep, wcp })).toBe(endInFile(side));
    const before = fingerprintsOf();
    expect(await shownBy(wep.port, host)).toBe(before.wep);
    const port = wep.port;
    const gate = join(dir, "gate");
    const instances: string[] = [];
    const start = async (...texts: readonly string[]) => {
      for (const text of texts) instances.push(await chain.startEcho(text));
    };
    await start("early", `wait for ${gate}`, "early too", `wait for ${gate}`);
    await until("runs that last", () => wep.lines().filter(({ msg }) => msg === "run started").length === 4);
    const renewing = renew("wep").then(() => renew("wcp"));
    await start("meanwhile", `wait for ${gate}`, "meanwhile too");
    await renewing;
    for (const process of [wep, wcp]) {
      await process.find(
        "the new certificate",
        ({ msg }) => msg?.startsWith("certificates reloaded") === true,
      );
    }
    writeFileSync(gate, "");
    await start("after");
    for (const instance of instances) {
      await chain.untilCompleted(instance);
      expect(await chain.count("ActivityCompleted", instance)).toBe(1);
    }
    const starts = wep.lines().filter(({ msg }) => msg === "run started");
    expect(starts).toHaveLength(instances.length);
    expect(wep.lines().filter(({ msg }) => msg?.startsWith("worker client disconnected"))).toEqual([]);
    for (const side of ["wep", "wcp"] as const)
      expect(await certificateEnd(side, { wep, wcp })).toBe(endInFile(side));
    const after = fingerprintsOf();
    expect(after.wep).not.toBe(before.wep);
    expect(await shownBy(port, host)).toBe(after.wep);
    expect(wep.lines().find(isAccepted)).toMatchObject({ names: ["wcp"], fingerprint: before.wcp });
    wep.signal("SIGKILL");
    await wep.ended;
    const env = { ...wepEnv(tls.wep, "wcp"), WEP__SERVER__HOST: "0.0.0.0" };
    await using successor = await startWep({ handlers: ECHO_HANDLERS, port, env });
    const accepted = await successor.find("the node to be back", isAccepted);
    expect(accepted).toMatchObject({ names: ["wcp"], fingerprint: after.wcp });
  });
});

test("a certificate that has expired is refused, and both logs say so", async () => {
  const names = ["127.0.0.1", "wcp"];
  const files = {
    wep: await madeBy(ours, "brief-wep", { names }),
    wcp: await madeBy(ours, "brief-node", { names }),
  };
  const good = {
    wep: await madeBy(ours, "good-wep"),
    wcp: await madeBy(ours, "good-node", { names: ["wcp"] }),
  };
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  await using expired = await startTlsWep(wepEnv(files.wep));
  await using late = await startNode([url], settingsOf(files.wcp));
  // Neither starts with a certificate that has expired, or takes one up.
  await expire(expired, files.wep, names);
  await expire(late, files.wcp, names);
  await using wcp = await startNode([`https://127.0.0.1:${expired.port}`], settingsOf(good.wcp));
  expect(await reasonOf(wcp, `https://127.0.0.1:${expired.port}`)).toMatch(/its certificate has expired/);
  expect(await refusalBy(expired)).toMatch(/refuses this WEP: its certificate has expired/);
  await using wep = await startWep({ handlers: ECHO_HANDLERS, port, env: wepEnv(good.wep) });
  const line = await late.find("the refusal", ({ reason }) =>
    /its certificate has expired/.test(String(reason)),
  );
  expect(line).toMatchObject({ wep: url });
  expect(await refusalBy(wep)).toMatch(/its certificate has expired/);
});

/** Gives a process a certificate that is good for a moment, and waits until the moment is over. */
async function expire(holder: TestProcess, files: TlsFilePaths, names: readonly string[]): Promise<void> {
  const count = (words: string) => holder.lines().filter(({ msg }) => msg?.startsWith(words) === true).length;
  for (let isTaken = false; !isTaken;) {
    const before = count("certificates reloaded");
    const validToMs = Date.now() + BRIEF_MS;
    const { cert, key } = await ours.issue({ names, validToMs });
    writeFileSync(files.keyFile, key);
    writeFileSync(files.certFile, cert);
    await until("the certificate to expire", () => Date.now() > validToMs + 1_500);
    // A slow machine may look only when it is over: once more, then.
    isTaken = count("certificates reloaded") > before;
  }
}

const isAccepted = ({ msg }: { readonly msg?: string }) => msg === "worker client's certificate accepted";

/** Of the certificates in the files, as they are now. */
function fingerprintsOf(): { readonly wep: string; readonly wcp: string } {
  const of = (file: string) => new X509Certificate(readFileSync(file)).fingerprint256;
  return { wep: of(tls.wep.certFile), wcp: of(tls.wcp.certFile) };
}

/** When a side's certificate ends, in seconds: by its file, and by its metrics. */
function endInFile(side: "wep" | "wcp"): number {
  return new X509Certificate(readFileSync(tls[side].certFile)).validToDate.getTime() / 1_000;
}

async function certificateEnd(
  side: "wep" | "wcp",
  { wep, wcp }: { readonly wep: WepProcess; readonly wcp: WcpProcess },
): Promise<number | undefined> {
  const url = side === "wep" ? await wep.healthUrl() : await wcp.adminUrl();
  const samples = parseMetrics(await (await fetch(`${url}/metrics`)).text());
  return samples.find(({ name }) => name === `${side}_tls_certificate_expiry_timestamp_seconds`)?.value;
}

/** The fingerprint of what a WEP shows to a new connection. */
async function shownBy(port: number, host: string): Promise<string | undefined> {
  const socket: TLSSocket = connectTls({
    host,
    port,
    ca: readFileSync(tls.wcp.caFile),
    cert: readFileSync(tls.wcp.certFile),
    key: readFileSync(tls.wcp.keyFile),
    ALPNProtocols: ["h2"],
  });
  await once(socket, "secureConnect");
  const fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
  socket.destroy();
  return fingerprint;
}

async function renew(side: "wep" | "wcp"): Promise<void> {
  await using command = await startWcp(["tls", "renew", join(dir, "tls", `${side}.crt`)], {
    cwd: dir,
    env: {},
  });
  expect(await command.ended).toBe(0);
}

/** A server that speaks TLS up to 1.2 only, as old ones do. */
async function startOldTls() {
  const { cert, key } = await ours.issue();
  const server = createHttps({ cert, key, maxVersion: "TLSv1.2" });
  const refusal = once(server, "tlsClientError").then(([error]) =>
    String((error as NodeJS.ErrnoException).code),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    refusal,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
