import type { TaskErrorCode } from "@subnet-worker/protocol";
import { isRetryableError, isTerminalError, RetryableError, TerminalError } from "../errors.ts";
import { NotBrokeredError } from "../grant.ts";
import { TransientFailure } from "../transfer-retry.ts";

/** An error on its way to another thread: cloning would keep its text and lose what it is. */
export type PortError =
  | {
      readonly kind: "transient";
      readonly message: string;
      readonly retryAfterMs: number;
      readonly isRefusal: boolean;
    }
  | { readonly kind: "not_brokered"; readonly message: string }
  | { readonly kind: "terminal"; readonly message: string; readonly code: TaskErrorCode }
  | {
      readonly kind: "retryable";
      readonly message: string;
      readonly code: TaskErrorCode;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly kind: "other"; readonly message: string };

/** Takes an error apart. */
export function packError(error: unknown): PortError {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof TransientFailure) {
    const { retryAfterMs, isRefusal } = error;
    return { kind: "transient", message, retryAfterMs, isRefusal };
  }
  if (error instanceof NotBrokeredError) return { kind: "not_brokered", message };
  if (isTerminalError(error)) return { kind: "terminal", message, code: error.code };
  if (isRetryableError(error)) {
    return { kind: "retryable", message, code: error.code, retryAfterMs: error.retryAfterMs };
  }
  return { kind: "other", message };
}

/** Puts an error together again. */
export function unpackError(error: PortError): Error {
  const { message } = error;
  switch (error.kind) {
    case "transient": {
      const { retryAfterMs, isRefusal } = error;
      return new TransientFailure(message, { retryAfterMs, isRefusal });
    }
    case "not_brokered":
      return new NotBrokeredError(message);
    case "terminal":
      return new TerminalError(message, { code: error.code });
    case "retryable": {
      const { code, retryAfterMs } = error;
      return new RetryableError(message, retryAfterMs === undefined ? { code } : { code, retryAfterMs });
    }
    case "other":
      return new Error(message);
    default:
      return error satisfies never;
  }
}
