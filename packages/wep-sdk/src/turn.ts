/** Resolves in the next turn of the event loop, when what was written in this one is on its way. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
