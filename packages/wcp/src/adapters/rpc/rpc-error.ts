/** The endpoint answered a call with an error object. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  /** JSON-RPC error code. */
  readonly code: number;
  /** Whatever the node attached: for a revert, its data. */
  readonly data: unknown;

  constructor(code: number, message: string, data: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export interface RpcUnavailableOptions extends ErrorOptions {
  /** How long the endpoint asks to be left alone; `undefined` when it does not say. */
  readonly retryAfterMs?: number | undefined;
  /** Nothing came for as long as a request may take. Default false. */
  readonly isTimeout?: boolean;
}

/** The endpoint did not answer, or not with JSON-RPC. What it did with the request is unknown. */
export class RpcUnavailable extends Error {
  override readonly name = "RpcUnavailable";
  readonly code = "RPC_UNAVAILABLE";
  readonly retryAfterMs: number | undefined;
  readonly isTimeout: boolean;

  constructor(reason: string, options: RpcUnavailableOptions = {}) {
    super(`[RPC_UNAVAILABLE] ${reason}`, options);
    this.retryAfterMs = options.retryAfterMs;
    this.isTimeout = options.isTimeout ?? false;
  }
}

/** The endpoint answered with something that its method never gives. Another may do better. */
export class BadAnswer extends Error {
  override readonly name = "BadAnswer";
  readonly code = "BAD_ANSWER";

  constructor(wanted: string, raw: unknown) {
    const text = JSON.stringify(raw) ?? "nothing";
    super(
      `[BAD_ANSWER] the endpoint gives no ${wanted} but ${text.slice(0, 200)}; check that ethereum.rpc_url is a node's`,
    );
  }
}
