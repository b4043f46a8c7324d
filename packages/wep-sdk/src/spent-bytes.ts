import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** So much garbage may lie about in a thread. */
const NUDGE_BYTES = 8 * 1_024 * 1_024;

let spentBytes = 0;
let collectYoung: (() => void) | undefined;

/**
 * Told of buffers that somebody else has made and nobody needs any more. V8 sees the small
 * objects in front of them and lets some 80 MB of them pile up in each thread; a collection
 * of young objects, of which few live, takes about a millisecond.
 */
export function noteSpent(sizeBytes: number): void {
  spentBytes += sizeBytes;
  if (spentBytes < NUDGE_BYTES) return;
  spentBytes = 0;
  collectYoung ??= findCollector();
  collectYoung();
}

/** The collector can be had in a new context alone, and while this flag is set: the handlers do not see it. */
function findCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("globalThis.gc") as ((options: { type: "minor" }) => void) | undefined;
  setFlagsFromString("--no-expose-gc");
  // Without one, they pile up.
  return collect === undefined ? () => undefined : () => collect({ type: "minor" });
}
