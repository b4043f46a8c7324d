import { createHash } from "node:crypto";
import { createLogger } from "@subnet-worker/kit";
import type { Config } from "../../config.ts";
import { openStorage, storageKind } from "../../open-storage.ts";
import { type StorageBroker, StorageError } from "../../storage-ports.ts";
import { fail, ok, type Outcome, reasonOf, warn } from "./check.ts";
import type { Patient } from "./patient.ts";
import { refusal, request } from "./storage-http.ts";

/** Stores refuse a signature that is further off than 15 minutes. */
const SKEW_MS = 60_000;
const TEXT = "written by wcp doctor\n";
const SHA256 = createHash("sha256").update(TEXT).digest();
const MD5 = createHash("md5").update(TEXT).digest();
const PUT_GET = "storage.put_get";

/**
 * Puts and gets one tiny object through the very URLs that a handler would get, under `doctor/` and the
 * wallet's address, then looks at it, lists it and removes it as the node would. Only that shows that
 * the bucket, the credentials, their rights and the clock are all in order.
 */
export function examineStorage(patient: Patient): void {
  const { exam, config } = patient;
  const kind = storageKind(config);
  if (kind === "none") {
    void exam.check({
      id: "storage.configured",
      group: "storage",
      title: "configured",
      run: () =>
        ok(
          "none (storage.bucket, storage.folder and subnet_api.grpc_endpoint are empty): handlers can neither download nor upload",
        ),
    });
    return;
  }
  if (kind === "s3") {
    void exam.check({
      id: "storage.endpoint",
      group: "storage",
      title: "endpoint",
      onError: `nothing answers at storage.endpoint (${config.storage.endpoint}): start it, or correct the setting`,
      run: () => lookAtEndpoint(patient),
    });
  }
  const needs = kind === "s3" ? ["storage.endpoint"] : [];
  const probe = openProbe(patient);
  examineWithUrls(patient, probe, needs);
  examineAsNode(patient, probe);
}

/** The store to look at and the object to look at it with; both are there once it is open. */
interface Probe {
  readonly key: string;
  readonly opened: Promise<{ readonly storage: StorageBroker; readonly close: () => Promise<void> }>;
}

function openProbe({ config, io, wallet = "unknown" }: Patient): Probe {
  const open = async () => {
    const stack = new AsyncDisposableStack();
    // The node may be running, and has its port.
    const elsewhere: Config = { ...config, storage: { ...config.storage, folder_port: 0 } };
    const logger = createLogger({ name: "doctor", level: "silent" });
    const storage = await openStorage(elsewhere, { clock: io.clock, logger, stack });
    if (storage === undefined) throw new Error("unreachable: storage is configured");
    return { storage, close: () => stack.disposeAsync() };
  };
  const opened = open();
  opened.catch(() => undefined); // the first check that needs it tells
  return { key: `doctor/${wallet.toLowerCase()}.txt`, opened };
}

/** What a handler's process does. */
function examineWithUrls(patient: Patient, probe: Probe, needs: readonly string[]): void {
  const { exam } = patient;
  void exam.check({
    id: PUT_GET,
    group: "storage",
    title: "put and get",
    needs,
    onError: "check where storage is configured and the network between",
    run: () => putAndGet(patient, probe),
  });
  void exam.check({
    id: "storage.checksum",
    group: "storage",
    title: "refuses what arrives changed",
    needs: [PUT_GET],
    onError: "check the network to the store",
    run: () => putChanged(patient, probe),
  });
}

/** What the node itself does, before it settles a result and when it tidies up. */
function examineAsNode(patient: Patient, probe: Probe): void {
  const { exam } = patient;
  const checks = [
    { id: "storage.head", title: "head", run: () => head(probe) },
    { id: "storage.list", title: "list", run: () => list(probe) },
  ];
  for (const check of checks) {
    void exam.check({
      ...check,
      group: "storage",
      needs: [PUT_GET],
      onError: "check the network to the store",
    });
  }
  const before = checks.map(({ id }) => exam.passed(id));
  const removed = exam.check({
    id: "storage.remove",
    group: "storage",
    title: "remove",
    needs: [PUT_GET],
    onError: "check the network to the store",
    run: async () => {
      await Promise.all([exam.passed("storage.checksum"), ...before]); // it would take the object from under them
      return remove(probe);
    },
  });
  void closeAfter(removed, probe);
}

async function closeAfter(last: Promise<unknown>, { opened }: Probe): Promise<void> {
  await last;
  const probe = await opened.catch(() => undefined);
  await probe?.close();
}

async function lookAtEndpoint({ config, io }: Patient): Promise<Outcome> {
  const response = await request(config.storage.endpoint, { method: "HEAD" }, io.clock);
  const date = Date.parse(response.headers.get("date") ?? "");
  const skewMs = Number.isNaN(date) ? 0 : io.clock.nowMs() - date;
  const detail = `answers at ${new URL(config.storage.endpoint).host}`;
  return Math.abs(skewMs) > SKEW_MS
    ? warn(
        `${detail}, and this machine's clock is ${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs > 0 ? "ahead of" : "behind"} it`,
        "signed URLs are refused when the clocks are too far apart. Turn on time synchronisation: timedatectl set-ntp true",
      )
    : ok(detail);
}

