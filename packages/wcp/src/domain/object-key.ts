/** An object name that would leave its run's prefix, or is no name at all. */
export class ObjectKeyError extends Error {
  override readonly name = "ObjectKeyError";
  readonly code = "OBJECT_KEY_REFUSED";

  constructor(message: string) {
    super(`[OBJECT_KEY_REFUSED] ${message}`);
  }
}

const SAFE_SEGMENT = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
const LONGEST_NAME = 512;

/**
 * Joins an upload prefix and a name that a handler chose. Names are `/`-separated
 * segments of letters, digits, `.`, `_` and `-` that do not start with a dot: whatever
 * could mean something else after decoding, normalising or globbing is refused.
 *
 * @throws {ObjectKeyError}
 */
export function uploadKey(prefix: string, name: string): string {
  if (name.length === 0 || name.length > LONGEST_NAME) {
    throw new ObjectKeyError(`an object name has 1 to ${LONGEST_NAME} characters, this one ${name.length}`);
  }
  if (!name.split("/").every((segment) => SAFE_SEGMENT.test(segment))) {
    throw new ObjectKeyError(
      `${JSON.stringify(name)} is not an object name; use letters, digits, ".", "_", "-" and "/" between them, like "images/waveform.png"`,
    );
  }
  return `${prefix}${name}`;
}

const SHORT_ID = 16;

/**
 * Where a run may write; ends in a slash. The ids are cut short, because keys end
 * up in results, where every byte costs gas; the run id alone makes it unique.
 */
export function uploadPrefix(workflowInstanceId: string, taskId: string, runId: string): string {
  const short = (id: string) => id.replace(/^0x/, "").slice(0, SHORT_ID);
  return `runs/${short(workflowInstanceId) || "none"}/${short(taskId)}/${runId}/`;
}
