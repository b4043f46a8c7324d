/** The default arm of a switch over a union: the compiler proves that it is never taken. */
export function unreachable(value: never): never {
  throw new Error(`[UNREACHABLE] no case for ${JSON.stringify(value)}`);
}
