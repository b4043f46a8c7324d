/** A JSON-RPC error answer. `data` is the revert data where there is any. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: number;
  readonly data: string | undefined;

  constructor(error: { readonly code: number; readonly message: string; readonly data?: unknown }) {
    super(error.message);
    this.code = error.code;
    this.data = typeof error.data === "string" ? error.data : undefined;
  }
}

export type Rpc = <T>(method: string, ...params: readonly unknown[]) => Promise<T>;

/** The least JSON-RPC client: one request, its result or its error. */
export function createRpc(url: string): Rpc {
  let lastId = 0;
  return async <T>(method: string, ...params: readonly unknown[]) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: ++lastId, method, params }),
    });
    const body = (await response.json()) as { result: T; error?: ConstructorParameters<typeof RpcError>[0] };
    if (body.error !== undefined) throw new RpcError(body.error);
    return body.result;
  };
}
