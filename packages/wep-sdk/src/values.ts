import type { InputFile } from "./input-file.ts";

/**
 * What a handler is given per input parameter. Integers wider than 53 bits are
 * `bigint`, byte strings are `Uint8Array`, objects in storage are {@link InputFile}.
 */
export type InputValue =
  | string
  | number
  | boolean
  | bigint
  | null
  | Uint8Array
  | InputFile
  | readonly InputValue[]
  | { readonly [name: string]: InputValue };

/**
 * What a handler may return per output parameter. A `bigint` travels as a
 * decimal string and a `Uint8Array` as 0x-prefixed hex.
 */
export type OutputValue =
  | string
  | number
  | boolean
  | bigint
  | null
  | Uint8Array
  | readonly OutputValue[]
  | { readonly [name: string]: OutputValue };
