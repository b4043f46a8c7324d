/** One JSON-RPC call, as it travels. */
export interface RpcCall {
  readonly jsonrpc: "2.0";
  readonly id: unknown;
  readonly method: string;
  readonly params?: readonly unknown[];
}

export interface RpcAnswer {
  readonly id: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** What an endpoint sees of the chain. */
export interface View {
  readonly emptyLogs: boolean;
  /** The newest block it knows; `undefined` for all there are. */
  readonly horizon?: number | undefined;
  /** The block as of which it counts transactions. */
  readonly nonceAt?: number | undefined;
}

/** Which parameter names the block. */
const BLOCK_PARAM: Readonly<Record<string, number>> = {
  eth_call: 1,
  eth_estimateGas: 1,
  eth_feeHistory: 1,
  eth_getBalance: 1,
  eth_getBlockByNumber: 0,
  eth_getCode: 1,
  eth_getTransactionCount: 1,
};
const TAGS: readonly unknown[] = ["latest", "pending", "safe", "finalized", undefined, null];

/** The call whose true answer is what the endpoint would say. */
export function distortCall(call: RpcCall, view: View): RpcCall {
  const block = call.method === "eth_getTransactionCount" ? view.nonceAt : view.horizon;
  const index = BLOCK_PARAM[call.method];
  if (block === undefined || index === undefined) return call;
  const params = [...(call.params ?? [])];
  if (!TAGS.includes(params[index])) return call;
  params[index] = toHex(block);
  return { ...call, params };
}

/** The answer without what the endpoint does not know. */
export function distortAnswer(call: RpcCall, answer: RpcAnswer, view: View): RpcAnswer {
  const { method } = call;
  if (method === "eth_getLogs") return distortLogs(answer, view);
  if (view.horizon === undefined) return answer;
  if (method === "eth_blockNumber") return { ...answer, result: toHex(view.horizon) };
  const block = blockOf(method, answer.result);
  return isKnown(block, view) ? answer : { ...answer, result: null };
}

function distortLogs(answer: RpcAnswer, view: View): RpcAnswer {
  if (!Array.isArray(answer.result)) return answer;
  const logs = answer.result as readonly { readonly blockNumber?: string }[];
  return { ...answer, result: view.emptyLogs ? [] : logs.filter((log) => isKnown(log.blockNumber, view)) };
}

/** The block that an answer is about; `undefined` for none. */
function blockOf(method: string, result: unknown): string | undefined {
  const { blockNumber, number } = (result ?? {}) as {
    readonly blockNumber?: string;
    readonly number?: string;
  };
  if (method === "eth_getTransactionReceipt") return blockNumber;
  return method === "eth_getBlockByNumber" || method === "eth_getBlockByHash" ? number : undefined;
}

function isKnown(block: string | undefined, { horizon }: View): boolean {
  return horizon === undefined || block === undefined || Number(block) <= horizon;
}

function toHex(block: number): string {
  return `0x${block.toString(16)}`;
}
