import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DevnetState } from "@subnet-worker/devnet";
import { encryptKeystoreJsonSync } from "ethers";
import { describe, expect, test } from "vitest";
import { searchMemory } from "./_memory-search.ts";
import { AUDIO_HANDLERS, AUDIO_SPEC_PATH, SHORT_RECORDING, startNetwork } from "./_network.ts";
import { freePort } from "./_rpc-proxy.ts";
import { until } from "./_until.ts";
import { configWith, fundedWallet, makeWcp, wcpConfig } from "./_wcp.ts";
import { startWep } from "./_wep.ts";
import { submitRecording } from "./_workflow.ts";

const PROBE = fileURLToPath(new URL("fixtures/heap-probe.ts", import.meta.url));
const CANARY = "only-the-wep-knows-this-4711";

/** What the WCP is told of where objects are, and the secret among it. */
interface StorageSecret {
  readonly what: string;
  readonly secret: string;
  readonly config: Parameters<typeof configWith>[1];
  readonly env: Readonly<Record<string, string>>;
}

function storageOf({ storage, store }: DevnetState): StorageSecret {
  if (storage.kind === "subnet-api") {
    return {
      what: "token of the broker",
      secret: storage.token,
      config: { subnet_api: { grpc_endpoint: storage.endpoint } },
      env: { WCP__SUBNET_API__TOKEN: storage.token },
    };
  }
  const { accessKeyId, secretAccessKey, ...place } = store;
  return {
    // The id of an access key is part of every presigned URL; the secret is what signs.
    what: "secret access key",
    secret: secretAccessKey,
    config: { storage: place },
    env: { WCP__STORAGE__ACCESS_KEY_ID: accessKeyId, WCP__STORAGE__SECRET_ACCESS_KEY: secretAccessKey },
  };
}

/** In the forms that a process could have them in. */
function needlesOf(texts: Readonly<Record<string, string>>): Readonly<Record<string, Buffer>> {
  return Object.fromEntries(
    Object.entries(texts).flatMap(([what, text]) => [
      [what, Buffer.from(text)] as const,
      [`${what}, in wide characters`, Buffer.from(text, "utf16le")] as const,
      ...(/^[0-9a-f]+$/.test(text) ? [[`${what}, as bytes`, Buffer.from(text, "hex")] as const] : []),
    ]),
  );
}

describe.skipIf(process.platform !== "linux")("a WEP that has done a workflow (needs /proc)", () => {
  test.each(["s3", "subnet-api"] as const)(
    "has no credential and no key in its environment, arguments, heap or memory, nor URLs in its log: %s",
    async (kind) => {
      await using network = await startNetwork({ storage: kind });
      await network.kill("wep", "wcp");
      const { chain } = network.state;
      const storage = storageOf(network.state);
      const { address, privateKey } = await fundedWallet(chain);
      const password = `password-${address}`;
      const scrypt = { N: 1_024, r: 8, p: 1 };
      const keystore = encryptKeystoreJsonSync({ address, privateKey }, password, { scrypt });
      const keystoreFile = join(network.dir, "wallet.json");
      const passwordFile = join(network.dir, "wallet.password");
      writeFileSync(keystoreFile, keystore, { mode: 0o600 });
      writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
      const port = await freePort();
      const config = configWith(wcpConfig(chain, `http://127.0.0.1:${port}`, AUDIO_SPEC_PATH), {
        ...storage.config,
        ethereum: { keystore_file: keystoreFile, keystore_password_file: passwordFile },
      });
      await using wep = await startWep({
        handlers: AUDIO_HANDLERS,
        port,
        env: {
          NODE_OPTIONS: `--import ${PROBE}`,
          HEAP_PROBE_FILE: join(network.dir, "heap"),
          MEMORY_CANARY: CANARY,
        },
      });
      await using wcp = await makeWcp({ dir: network.dir, config, env: storage.env }).start();
      await wcp.untilReady();
      expect((await submitRecording(network, SHORT_RECORDING).finished).run.outcome.kind).toBe("completed");

      const texts = { key: privateKey.slice(2), password, [storage.what]: storage.secret };
      const found = searchMemory(wep.pid, needlesOf({ ...texts, canary: CANARY })).map(({ what }) => what);
      // The search itself works: what is in its environment is found, where all of that would be.
      expect(found).toContain("canary");
      expect(found.filter((what) => !what.startsWith("canary"))).toEqual([]);

      wep.signal("SIGUSR2");
      const heaps = await until("each thread to write its heap", () => snapshotsIn(network.dir));
      expect(heaps).toContain("HEAP_PROBE_FILE");
      const seen = [...procOf(wep.pid, "environ"), ...procOf(wep.pid, "cmdline"), heaps].join("\n");
      for (const [what, text] of Object.entries(texts)) {
        expect(seen.toLowerCase().includes(text.toLowerCase()), what).toBe(false);
      }
      expect(wep.stdout() + wep.stderr()).not.toMatch(/X-Amz-Signature|https?:\/\/\S+\?\S*sig/i);
    },
  );
});

/** Of the main thread and at least one with handlers; `undefined` until all are whole. */
function snapshotsIn(dir: string): string | undefined {
  const names = readdirSync(dir).filter((name) => /^heap\.\d+\.heapsnapshot$/.test(name));
  const snapshots = names.map((name) => readFileSync(join(dir, name), "utf8"));
  const areWhole = snapshots.every((text) => text.trimEnd().endsWith("]}"));
  return snapshots.length >= 2 && areWhole ? snapshots.join("\n") : undefined;
}

function procOf(pid: number, name: "environ" | "cmdline"): readonly string[] {
  return readFileSync(`/proc/${pid}/${name}`, "utf8").split("\0");
}
