// Of kit/tls; here, since the kit itself cannot use what testkit makes of it.
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@subnet-worker/kit";
import {
  explainCertificate,
  explainHandshake,
  farewellText,
  isLoopback,
  keepTls,
  loadTls,
  namesOf,
  parseCertificates,
  type TlsError,
  type TlsFiles,
} from "@subnet-worker/kit/tls";
import { FakeClock } from "@subnet-worker/testkit";
import { TestAuthority, type TlsFilePaths, writeCertificate } from "@subnet-worker/testkit/certificates";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";

const DAY_MS = 24 * 60 * 60 * 1_000;
const NOW_MS = Date.UTC(2030, 0, 1);
const LIFE = { validFromMs: NOW_MS - DAY_MS, validToMs: NOW_MS + 100 * DAY_MS };

let authority: TestAuthority;
let dir: string;
let files: TlsFilePaths;

beforeAll(async () => {
  authority = await TestAuthority.create("authority", LIFE);
});

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "tls-files-"));
  files = writeCertificate(dir, "a", { ...(await authority.issue(LIFE)), ca: authority.cert });
});

/** The error that loading ends with. */
function failure(given: TlsFiles, nowMs = NOW_MS): Pick<TlsError, "code" | "message"> {
  try {
    loadTls(given, nowMs);
  } catch (error) {
    return error as TlsError;
  }
  throw new Error("it was loaded");
}

describe("certificate files", () => {
  it("are loaded with names, end and fingerprint", async () => {
    const { identity } = loadTls(files, NOW_MS);
    expect(identity).toMatchObject({ names: ["localhost", "127.0.0.1"], expiresAtMs: LIFE.validToMs });
    expect(identity?.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    expect(loadTls({ caFile: files.caFile }, NOW_MS).identity).toBeUndefined();
  });

  it("that are missing are named", () => {
    rmSync(files.keyFile);
    expect(failure(files)).toMatchObject({
      code: "TLS_FILE_MISSING",
      message: expect.stringContaining(files.keyFile),
    });
  });

  it.skipIf(process.getuid?.() === 0)("that may not be read are named", () => {
    chmodSync(files.keyFile, 0);
    expect(failure(files).code).toBe("TLS_FILE_UNREADABLE");
  });

  it("that are folders cannot be read", () => {
    expect(failure({ caFile: dir }).code).toBe("TLS_FILE_UNREADABLE");
  });

  it("must fit together", async () => {
    writeFileSync(files.keyFile, (await authority.issue(LIFE)).key);
    expect(failure(files).code).toBe("TLS_KEY_MISMATCH");
  });

  it.each([
    ["half a certificate", (text: string) => text.slice(0, 200)],
    ["a damaged one", (text: string) => text.replace(/[A-Za-z]{6}\n/, "!!!!!!\n")],
    ["none", () => "hello"],
  ])("with %s are refused", async (_what, spoil) => {
    const { cert } = await authority.issue(LIFE);
    writeFileSync(files.certFile, spoil(cert));
    expect(failure(files).code).toBe("TLS_NOT_PEM");
  });

  it("with a key that is none are refused without repeating it", () => {
    writeFileSync(files.keyFile, "my secret words");
    const { code, message } = failure(files);
    expect(code).toBe("TLS_NOT_PEM");
    expect(message).not.toContain("secret");
  });

  it("that have expired, or begin later, are refused with the date", () => {
    expect(failure(files, LIFE.validToMs + 1)).toMatchObject({
      code: "TLS_EXPIRED",
      message: expect.stringMatching(/expired on 2030-04-11.*wcp tls renew/),
    });
    expect(failure(files, LIFE.validFromMs - 1).code).toBe("TLS_NOT_YET_VALID");
  });

  it("with an authority that is none are refused", () => {
    expect(failure({ ...files, caFile: files.certFile })).toMatchObject({
      code: "TLS_NOT_A_CA",
      message: expect.stringContaining("lacks the CA flag"),
    });
  });

  it("may hold an authority that has expired beside one that has not", async () => {
    const old = await TestAuthority.create("old", {
      validFromMs: NOW_MS - 9 * DAY_MS,
      validToMs: NOW_MS - DAY_MS,
    });
    writeFileSync(files.caFile, `${old.cert}\n${authority.cert}`);
    expect(loadTls(files, NOW_MS).identity).toBeDefined();
    writeFileSync(files.caFile, old.cert);
    expect(failure(files).code).toBe("TLS_EXPIRED");
  });
});

interface Line {
  readonly level: string;
  readonly msg: string;
}

function keeperOf(given: TlsFiles, clock: FakeClock) {
  const lines: Line[] = [];
  const log = createLogger({
    name: "t",
    level: "debug",
    destination: { write: (line) => void lines.push(JSON.parse(line) as Line) },
  });
  return { keeper: keepTls(given, { clock, log }), lines };
}

const told = (lines: readonly Line[], pattern: RegExp) => lines.filter(({ msg }) => pattern.test(msg)).length;

describe("certificates that are kept up to date", () => {
  it("change when both files have, and listeners get the new", async () => {
    const clock = new FakeClock({ startMs: NOW_MS });
    const { keeper, lines } = keeperOf(files, clock);
    using _ = keeper;
    const first = keeper.current;
    const heard: unknown[] = [];
    keeper.onChange((material) => heard.push(material));
    const next = await authority.issue(LIFE);
    writeFileSync(files.certFile, next.cert); // without its key
    await clock.advance(5_000);
    expect(keeper.current).toBe(first);
    expect(told(lines, /cannot be used; the ones before stay in use/)).toBe(1);
    await clock.advance(60_000);
    expect(told(lines, /cannot be used/)).toBe(1);
    writeFileSync(files.keyFile, next.key);
    await clock.advance(5_000);
    expect(keeper.current.identity?.cert).toBe(next.cert);
    expect(heard).toEqual([keeper.current]);
    expect(told(lines, /^certificates reloaded/)).toBe(1);
  });

  it("stay while the files are away, which is told once", async () => {
    const clock = new FakeClock({ startMs: NOW_MS });
    const { keeper, lines } = keeperOf(files, clock);
    using _ = keeper;
    renameSync(files.certFile, `${files.certFile}.away`);
    await clock.advance(30_000);
    expect(told(lines, /cannot be used/)).toBe(1);
    renameSync(`${files.certFile}.away`, files.certFile);
    await clock.advance(5_000);
    expect(keeper.current.identity).toBeDefined();
  });

  it("follow the links that Kubernetes exchanges", async () => {
    const mount = join(dir, "mount");
    const stage = async (name: string) => {
      mkdirSync(join(mount, name), { recursive: true });
      const issued = await authority.issue(LIFE);
      writeCertificate(join(mount, name), "tls", { ...issued, ca: authority.cert });
      symlinkSync(name, join(mount, `..${name}`));
      renameSync(join(mount, `..${name}`), join(mount, "..data"));
      return issued;
    };
    await stage("one");
    for (const name of ["tls-ca.crt", "tls.crt", "tls.key"]) symlinkSync(`..data/${name}`, join(mount, name));
    const at = (name: string) => join(mount, name);
    const clock = new FakeClock({ startMs: NOW_MS });
    const { keeper } = keeperOf(
      { caFile: at("tls-ca.crt"), certFile: at("tls.crt"), keyFile: at("tls.key") },
      clock,
    );
    using _ = keeper;
    const second = await stage("two");
    await clock.advance(5_000);
    expect(keeper.current.identity?.cert).toBe(second.cert);
  });

  it.each([
    ["no sooner than 14 days before their end", -15, []],
    ["in the last 14 days", -13, [["warn", "certificate expires soon; renew it (wcp tls renew)"]]],
  ])("warn of it %s, and not at every look", async (_what, days, expected) => {
    const clock = new FakeClock({ startMs: LIFE.validToMs + days * DAY_MS });
    const { keeper, lines } = keeperOf(files, clock);
    using _ = keeper;
    await clock.advance(60_000);
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual(expected);
  });

  it("say so as soon as their end has come", async () => {
    const clock = new FakeClock({ startMs: LIFE.validToMs - 10_000 });
    const { keeper, lines } = keeperOf(files, clock);
    using _ = keeper;
    await clock.advance(60_000);
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
      ["warn", "certificate expires soon; renew it (wcp tls renew)"],
      ["error", "certificate has expired, and peers refuse it; renew it (wcp tls renew)"],
    ]);
  });

  it("leave nothing behind", () => {
    const clock = new FakeClock({ startMs: NOW_MS });
    const { keeper } = keeperOf(files, clock);
    keeper[Symbol.dispose]();
    expect(clock.pendingCount).toBe(0);
  });
});

