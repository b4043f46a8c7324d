import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { S3Client } from "@aws-sdk/client-s3";
import { childEnvironment } from "../src/processes/child-env.ts";
import { ownEntryPoint } from "../src/processes/entry-point.ts";

export const BUCKET = "devnet";
const KEY_PAIR = { accessKeyId: "AKDEVNET", secretAccessKey: "the-secret" };

/** A store in its own process, as a devnet runs it. */
export interface TestStore extends AsyncDisposable {
  readonly url: string;
  readonly directory: string;
  client(secretAccessKey?: string): S3Client;
}

export async function startStore(): Promise<TestStore> {
  const directory = await mkdtemp(join(tmpdir(), "devnet-store-"));
  const store = spawn(process.execPath, ownEntryPoint("object-store"), {
    env: childEnvironment({
      DEVNET_STORE_HOST: "127.0.0.1",
      DEVNET_STORE_PORT: "0",
      DEVNET_STORE_DIRECTORY: directory,
      DEVNET_STORE_BUCKET: BUCKET,
      DEVNET_STORE_ACCESS_KEY_ID: KEY_PAIR.accessKeyId,
      DEVNET_STORE_SECRET_ACCESS_KEY: KEY_PAIR.secretAccessKey,
    }),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await urlOf(store);
  return {
    url,
    directory,
    client: (secretAccessKey = KEY_PAIR.secretAccessKey) =>
      new S3Client({
        endpoint: url,
        region: "us-east-1",
        forcePathStyle: true,
        requestChecksumCalculation: "WHEN_REQUIRED",
        responseChecksumValidation: "WHEN_REQUIRED",
        maxAttempts: 1,
        credentials: { accessKeyId: KEY_PAIR.accessKeyId, secretAccessKey },
      }),
    async [Symbol.asyncDispose]() {
      store.kill("SIGTERM");
      await once(store, "exit");
      await rm(directory, { recursive: true });
    },
  };
}

async function urlOf(store: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: store.stdout! })) {
    const { url } = JSON.parse(line) as { url?: string };
    if (url !== undefined) return url;
  }
  throw new Error("the store ended before it was ready");
}
