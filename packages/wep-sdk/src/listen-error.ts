import { WepError } from "./errors.ts";

const UNUSABLE: ReadonlySet<unknown> = new Set(["EACCES", "EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN"]);

/** What failed listening means to an operator. */
export function listenError(error: unknown, address: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") {
    const advice = "stop what listens there or choose another port (0 picks a free one)";
    return new WepError("ADDRESS_IN_USE", `${address} is taken; ${advice}`, { cause: error });
  }
  if (!UNUSABLE.has(code)) return error;
  const advice = "choose an address of this machine and a port above 1023";
  return new WepError("ADDRESS_UNUSABLE", `cannot listen on ${address}: ${message}; ${advice}`, {
    cause: error,
  });
}
