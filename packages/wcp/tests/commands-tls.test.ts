import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadTls } from "@subnet-worker/kit/tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCommand } from "./_io.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;
const FILES = ["ca.crt", "ca.key", "wcp.crt", "wcp.key", "wep.crt", "wep.key"];

let cwd: string;
const at = (name: string) => join(cwd, "tls", name);
const certificate = (name: string) => new X509Certificate(readFileSync(at(name)));
const wcp = (...argv: string[]) => runCommand(["tls", ...argv], { cwd });
const init = (...more: string[]) => wcp("init", "--dir", "tls", "--wep-name", "wep.test,10.0.0.4", ...more);

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "commands-tls-"));
});

afterEach(() => rmSync(cwd, { recursive: true, force: true }));

describe("wcp tls init", () => {
  it("makes an authority and a certificate for each side, which fit together", async () => {
    expect((await init()).code).toBe(0);
    expect(readdirSync(at("")).sort()).toEqual(FILES);
    const [ca, wep, worker] = [certificate("ca.crt"), certificate("wep.crt"), certificate("wcp.crt")];
    expect(ca.ca).toBe(true);
    for (const leaf of [wep, worker]) {
      expect(leaf.ca).toBe(false);
      expect(leaf.verify(ca.publicKey)).toBe(true);
      expect(leaf.publicKey.asymmetricKeyDetails).toMatchObject({ namedCurve: "prime256v1" });
    }
    expect(wep.checkHost("wep.test", { subject: "never" })).toBe("wep.test");
    expect(wep.checkIP("10.0.0.4")).toBe("10.0.0.4");
    expect(worker.checkHost("wcp", { subject: "never" })).toBe("wcp");
    for (const side of ["wep", "wcp"]) {
      const files = { caFile: at("ca.crt"), certFile: at(`${side}.crt`), keyFile: at(`${side}.key`) };
      expect(loadTls(files, Date.now()).identity).toBeDefined();
    }
  });

  it("keeps keys for their owner", async () => {
    await init();
    for (const name of FILES.filter((each) => each.endsWith(".key"))) {
      expect(statSync(at(name)).mode & 0o777, name).toBe(0o600);
    }
  });

  it("prints which file goes where, and what to write into the two configurations, but no key", async () => {
    const { out } = await init("--wcp-name", "node-7");
    expect(out).toContain(`cert_file: "${at("wep.crt")}"`);
    expect(out).toContain(`client_names: ["node-7"]`);
    expect(out).toContain(`wep_grpc_endpoint = ["https://wep.test:7070", "https://10.0.0.4:7070"]`);
    expect(out).toContain(`ca_file = "${at("ca.crt")}"`);
    expect(out).not.toContain("PRIVATE");
  });

  it("takes the days that certificates are good for", async () => {
    await init("--days", "30");
    const leftDays = (certificate("wep.crt").validToDate.getTime() - Date.now()) / DAY_MS;
    expect(leftDays).toBeGreaterThan(29.9);
    expect(leftDays).toBeLessThan(30.1);
  });

  it("overwrites nothing, and then makes nothing", async () => {
    await init();
    const before = readFileSync(at("wep.key"), "utf8");
    for (const name of FILES.filter((each) => each !== "wep.key")) rmSync(at(name));
    const { code, err } = await init();
    expect(code).toBe(78);
    expect(err).toContain("is there already and is not overwritten");
    expect(readdirSync(at(""))).toEqual(["wep.key"]);
    expect(readFileSync(at("wep.key"), "utf8")).toBe(before);
  });

  it.each([
    [["--wep-name", "wep:7070"], /"wep:7070" is neither a host name nor an IP address/],
    [["--wep-name", "a,,b"], /"" is neither/],
    [["--wep-name", "wep", "--days", "0"], /--days: "0" must be a whole number/],
    [[], /--wep-name is missing/],
  ])("refuses %j", async (options, problem) => {
    const { code, err } = await wcp("init", "--dir", "tls", ...options);
    expect(code).toBe(78);
    expect(err).toMatch(problem);
  });
});

