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

/**
 * What a handler may return for an output that is an object in storage: the key of one
 * (of an upload, or of an input that is passed on), or the content itself, which is then
 * uploaded under the name of the output.
 */
export type ObjectOutput =
  | string
  | Uint8Array
  | ReadableStream<Uint8Array>
  | {
      /** A file on disk. */
      readonly path: string;
      /** Default: what the activity's spec says of the output. */
      readonly mediaType?: string;
    };
