/** An error as a node gave it. */
export interface NodeError {
  readonly message: string;
  readonly data: unknown;
}

const HEX_DATA = /^0x(?:[0-9a-fA-F]{2})*$/;

/**
 * The revert data in a node's error, wherever that client puts it: `data`, `data.data`,
 * `data.result`, `data.originalError.data`, or behind "Reverted " in a text. `undefined` when
 * the error is not a revert; `0x` for a revert without data.
 */
export function revertData(message: string, data: unknown): string | undefined {
  const found = findHex(data);
  if (found !== undefined) return found;
  const text = errorText({ message, data });
  const isRevert = /revert|invalid opcode|bad instruction|out of gas/i.test(text) || isOutOfGas(text);
  return isRevert ? "0x" : undefined;
}

/** An estimate that found no gas limit to be enough says so, and has no data. */
export function isOutOfGas(message: string): boolean {
  return /gas required exceeds/i.test(message);
}

/** All that an error says in words: some nodes write "Internal error" and put the rest into `data`. */
export function errorText({ message, data }: NodeError): string {
  if (typeof data === "string") return `${message} ${data}`;
  const inner = (data as { readonly message?: unknown } | null | undefined)?.message;
  return typeof inner === "string" ? `${message} ${inner}` : message;
}

function findHex(data: unknown): string | undefined {
  if (typeof data === "string") {
    const hex = data.replace(/^Reverted /, "");
    return HEX_DATA.test(hex) ? hex : undefined;
  }
  if (typeof data !== "object" || data === null) return undefined;
  for (const key of ["data", "result", "return", "originalError"]) {
    const found = findHex((data as Readonly<Record<string, unknown>>)[key]);
    if (found !== undefined) return found;
  }
  // An older Ganache: what became of it under the transaction's hash.
  const [, outcome] = Object.entries(data).find(([key]) => /^0x[0-9a-fA-F]{64}$/.test(key)) ?? [];
  return outcome === undefined ? undefined : findHex(outcome);
}
