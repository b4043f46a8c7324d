import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encryptKeystoreJsonSync } from "ethers";
import { describe, expect, test, vi } from "vitest";
import { searchMemory } from "./_memory-search.ts";
import { AUDIO_HANDLERS, AUDIO_SPEC_PATH, SHORT_RECORDING, startNetwork } from "./_network.ts";
import { freePort } from "./_rpc-proxy.ts";
import { until } from "./_until.ts";
import { configWith, fundedWallet, makeWcp, wcpConfig } from "./_wcp.ts";
import { startWep } from "./_wep.ts";
import { submitRecording } from "./_workflow.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const PROBE = fileURLToPath(new URL("fixtures/heap-probe.ts", import.meta.url));
const CANARY = "only-the-wep-knows-this-4711";

describe.skipIf(process.platform !== "linux")("a WEP that has done a workflow (needs /proc)", () => {
  test("has no credential and no key in its environment, arguments, heap or memory, nor the URLs in its log", async () => {
    await using network = await startNetwork();
    await network.kill("wep", "wcp");
    const { chain, store } = network.state;
    const { address, privateKey } = await fundedWallet(chain);
    const password = `password-${address}`;
    const keystore = encryptKeystoreJsonSync({ address, privateKey }, password, {
      scrypt: { N: 1_024, r: 8, p: 1 },
    });
    writeFileSync(join(network.dir, "wallet.json"), keystore, { mode: 0o600 });
    writeFileSync(join(network.dir, "wallet.password"), `${password}\n`, { mode: 0o600 });
    const { accessKeyId, secretAccessKey, ...storage } = store;
    const port = await freePort();
    const config = configWith(wcpConfig(chain, `http://127.0.0.1:${port}`, AUDIO_SPEC_PATH), {
      storage,
      ethereum: {
        keystore_file: join(network.dir, "wallet.json"),
        keystore_password_file: join(network.dir, "wallet.password"),
      },
    });
    const env = {
      WCP__STORAGE__ACCESS_KEY_ID: accessKeyId,
      WCP__STORAGE__SECRET_ACCESS_KEY: secretAccessKey,
    };
    const file = join(network.dir, "heap");
    await using wep = await startWep({
      handlers: AUDIO_HANDLERS,
      port,
      env: { NODE_OPTIONS: `--import ${PROBE}`, HEAP_PROBE_FILE: file, MEMORY_CANARY: CANARY },
    });
    await using wcp = await makeWcp({ dir: network.dir, config, env }).start();
    await wcp.untilReady();
    expect((await submitRecording(network, SHORT_RECORDING).finished).run.outcome.kind).toBe("completed");

    // The id of an access key is part of every presigned URL; the secret is what signs.
    const texts = { key: privateKey.slice(2), password, secretAccessKey };
    const raw = Buffer.from(privateKey.slice(2), "hex");
    const needles = Object.fromEntries([
      ...Object.entries(texts).flatMap(([what, text]) => [
        [what, Buffer.from(text)] as const,
        [`${what} in wide characters`, Buffer.from(text, "utf16le")] as const,
      ]),
      ["key as bytes", raw] as const,
      ["canary", Buffer.from(CANARY)] as const,
    ]);
    const inMemory = searchMemory(wep.pid, needles);
    // The search itself works: what is in its environment is found, where all of that would be.
    expect(inMemory.map(({ what }) => what)).toContain("canary");
    expect(inMemory.filter(({ what }) => what !== "canary")).toEqual([]);

    wep.signal("SIGUSR2");
    const snapshots = await until("each thread to write its heap", () => {
      const names = readdirSync(network.dir).filter((name) => /^heap\.\d+\.heapsnapshot$/.test(name));
      const whole = names.map((name) => readFileSync(join(network.dir, name), "utf8"));
      return whole.length >= 2 && whole.every((text) => text.endsWith("]}\n") || text.endsWith("]}"))
        ? whole
        : undefined;
    });
    const heaps = snapshots.join("\n");
    expect(heaps).toContain("HEAP_PROBE_FILE");
    const seen = [...procOf(wep.pid, "environ"), ...procOf(wep.pid, "cmdline"), heaps].join("\n");
    for (const [what, text] of Object.entries(texts)) {
      expect(seen.toLowerCase().includes(text.toLowerCase()), what).toBe(false);
    }
    expect(wep.stdout() + wep.stderr()).not.toContain("X-Amz-Signature");
  });
});

function procOf(pid: number, name: "environ" | "cmdline"): readonly string[] {
  return readFileSync(`/proc/${pid}/${name}`, "utf8").split("\0");
}
