import { getAddress, ZeroAddress } from "ethers";

/**
 * Whom the code at a wallet's address delegates to (EIP-7702: 0xef0100 and an address), checksummed.
 *
 * `undefined` for an account without code and for a contract.
 *
 * @example
 * ```ts
 * import { delegateOf } from "@subnet-worker/contracts";
 *
 * delegateOf("0xef01005fbdb2315678afecb367f032d93f642f64180aa3");
 * ```
 */
export function delegateOf(code: string): string | undefined {
  const address = /^0xef0100([0-9a-f]{40})$/i.exec(code)?.[1];
  if (address === undefined) return undefined;
  const delegate = getAddress(`0x${address.toLowerCase()}`);
  return delegate === ZeroAddress ? undefined : delegate;
}