async function putAndGet({ config, io }: Patient, { key, opened }: Probe): Promise<Outcome> {
  const { storage } = await opened;
  const wish = { mediaType: "text/plain", sizeBytes: TEXT.length, md5: MD5, sha256: SHA256 };
  const ticket = await storage.uploadTicket(key, wish);
  const put = await request(ticket.url, { method: "PUT", headers: ticket.headers, body: TEXT }, io.clock);
  if (!put.ok) return refusal("PUT", put, config.storage);
  const { url } = await storage.downloadTicket(key);
  const get = await request(url, {}, io.clock);
  if (!get.ok) return refusal("GET", get, config.storage);
  if ((await get.text()) !== TEXT) {
    return warn(
      `${key} came back changed`,
      "something between here and the store rewrites bodies: look for a proxy or a cache",
    );
  }
  const some = await request(url, { headers: { range: "bytes=0-6" } }, io.clock);
  return some.status === 206
    ? ok(`${placeOf(config)}, object ${key}`)
    : warn(
        `ranges are ignored: HTTP ${some.status}`,
        "a download that is cut off starts over instead of going on: look for a proxy between here and the store",
      );
}

function placeOf(config: Config): string {
  const { bucket, folder } = config.storage;
  if (bucket !== "") return `bucket ${bucket}`;
  return folder === "" ? `broker ${new URL(config.subnet_api.grpc_endpoint).host}` : `folder ${folder}`;
}

async function putChanged({ io }: Patient, { key, opened }: Probe): Promise<Outcome> {
  const { storage } = await opened;
  const wish = { mediaType: "text/plain", sizeBytes: TEXT.length, md5: MD5, sha256: SHA256 };
  const ticket = await storage.uploadTicket(`${key}.changed`, wish);
  const body = TEXT.toUpperCase();
  const put = await request(ticket.url, { method: "PUT", headers: ticket.headers, body }, io.clock);
  await storage.remove([`${key}.changed`]).catch(() => undefined); // storage.remove tells of that
  return put.ok
    ? warn(
        "an upload with another MD5 than announced is taken",
        "the node checks sizes all the same; checksums only where the store keeps them. Nothing to do unless the network is bad",
      )
    : ok(`HTTP ${put.status}`);
}

async function head({ key, opened }: Probe): Promise<Outcome> {
  const { storage } = await opened;
  const found = await orWarning("looking at objects", "grant s3:GetObject", () => storage.head(key));
  if ("verdict" in found) return found;
  if (found.value === undefined) {
    return fail(
      `${key} is not there, although it was read`,
      "another store answers the node than the URLs lead to",
    );
  }
  const { sizeBytes, sha256 } = found.value;
  if (sizeBytes !== TEXT.length) {
    return fail(`${sizeBytes} bytes instead of ${TEXT.length}`, "look for a proxy that rewrites bodies");
  }
  return sha256 !== undefined && SHA256.equals(sha256)
    ? ok(`${sizeBytes} bytes, with its checksum`)
    : warn(
        "the store has lost the checksum that was given with the object (x-amz-meta-sha256)",
        "uploads are checked by their size alone: look for a proxy that drops x-amz-meta headers",
      );
}

async function list({ key, opened }: Probe): Promise<Outcome> {
  const { storage } = await opened;
  const found = await orWarning(
    "listing",
    "grant s3:ListBucket on the bucket: without it a missing object looks like a forbidden one, and what failed runs left cannot be found",
    () => keysUnder(storage, key),
  );
  if ("verdict" in found) return found;
  return found.value.includes(key)
    ? ok("what was written is listed")
    : warn(`${key} is not listed`, "the store lists late: look again, or tell its operator");
}

async function keysUnder(storage: StorageBroker, prefix: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { objectKey } of storage.list(prefix)) keys.push(objectKey);
  return keys;
}

async function remove({ key, opened }: Probe): Promise<Outcome> {
  const { storage } = await opened;
  const removed = await orWarning(
    "removing",
    "grant s3:DeleteObject on all objects: without it what failed runs left stays for ever",
    () => storage.remove([key]),
  );
  return "verdict" in removed ? removed : ok(`${key} is gone again`);
}

/** A refusal is not the end of the node: its work goes on without. */
async function orWarning<T>(
  doing: string,
  advice: string,
  ask: () => Promise<T>,
): Promise<{ readonly value: T } | Outcome> {
  try {
    return { value: await ask() };
  } catch (error) {
    if (!(error instanceof StorageError) || error.isRetryable) throw error;
    return warn(`${doing} is refused: ${reasonOf(error)}`, advice);
  }
}
