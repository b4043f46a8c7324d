import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AUDIO_HANDLERS, AUDIO_SPEC_PATH, type Network, SHORT_RECORDING, startNetwork } from "./_network.ts";
import { freePort } from "./_rpc-proxy.ts";
import { configWith, fundedWallet, makeWcp, wcpConfig } from "./_wcp.ts";
import { startWep } from "./_wep.ts";
import { submitKey, submitRecording } from "./_workflow.ts";

/** What gives access to an object for a while: it may travel, and may not be written down. */
const PRESIGNED = "X-Amz-Signature";

const hasProc = process.platform === "linux";

let network: Network;
/** As they stand in the environment of the process that needs them. */
let secrets: { readonly walletKey: string; readonly accessKeyId: string; readonly secretAccessKey: string };

beforeAll(async () => {
  network = await startNetwork();
});

afterAll(() => network[Symbol.asyncDispose]());

function procOf(pid: number, file: "environ" | "cmdline"): readonly string[] {
  return readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0");
}

function setting(environment: readonly string[], name: string): string {
  const found = environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  if (found === undefined || found === "") throw new Error(`the WCP was not given ${name}`);
  return found;
}

/** In whatever spelling: a key in capitals, or without its 0x, is as good. */
function expectNoneOf(values: readonly string[], text: string): void {
  const haystack = text.toLowerCase();
  const found = values.filter((value) => haystack.includes(value.toLowerCase().replace(/^0x/, "")));
  expect(found.length, "secrets found").toBe(0);
}

describe.skipIf(!hasProc)(
  "the processes of a devnet that has done a workflow and failed one (needs /proc)",
  () => {
    beforeAll(async () => {
      const environment = procOf(network.pid("wcp"), "environ");
      secrets = {
        walletKey: setting(environment, "WCP__ETHEREUM__WALLET_PRIVATE_KEY"),
        accessKeyId: setting(environment, "WCP__STORAGE__ACCESS_KEY_ID"),
        secretAccessKey: setting(environment, "WCP__STORAGE__SECRET_ACCESS_KEY"),
      };
      expect(secrets.walletKey).toMatch(/^(0x)?[0-9a-f]{64}$/);
      const done = await submitRecording(network, SHORT_RECORDING).finished;
      expect(done.run.outcome.kind).toBe("completed");
      const failed = await submitKey(network, "nobody/has/uploaded/this.wav").finished;
      expect(failed.run.outcome.kind).toBe("failed");
    });

    test("the WEP has no key and no storage credential in its environment, arguments, settings or log", () => {
      const pid = network.pid("wep");
      const log = network.logs.wep.text();
      expect(log).toContain("run ended");
      const everything = [
        ...procOf(pid, "environ"),
        ...procOf(pid, "cmdline"),
        readFileSync(network.state.wep.configPath, "utf8"),
        log,
      ].join("\n");
      expectNoneOf(Object.values(secrets), everything);
      expect(log).not.toContain(PRESIGNED);
    });

    test("the WCP has no key in its arguments, settings, log, metrics or readiness", async () => {
      const log = network.logs.wcp.text();
      expect(log).toContain("activity done");
      const { adminUrl, configPath } = network.state.wcp;
      const pages = await Promise.all(
        ["metrics", "readyz", "healthz"].map(async (path) => (await fetch(`${adminUrl}/${path}`)).text()),
      );
      expect(pages[0]).toContain("wcp_");
      const everything = [
        ...procOf(network.pid("wcp"), "cmdline"),
        readFileSync(configPath, "utf8"),
        log,
        ...pages,
      ];
      expectNoneOf(Object.values(secrets), everything.join("\n"));
      expect(log).not.toContain(PRESIGNED);
    });

    test("the WEP's metrics and readiness have none either", async () => {
      const { healthUrl } = network.state.wep;
      const pages = await Promise.all(
        ["metrics", "readyz"].map(async (path) => (await fetch(`${healthUrl}/${path}`)).text()),
      );
      expectNoneOf(Object.values(secrets), pages.join("\n"));
    });
  },
);

test("at the log level trace neither process writes a key, a credential or a presigned URL, nor does the chain", async () => {
  await network.kill("wcp");
  const { chain, store } = network.state;
  const port = await freePort();
  const { privateKey } = await fundedWallet(chain);
  const { accessKeyId, secretAccessKey, ...storage } = store;
  const config = configWith(wcpConfig(chain, `http://127.0.0.1:${port}`, AUDIO_SPEC_PATH), { storage });
  const env = {
    WCP__ETHEREUM__WALLET_PRIVATE_KEY: privateKey,
    WCP__STORAGE__ACCESS_KEY_ID: accessKeyId,
    WCP__STORAGE__SECRET_ACCESS_KEY: secretAccessKey,
    WCP__LOG__LEVEL: "trace",
  };
  await using wep = await startWep({ handlers: AUDIO_HANDLERS, port, env: { WEP__LOGGING__LEVEL: "trace" } });
  await using wcp = await makeWcp({ dir: network.dir, config, env }).start();
  await wcp.untilReady();
  const done = await submitRecording(network, SHORT_RECORDING).finished;
  expect(done.run.outcome.kind).toBe("completed");
  const failed = await submitKey(network, "nobody/has/uploaded/this.wav").finished;
  expect(failed.run.outcome.kind).toBe("failed");

  const lines = [...wep.lines(), ...wcp.lines()];
  expect(lines.filter(({ level }) => level === "debug").length).toBeGreaterThan(0);
  const everything = wep.stdout() + wep.stderr() + wcp.stdout() + wcp.stderr() + JSON.stringify(failed.run);
  expectNoneOf([privateKey, accessKeyId, secretAccessKey], everything);
  expect(everything).not.toContain(PRESIGNED);
});
