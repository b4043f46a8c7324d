import { Code, ConnectError } from "@connectrpc/connect";
import type { Logger } from "@subnet-worker/kit";
import type { Settings } from "./settings.ts";

/** What the peer sent makes no sense; `message` says what to send. */
export function invalid(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument);
}

/** Why a transport's signal aborted, for the log. */
export function reasonOfAbort({ reason }: AbortSignal): string {
  return reason instanceof ConnectError ? `the stream was reset: ${reason.message}` : "the stream was closed";
}

/** What the reader of a stream threw, with advice where there is some. */
export function readFailure(error: unknown, { maxMessageBytes }: Settings): ConnectError {
  const failure = ConnectError.from(error);
  if (failure.code !== Code.ResourceExhausted) return failure;
  const advice = `send large inputs as objects in storage (ref), or raise the limit of ${maxMessageBytes} bytes (maxMessageBytes)`;
  return new ConnectError(
    `${failure.rawMessage}; ${advice}`,
    Code.ResourceExhausted,
    undefined,
    undefined,
    failure,
  );
}

export interface StreamEnd {
  readonly why: string;
  /** Of either side; not when one of them said that it was done. */
  readonly isFault: boolean;
  /** The handshake was done. */
  readonly wasOpen: boolean;
  /** Runs of it that go on. */
  readonly openRuns: number;
  readonly lastedMs: number;
}

/** Why a stream ended, once it is over. */
export function logEnd(log: Logger, { why, isFault, wasOpen, openRuns, lastedMs }: StreamEnd): void {
  const fields = { why, open_runs: openRuns, lasted_ms: Math.round(lastedMs) };
  if (!wasOpen && isFault) log.warn(fields, "worker client refused");
  else if (!wasOpen) log.debug(fields, "stream closed before its hello");
  else if (isFault) log.warn(fields, "worker client disconnected; its runs go on");
  else log.info(fields, "worker client disconnected");
}
