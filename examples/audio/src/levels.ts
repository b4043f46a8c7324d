/** Length of one level window. */
const LEVEL_WINDOW_MS = 20;

/** Below this mean square (-60 dBFS) a window is silence, however quiet the rest is. */
export const SILENCE_POWER = 1e-6;

/** Sound is this much above the noise floor ... */
const ABOVE_FLOOR = 10; // +10 dB
/** ... but never asks for less than this below the loudest window, nor for more than this. */
const BELOW_PEAK_MIN = 1e-5; // -50 dB
const BELOW_PEAK_MAX = 0.003_162_277_660_168; // -25 dB

/** The mean square of each 20 ms window, full scale being 1. The last window may be shorter. */
export function windowPowers(samples: Float32Array, sampleRateHz: number): Float64Array {
  const windowFrames = levelWindowFrames(sampleRateHz);
  const powers = new Float64Array(Math.ceil(samples.length / windowFrames));
  for (let index = 0; index < powers.length; index++) {
    const window = samples.subarray(index * windowFrames, (index + 1) * windowFrames);
    let sum = 0;
    for (const sample of window) sum += sample * sample;
    powers[index] = sum / window.length;
  }
  return powers;
}

/** The largest amplitude among the samples, 0 when there are none. */
export function samplePeak(samples: Float32Array): number {
  let peak = 0;
  // By index: over tens of millions of samples an iterator takes ten times as long.
  for (let index = 0; index < samples.length; index++) peak = Math.max(peak, Math.abs(samples[index] ?? 0));
  return peak;
}

/** Samples in one level window. */
export function levelWindowFrames(sampleRateHz: number): number {
  return Math.round((sampleRateHz * LEVEL_WINDOW_MS) / 1000);
}

/**
 * The mean square above which a window of this recording is sound.
 *
 * 10 dB above the noise floor (the quietest tenth of the windows), kept between 50 and 25 dB below the
 * loudest window, and never under -60 dBFS. The floor follows a noisy room; the upper bound keeps a sound
 * without pauses, whose quietest tenth is sound too, from being taken for noise.
 */
export function soundThreshold(powers: Float64Array): number {
  const loudest = loudestPower(powers);
  const aboveFloor = powerQuantile(powers, 0.1) * ABOVE_FLOOR;
  const relative = Math.min(Math.max(aboveFloor, loudest * BELOW_PEAK_MIN), loudest * BELOW_PEAK_MAX);
  return Math.max(SILENCE_POWER, relative);
}

/** The largest of the window powers, 0 when there are none. */
export function loudestPower(powers: Float64Array): number {
  return powers.reduce((loudest, power) => Math.max(loudest, power), 0);
}

/** The power that a share (0 to 1) of the windows does not exceed, 0 when there are none. */
function powerQuantile(powers: Float64Array, share: number): number {
  return powers.toSorted()[Math.floor(share * powers.length)] ?? 0;
}
