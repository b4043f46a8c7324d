/**
 * What went wrong: `BAD_TYPE` the text is no ABI type, `BAD_VALUE` a value does
 * not fit its type, `BAD_DATA` the bytes are not the ABI encoding of the types.
 */
export type AbiErrorCode = "BAD_TYPE" | "BAD_VALUE" | "BAD_DATA";

/** A type, value or byte string that the ABI codec refuses. The message names the field. */
export class AbiError extends Error {
  override readonly name = "AbiError";
  readonly code: AbiErrorCode;
  /** One sentence for each thing that is wrong; at least one. */
  readonly problems: readonly string[];

  constructor(code: AbiErrorCode, problems: readonly string[]) {
    super(`[${code}] ${problems.join("; ")}`);
    this.code = code;
    this.problems = problems;
  }
}
