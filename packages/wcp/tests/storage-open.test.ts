import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger, EXIT, StartupError, systemClock } from "@subnet-worker/kit";
import { loadConfig } from "@subnet-worker/kit/config";
import { listenObjectStore } from "@subnet-worker/object-store";
import { afterAll, describe, expect, it } from "vitest";
import { type Config, CONFIG_SCHEMA } from "../src/config.ts";
import { openStorage, storageKind } from "../src/open-storage.ts";

const dir = mkdtempSync(join(tmpdir(), "storage-open-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The defaults with these sections over them. */
function configOf(changes: {
  readonly storage?: Partial<Config["storage"]>;
  readonly subnet_api?: Partial<Config["subnet_api"]>;
}): Config {
  const required = Object.fromEntries(
    ["workflow_engine", "task_queue", "subnet_control_plane"].map((name) => [
      `${name}_address`,
      `0x${"1".repeat(40)}`,
    ]),
  );
  const file = { ethereum: { ...required, rpc_url: ["http://127.0.0.1:1"], chain_id: 1 } };
  const config = loadConfig(CONFIG_SCHEMA, { file, fileName: "wcp.toml", env: {}, envPrefix: "WCP" });
  return {
    ...config,
    storage: { ...config.storage, ...changes.storage },
    subnet_api: { ...config.subnet_api, ...changes.subnet_api },
  };
}

async function open(config: Config) {
  const stack = new AsyncDisposableStack();
  const logger = createLogger({ name: "test", level: "silent" });
  try {
    return { storage: await openStorage(config, { clock: systemClock, logger, stack }), stack };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

const S3 = { bucket: "b", endpoint: "http://127.0.0.1:1", access_key_id: "i", secret_access_key: "s" };
const API = { grpc_endpoint: "http://127.0.0.1:1" };

describe("the storage that a configuration describes", () => {
  it.each([
    ["none", {}],
    ["s3", { storage: S3 }],
    ["folder", { storage: { folder: join(dir, "objects") } }],
    ["subnet-api", { subnet_api: API }],
  ] as const)("is %s", async (kind, changes) => {
    const config = configOf(changes);
    expect(storageKind(config)).toBe(kind);
    const { storage, stack } = await open(config);
    await using _closed = stack;
    expect(storage === undefined).toBe(kind === "none");
    // A remote broker is asked for every URL; the others sign themselves.
    if (storage !== undefined && kind !== "subnet-api") {
      expect((await storage.downloadTicket("in/a.txt")).url).toContain("/in/a.txt?");
    }
  });

  it("is closed with what it was opened for", async () => {
    const { storage, stack } = await open(configOf({ storage: { folder: join(dir, "closed") } }));
    const { url } = (await storage?.downloadTicket("a")) ?? { url: "" };
    expect((await fetch(url)).status).toBe(404);
    await stack.disposeAsync();
    await expect(fetch(url)).rejects.toThrow();
  });

  it.each([
    [
      EXIT.badConfig,
      /^storage\.folder: .*cannot be used as a folder/,
      async () => ({ storage: { folder: file() } }),
    ],
    [
      EXIT.badConfig,
      /^subnet_api\.ca_file: .*missing\.pem cannot be read \(ENOENT\)/,
      async () => ({ subnet_api: { ...API, ca_file: join(dir, "missing.pem") } }),
    ],
    [
      EXIT.tryLater,
      /^storage\.folder: .*cannot be listened on \(EADDRINUSE\)/,
      async () => ({ storage: { folder: join(dir, "port"), folder_port: await takenPort() } }),
    ],
  ])("ends the start with %i for what is in the way", async (exitCode, message, changes) => {
    const opened = open(configOf(await changes()));
    await expect(opened).rejects.toBeInstanceOf(StartupError);
    await expect(opened).rejects.toMatchObject({ exitCode, message: expect.stringMatching(message) });
  });
});

function file(): string {
  writeFileSync(join(dir, "file"), "");
  return join(dir, "file");
}

async function takenPort(): Promise<number> {
  const store = await listenObjectStore({ directory: join(dir, "taken") });
  afterAll(() => store[Symbol.asyncDispose]());
  return Number(new URL(store.url).port);
}