describe("wcp tls show", () => {
  it("tells what a certificate is for, who signed it, and how long it is good", async () => {
    await init("--days", "30");
    const { code, out } = await wcp("show", at("wep.crt"));
    expect(code).toBe(0);
    expect(out).toMatch(/^names +wep\.test, 10\.0\.0\.4$/m);
    expect(out).toMatch(/^for +a WEP \(server\)$/m);
    expect(out).toMatch(/^issuer +CN=subnet-worker private CA [0-9a-f]{8}$/m);
    expect(out).toMatch(/\((29|30) days left\)$/m);
    expect(out).toContain(certificate("wep.crt").fingerprint256);
  });

  it("shows one that has neither subject nor issuer", async () => {
    writeFileSync(join(cwd, "nameless.crt"), NAMELESS);
    const { code, out } = await wcp("show", "nameless.crt");
    expect(code).toBe(0);
    expect(out).toMatch(/^subject +x\.test$/m);
    expect(out).toMatch(/^issuer +none$/m);
  });

  it("refuses what is no certificate", async () => {
    await init();
    expect(await wcp("show", at("wep.key"))).toMatchObject({
      code: 78,
      err: expect.stringMatching(/holds no certificate/),
    });
    expect((await wcp("show", at("gone.crt"))).err).toMatch(/cannot be read/);
  });
});

describe("wcp tls renew", () => {
  it("makes the same certificate anew with a new key, and keeps what was there", async () => {
    await init("--days", "1");
    const old = certificate("wcp.crt");
    const { code, out } = await wcp("renew", at("wcp.crt"), "--days", "90");
    expect(code).toBe(0);
    expect(out).toMatch(/\((89|90) days left\)/);
    const renewed = certificate("wcp.crt");
    expect(renewed.subjectAltName).toBe(old.subjectAltName);
    expect(renewed.keyUsage).toEqual(old.keyUsage);
    expect(renewed.publicKey.equals(old.publicKey)).toBe(false);
    expect(renewed.verify(certificate("ca.crt").publicKey)).toBe(true);
    expect(certificate("wcp.crt.old").fingerprint256).toBe(old.fingerprint256);
    expect(statSync(at("wcp.key")).mode & 0o777).toBe(0o600);
    const files = { caFile: at("ca.crt"), certFile: at("wcp.crt"), keyFile: at("wcp.key") };
    expect(loadTls(files, Date.now()).identity?.names).toEqual(["wcp"]);
  });

  it("needs the key of the authority", async () => {
    await init();
    rmSync(at("ca.key"));
    expect((await wcp("renew", at("wep.crt"))).err).toMatch(/ca\.key cannot be read.*--dir/);
    writeFileSync(at("ca.key"), readFileSync(at("wep.key")));
    expect((await wcp("renew", at("wep.crt"))).err).toMatch(/is not the key of/);
    expect((await wcp("renew", at("ca.crt"))).err).toMatch(/is an authority/);
  });
});

/** As other tools make them: everything is in the extensions. */
const NAMELESS = `-----BEGIN CERTIFICATE-----
MIIBaTCCAQ6gAwIBAgIUKTjYym04rPzGTfOc/B5L0R+xnhYwCgYIKoZIzj0EAwIw
ADAeFw0yNjExMjExNTQ3NTJaFw0yNjEyMjExNTQ3NTJaMAAwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAARabpFKfW5s+C6pANC7dNfqOfbylXSXXIh8EqK7/vx8sNF8
a/x1vF1KJyPZsnTkuQTvig4jU9LVhFreJ0wKgoDwo2YwZDAdBgNVHQ4EFgQURwoz
1QI/CBL4bE2d1UZe4Njvnx8wHwYDVR0jBBgwFoAURwoz1QI/CBL4bE2d1UZe4Njv
nx8wDwYDVR0TAQH/BAUwAwEB/zARBgNVHREECjAIggZ4LnRlc3QwCgYIKoZIzj0E
AwIDSQAwRgIhAISMwe8b2ulDkli31CnP1qmQt1P3UHrOUWc+B2clIwRzAiEAmpea
dRIyRWb0OimKRq1sVktYIbBWAgdyjwG2s40y9zU=
-----END CERTIFICATE-----`;