describe("what TLS says, in plain words", () => {
  it.each([
    ["CERT_HAS_EXPIRED", /has expired/],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", /^wrong CA: .*\/ca\.crt/],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", /^wrong CA/],
    ["SELF_SIGNED_CERT_IN_CHAIN", /^wrong CA/],
    ["SOMETHING_NEW", /cannot be verified \(SOMETHING_NEW\)/],
  ])("%s", (code, words) => expect(explainCertificate(code, "/ca.crt")).toMatch(words));

  it.each([
    ["ERR_SSL_WRONG_VERSION_NUMBER", /plain text/],
    ["ERR_SSL_UNSUPPORTED_PROTOCOL", /version too old/],
    ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", /version too old/],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", /no client certificate/],
    ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", /wrong CA/],
    ["ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED", /our certificate has expired/],
    ["ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", /does not accept our certificate/],
    ["ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL", /ALPN h2/],
    ["ECONNRESET", /hung up during the TLS handshake/],
    ["ERR_SSL_SOMETHING_NEW", /the TLS handshake failed/],
  ])("%s", (code, words) => expect(explainHandshake(Object.assign(new Error("x"), { code }))).toMatch(words));

  it("leaves other errors to others", () => {
    expect(explainHandshake(Object.assign(new Error("x"), { code: "ENOTFOUND" }))).toBeUndefined();
    expect(explainHandshake(undefined)).toBeUndefined();
  });

  it("lets a peer put no control characters into the log, and no novels", () => {
    expect(farewellText(Buffer.from("a\u001b[31mb\nc"))).toBe("a?[31mb?c");
    expect(farewellText(Buffer.from("x".repeat(9_999)))).toHaveLength(512);
    expect(farewellText(new Uint8Array())).toBeUndefined();
  });

  it.each([
    ["127.0.0.1", true],
    ["127.1.2.3", true],
    ["::1", true],
    ["[::1]", true],
    ["localhost", true],
    ["0.0.0.0", false],
    ["::", false],
    ["10.0.0.1", false],
    ["128.0.0.1", false],
    ["localhost.example", false],
    ["127.0.0.1.example", false],
  ])("%s is loopback: %s", (host, is) => expect(isLoopback(host)).toBe(is));

  it("names of a certificate, addresses and all", async () => {
    const { cert } = await authority.issue({ ...LIFE, names: ["a.test", "10.0.0.1", "::1"] });
    const [certificate] = parseCertificates(cert, "x");
    expect(namesOf(certificate)).toEqual(["a.test", "10.0.0.1", "0:0:0:0:0:0:0:1"]);
  });
});
