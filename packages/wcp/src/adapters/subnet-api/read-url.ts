import type { Clock } from "@subnet-worker/kit";
import { withoutUrls } from "../../domain/without-urls.ts";
import { StorageError } from "../../storage-ports.ts";

export interface ReadOptions {
  readonly objectKey: string;
  readonly maxBytes: number;
  /** The whole content must be there within this. */
  readonly timeoutMs: number;
}

/** The content behind a presigned URL, which stays out of every message. */
export async function readUrl(
  url: string,
  { objectKey, maxBytes, timeoutMs }: ReadOptions,
  { clock }: { readonly clock: Clock },
): Promise<Uint8Array> {
  const late = new AbortController();
  using _timer = clock.timer(timeoutMs, () =>
    late.abort(new Error(`it was not there within ${timeoutMs / 1_000} s`)),
  );
  try {
    const response = await fetch(url, { signal: late.signal, redirect: "error" });
    if (!response.ok) {
      await response.body?.cancel();
      throw refusal(objectKey, response.status);
    }
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of response.body ?? []) {
      sizeBytes += chunk.length;
      // Leaving the loop cancels the body.
      if (sizeBytes > maxBytes) throw tooLarge(objectKey, maxBytes);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof StorageError) throw error;
    const { cause } = error as { readonly cause?: unknown };
    const reason = cause instanceof Error && cause.message !== "" ? cause : error;
    const said = withoutUrls(reason instanceof Error ? reason.message : String(reason));
    throw new StorageError(
      "UNAVAILABLE",
      `reading ${objectKey}: the store does not answer (${said}); try again`,
    );
  }
}

function refusal(objectKey: string, status: number): StorageError {
  if (status === 404) return new StorageError("NOT_FOUND", `${objectKey}: there is no such object`);
  return status < 500 && status !== 429 && status !== 408
    ? new StorageError(
        "REFUSED",
        `reading ${objectKey}: the store answers HTTP ${status} to the broker's URL; tell the broker's operator`,
      )
    : new StorageError("UNAVAILABLE", `reading ${objectKey}: the store answers HTTP ${status}; try again`);
}

function tooLarge(objectKey: string, maxBytes: number): StorageError {
  return new StorageError(
    "TOO_LARGE",
    `${objectKey} has more than the ${maxBytes} bytes that are read here; make it smaller`,
  );
}
