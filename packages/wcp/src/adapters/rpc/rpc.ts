import type { SendOutcome } from "../../chain-ports.ts";
import type { RpcError } from "./rpc-error.ts";

/** A question to whichever endpoint can answer it. */
export interface Ask<T> {
  readonly method: string;
  readonly params: readonly unknown[];
  /** What the answer says. Throws for an answer that makes no sense, which counts as none. */
  readonly read: (raw: unknown) => T;
  /** The block that the answering endpoint must have: a number, the newest that was seen, or any. Default the newest. */
  readonly need?: number | "newest" | "any";
  /** Whether to be content with this answer; otherwise the other endpoints are asked too. Default: always. */
  readonly isEnough?: (answer: T) => boolean;
  /** The error to throw where a node's error is an answer in itself; `undefined` where it is not. */
  readonly refusal?: (error: RpcError) => Error | undefined;
  /** Set for questions whose answer tells the newest block of whoever answers. */
  readonly newestBlock?: (answer: T) => number;
}

/** JSON-RPC endpoints of one chain, seen as one. */
export interface Rpc {
  /**
   * Asks until an endpoint answers with something that will not pass by itself. For reads, which are
   * harmless to repeat.
   *
   * @throws what `refusal` makes of a node's error
   * @throws {RpcError} the node's own error, when asking again or elsewhere would not mend it, or has not
   *   for some seconds: a block or a state that nobody has, a fault of the node's own
   * @throws {StoppedError} when the process stops
   */
  call<T>(ask: Ask<T>): Promise<T>;
  /** Sends signed bytes to every endpoint that is up. @throws {StoppedError} */
  send(raw: string): Promise<SendOutcome>;
  /** The chain that the endpoints serve. @throws {StoppedError} */
  chainId(): Promise<bigint>;
  /** The newest block that any endpoint has shown; 0 before the first. */
  newestBlock(): number;
  /** A websocket has pushed this block; the endpoint on the same host has it too. */
  pushed(wsUrl: string, block: number): void;
}
