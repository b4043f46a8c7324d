import { systemClock } from "@subnet-worker/kit";

const LOOK_EVERY_MS = 20;

/** Generous: a slow, noisy machine must not fail a test that a fast one passes. */
const PATIENCE_MS = 45_000;

export interface UntilOptions {
  /** Default {@link PATIENCE_MS}. */
  readonly withinMs?: number;
  /** Said when it never came: what there was instead. */
  readonly instead?: () => string;
}

/**
 * Looks until `probe` gives something other than `undefined` or `false`, and returns it.
 *
 * @throws when that does not happen in time; `what` completes "waited for"
 */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  options: UntilOptions = {},
): Promise<T> {
  const { withinMs = PATIENCE_MS, instead } = options;
  const deadlineMs = systemClock.monotonicMs() + withinMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (systemClock.monotonicMs() > deadlineMs) {
      const seen = instead === undefined ? "" : `; there was:\n${instead()}`;
      throw new Error(`waited ${withinMs / 1_000} s for ${what}${seen}`);
    }
    await systemClock.sleep(LOOK_EVERY_MS);
  }
}
