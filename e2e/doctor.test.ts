import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Network, startNetwork } from "./_network.ts";
import { startWcp } from "./_wcp.ts";

interface Finding {
  readonly id: string;
  readonly verdict: string;
  readonly detail: string;
  readonly advice: string;
}

// The devnet keeps the worker's key nowhere but in its process: only Linux shows that.
const canSeeKey = process.platform === "linux";

let network: Network;
let variables: Readonly<Record<string, string>>;
beforeAll(async () => {
  network = await startNetwork();
  if (!canSeeKey) return;
  const entries = readFileSync(`/proc/${network.pid("wcp")}/environ`, "utf8")
    .split("\0")
    .filter((entry) => /^(WCP__|SUBNET_WORKER_)/.test(entry))
    .map((entry): [string, string] => [
      entry.slice(0, entry.indexOf("=")),
      entry.slice(entry.indexOf("=") + 1),
    ]);
  variables = Object.fromEntries(entries);
});
afterAll(() => network[Symbol.asyncDispose]());

/** Runs the doctor on the devnet's own node. */
async function diagnose(env: Readonly<Record<string, string>> = {}) {
  const { state } = network;
  await using doctor = await startWcp(["doctor", "--json", "--config", state.wcp.configPath], {
    cwd: network.dir,
    env: { ...variables, ...env },
  });
  const code = await doctor.ended;
  const report = JSON.parse(doctor.stdout()) as {
    readonly version: number;
    readonly healthy: boolean;
    readonly findings: readonly Finding[];
  };
  const finding = (id: string) => report.findings.find((each) => each.id === id);
  return { ...report, code, finding, everything: doctor.stdout() + doctor.stderr() };
}

describe.skipIf(!canSeeKey)("wcp doctor on the devnet's node", () => {
  test("finds everything well while it runs, the bucket included", async () => {
    const { code, healthy, version, findings, finding } = await diagnose();
    const ill = findings.filter(({ verdict, id }) => verdict !== "ok" && id !== "key.source");
    expect(ill).toEqual([]);
    expect([code, healthy, version]).toEqual([0, true, 1]);
    expect(finding("machine.lock")?.detail).toContain(`process ${network.pid("wcp")}`);
    expect(finding("storage.put_get")?.detail).toContain(`bucket ${network.state.store.bucket}`);
    expect(finding("wep.kinds")?.verdict).toBe("ok");
  });

  test("tells a wrong bucket and a wrong secret apart, and writes neither secret", async () => {
    const bucket = await diagnose({ WCP__STORAGE__BUCKET: "nowhere" });
    expect(bucket.finding("storage.put_get")).toMatchObject({ verdict: "fail" });
    expect(bucket.finding("storage.put_get")?.advice).toContain("create it, or correct storage.bucket");
    const secret = await diagnose({ WCP__STORAGE__SECRET_ACCESS_KEY: "not-the-secret" });
    expect(secret.finding("storage.put_get")?.advice).toContain("WCP__STORAGE__SECRET_ACCESS_KEY");
    const privateKey = (variables["WCP__ETHEREUM__WALLET_PRIVATE_KEY"] ?? "0x").slice(2);
    expect(privateKey).toHaveLength(64);
    for (const each of ["not-the-secret", privateKey]) {
      expect(secret.everything).not.toContain(each);
    }
  });

  test("finds a WEP that was killed", async () => {
    await network.kill("wep");
    const { code, finding } = await diagnose();
    expect(code).toBe(1);
    expect(finding("wep[0].reachable")).toMatchObject({
      verdict: "fail",
      detail: expect.stringContaining("ECONNREFUSED"),
    });
    await network.restart("wep");
  });
});
