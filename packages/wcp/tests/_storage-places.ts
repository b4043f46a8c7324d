import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, createLogger, systemClock } from "@subnet-worker/kit";
import { FakeClock } from "@subnet-worker/testkit";
import { listenStore } from "../../devnet/src/store/server.ts";
import { listenStorageApi } from "../../devnet/src/store/storage-api.ts";
import { openFolderStorage } from "../src/adapters/folder/storage.ts";
import { S3Storage, type S3StorageOptions } from "../src/adapters/s3/storage.ts";
import { SubnetApiStorage, type SubnetApiOptions } from "../src/adapters/subnet-api/storage.ts";
import type { StorageBroker } from "../src/storage-ports.ts";
import type { StoragePlace } from "./_storage-contract.ts";
import { FakeStorage } from "./_fake-storage.ts";

const SILENT = createLogger({ name: "test", level: "silent" });
const URL_LIFETIME_MS = 60_000;
export const TOKEN = "the-token";

/** A folder that goes with the stack. */
async function temporary(stack: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "storage-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** An hour behind: what it signs for a minute has ended for everybody else. */
function lateClock(): Clock {
  return new FakeClock({ startMs: Date.now() - 3_600_000 });
}

const request = (url: string, init: RequestInit = {}) => fetch(url, init);

function placeOf(brokers: Pick<StoragePlace, "broker" | "late">, stack: AsyncDisposableStack): StoragePlace {
  return { ...brokers, fetch: request, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

export async function openFakePlace(): Promise<StoragePlace> {
  const clock = new FakeClock();
  const broker = new FakeStorage({ clock, urlLifetimeMs: URL_LIFETIME_MS });
  return {
    broker,
    late: outliving(broker, clock),
    fetch: broker.fetch,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** The same broker, whose URLs have ended by the time that they are there. */
function outliving(broker: StorageBroker, clock: FakeClock): StorageBroker {
  const later = async <T>(ticket: Promise<T>): Promise<T> => {
    const made = await ticket;
    await clock.advance(URL_LIFETIME_MS);
    return made;
  };
  return new Proxy(broker, {
    get: (target, name: keyof StorageBroker) => {
      if (name === "downloadTicket") return (key: string) => later(target.downloadTicket(key));
      if (name !== "uploadTicket") return target[name].bind(target);
      return (...args: Parameters<StorageBroker["uploadTicket"]>) => later(target.uploadTicket(...args));
    },
  });
}

export function s3Options(endpoint: string): S3StorageOptions {
  return {
    endpoint,
    region: "us-east-1",
    bucket: "contract",
    accessKeyId: "AKCONTRACT",
    secretAccessKey: "the-secret",
    sessionToken: "",
    forcePathStyle: true,
    encryption: { algorithm: "", kmsKeyId: "" },
    urlLifetimeMs: URL_LIFETIME_MS,
    requestTimeoutMs: 10_000,
  };
}

/** s3rver, as the devnet runs it. */
export async function openS3Place(): Promise<StoragePlace> {
  await using stack = new AsyncDisposableStack();
  const { bucket, accessKeyId, secretAccessKey } = s3Options("");
  const server = stack.use(
    await listenStore(
      { host: "127.0.0.1", port: 0, directory: await temporary(stack), bucket, accessKeyId, secretAccessKey },
      { logger: SILENT },
    ),
  );
  const options = s3Options(server.url);
  const broker = stack.use(new S3Storage(options, { clock: systemClock }));
  const late = stack.use(new S3Storage(options, { clock: lateClock() }));
  return placeOf({ broker, late }, stack.move());
}

export async function openFolderPlace(): Promise<StoragePlace> {
  await using stack = new AsyncDisposableStack();
  const { broker, late } = await openFolders(stack);
  return placeOf({ broker, late }, stack.move());
}

/** Two stores of one folder; the URLs of the second are dated back by time that passes in the first. */
async function openFolders(stack: AsyncDisposableStack) {
  const directory = await temporary(stack);
  const clock = new FakeClock({ startMs: Date.now() });
  const open = async (its: Clock) =>
    stack.use(
      await openFolderStorage(
        { directory, host: "127.0.0.1", port: 0, urlLifetimeMs: URL_LIFETIME_MS },
        { clock: its, logger: SILENT },
      ),
    );
  const broker = await open(systemClock);
  const behind = await open(clock);
  return { broker, late: outliving(behind, clock) };
}

export function apiOptions(url: string): SubnetApiOptions {
  return { url, token: TOKEN, tokenFile: "", tls: {}, timeoutMs: 10_000, urlLifetimeMs: URL_LIFETIME_MS };
}

/** The devnet's server of storage.v1 before the objects of a folder. */
export async function openSubnetApiPlace(): Promise<StoragePlace> {
  await using stack = new AsyncDisposableStack();
  const behind = await openFolders(stack);
  const open = async (broker: StorageBroker) => {
    const api = stack.use(await listenStorageApi({ host: "127.0.0.1", port: 0, token: TOKEN }, broker));
    return stack.use(new SubnetApiStorage(apiOptions(api.url), { clock: systemClock }));
  };
  return placeOf({ broker: await open(behind.broker), late: await open(behind.late) }, stack.move());
}

/** The same before a store that speaks S3, as a deployed broker would be. */
export async function openSubnetApiS3Place(): Promise<StoragePlace> {
  await using stack = new AsyncDisposableStack();
  const behind = stack.use(await openS3Place());
  const open = async (broker: StorageBroker) => {
    const api = stack.use(await listenStorageApi({ host: "127.0.0.1", port: 0, token: TOKEN }, broker));
    return stack.use(new SubnetApiStorage(apiOptions(api.url), { clock: systemClock }));
  };
  return placeOf({ broker: await open(behind.broker), late: await open(behind.late) }, stack.move());
}
