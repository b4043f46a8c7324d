import type { RecordedObject } from "@subnet-worker/protocol/recorded-run";
import { type StorageBroker, StorageError } from "../storage-ports.ts";
import type { Io } from "./command.ts";

/**
 * What is stored under a key, as far as storage says so now. `undefined`, and a line for the operator: there is
 * no such object, or storage does not tell. A run can be recorded without.
 */
export async function lookAtObject(
  { name, objectKey }: { readonly name: string; readonly objectKey: string },
  { storage, io }: { readonly storage: StorageBroker; readonly io: Io },
): Promise<RecordedObject | undefined> {
  try {
    const stored = await storage.head(objectKey);
    if (stored === undefined) {
      io.err(`${name}: ${objectKey} is not in storage\n`);
      return undefined;
    }
    const { sizeBytes, modifiedAtMs, sha256 } = stored;
    const digest = sha256 === undefined ? {} : { sha256: Buffer.from(sha256).toString("hex") };
    return { objectKey, sizeBytes, modifiedAtMs, ...digest };
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    io.err(`${name}: size and digest of ${objectKey} are left out: ${error.message}\n`);
    return undefined;
  }
}
