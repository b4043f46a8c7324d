import { powerToDb } from "./decibel.ts";
import { levelWindowFrames, loudestPower, SILENCE_POWER, soundThreshold, windowPowers } from "./levels.ts";
import { MIN_DURATION_MS } from "./limits.ts";

/** Kept on each side of the sound, so that soft attacks and the room's decay are not cut. */
export const TRIM_MARGIN_MS = 100;

/** What trimming found. */
export type Trimmed =
  | { readonly kind: "silent"; readonly loudestDbfs: number }
  | {
      readonly kind: "sound";
      /** A view into the samples given. */
      readonly samples: Float32Array;
      readonly leadingFrames: number;
      readonly trailingFrames: number;
    };

/**
 * Cuts the silence before the first and after the last sound, leaving 100 ms of it on each side.
 *
 * What counts as sound is decided by `soundThreshold`. A recording whose loudest 20 ms stay under -60 dBFS is
 * `silent`. The result is never shorter than 400 ms (as long as the recording is not), because loudness is
 * undefined below that.
 */
export function trimSilence(samples: Float32Array, sampleRateHz: number): Trimmed {
  const powers = windowPowers(samples, sampleRateHz);
  const loudest = loudestPower(powers);
  if (loudest < SILENCE_POWER) return { kind: "silent", loudestDbfs: powerToDb(loudest) };
  const threshold = soundThreshold(powers);
  const windowFrames = levelWindowFrames(sampleRateHz);
  const marginFrames = Math.round((sampleRateHz * TRIM_MARGIN_MS) / 1000);
  const isSound = (power: number): boolean => power >= threshold;
  const firstSound = powers.findIndex(isSound) * windowFrames;
  const lastSound = (powers.findLastIndex(isSound) + 1) * windowFrames;
  const { start, end } = atLeast(
    {
      start: Math.max(0, firstSound - marginFrames),
      end: Math.min(samples.length, lastSound + marginFrames),
    },
    { length: samples.length, minFrames: Math.ceil((sampleRateHz * MIN_DURATION_MS) / 1000) },
  );
  return {
    kind: "sound",
    samples: samples.subarray(start, end),
    leadingFrames: start,
    trailingFrames: samples.length - end,
  };
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Widens a range evenly to a least length, as far as there is something to widen into. */
function atLeast(range: Range, bounds: { readonly length: number; readonly minFrames: number }): Range {
  const missing = bounds.minFrames - (range.end - range.start);
  if (missing <= 0) return range;
  const latestStart = Math.max(0, bounds.length - bounds.minFrames);
  const start = Math.max(0, Math.min(latestStart, range.start - Math.floor(missing / 2)));
  return { start, end: Math.min(bounds.length, start + bounds.minFrames) };
}
