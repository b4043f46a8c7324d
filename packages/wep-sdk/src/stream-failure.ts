import { Code, ConnectError } from "@connectrpc/connect";
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
