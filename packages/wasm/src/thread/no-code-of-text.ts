/** One function of each kind: each kind has a constructor of its own. */
const KINDS: readonly object[] = [
  () => undefined,
  async () => undefined,
  function* generator(): Generator {
    yield;
  },
  async function* generator(): AsyncGenerator {
    yield;
  },
];

/**
 * Takes from all functions of a realm the way to what makes code of text. For threads of runs: the JavaScript of
 * components has objects of theirs, and from any object a `constructor.constructor` would lead to code with all that
 * the thread may do.
 *
 * @param kinds a function of each kind, of the realm. Default: those of the caller's
 */
export function forbidCodeOfText(kinds: readonly object[] = KINDS): void {
  for (const kind of kinds) Reflect.deleteProperty(Object.getPrototypeOf(kind) as object, "constructor");
}
