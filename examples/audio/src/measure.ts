import { powerToDb } from "./decibel.ts";
import {
  levelWindowFrames,
  loudestPower,
  samplePeak,
  SILENCE_POWER,
  soundThreshold,
  windowPowers,
} from "./levels.ts";

/** A signal-to-noise ratio is reported within these bounds; 16 bits with dither cannot show more. */
const MAX_SNR_DB = 96;
const MIN_SNR_DB = 0;

/** The windows taken for noise: this share of all, the quietest ones. */
const NOISE_SHARE = 0.1;

/** A window holds signal from 3 dB above the noise on; noise alone varies by less than 1 dB. */
const ABOVE_NOISE = 2;

/** How close to the peak a flat top lies: 0.35 dB, which the ripple of resampling a clipped wave stays in. */
const FLAT_TOP = 0.96;
/** How long a flat top is at least. Unclipped speech passes its highest peak faster. */
const FLAT_TOP_RUN_MS = 0.3;
/** The largest and smallest 16-bit sample; nothing lies beyond it, so it counts as clipped by itself. */
const FULL_SCALE = 32_767 / 32_768;

/**
 * The share of samples, 0 to 1, on which the recording was clipped.
 *
 * Counts the samples at full scale, and those in flat tops: 0.3 ms or more within 0.35 dB of the file's peak.
 * The second half finds clipping that happened before the level was changed. A pure tone under about 360 Hz
 * is as flat as that at its peaks and is counted too; speech and music are not.
 */
export function clippedShare(samples: Float32Array, sampleRateHz: number): number {
  const peak = samplePeak(samples);
  if (peak === 0) return 0;
  const minRun = Math.ceil((sampleRateHz * FLAT_TOP_RUN_MS) / 1000);
  const flatFrom = peak * FLAT_TOP;
  let clipped = 0;
  let run = 0;
  let runIsNegative = false;
  let runAtFullScale = 0;
  const closeRun = (): void => {
    clipped += run >= minRun ? run : runAtFullScale;
    run = 0;
    runAtFullScale = 0;
  };
  for (let index = 0; index < samples.length; index++) {
    const sample = samples[index] ?? 0;
    const amplitude = Math.abs(sample);
    const isFlat = amplitude >= flatFrom;
    const isNegative = sample < 0;
    if (run > 0 && (!isFlat || isNegative !== runIsNegative)) closeRun();
    if (!isFlat) continue;
    runIsNegative = isNegative;
    run++;
    if (amplitude >= FULL_SCALE) runAtFullScale++;
  }
  closeRun();
  return clipped / samples.length;
}

/** Levels of a recording, judged in 20 ms windows. */
export interface LevelReport {
  /** Share of the windows, 0 to 1, that are silence or nothing but background noise. */
  readonly silenceShare: number;
  /** Estimated signal-to-noise ratio in decibels, 0 to 96. */
  readonly snrDb: number;
}

/**
 * Judges a recording by the power of its 20 ms windows.
 *
 * Noise is the mean power of the quietest tenth of the windows: the pauses, in speech. Signal is the mean power
 * of the windows at least 3 dB above the noise, less the noise. The estimate needs pauses to look at; for a
 * sound without any it is a lower bound, down to 0.
 */
export function measureLevels(samples: Float32Array, sampleRateHz: number): LevelReport {
  // A last window that is only partly filled would be the most extreme of all.
  const wholeFrames = samples.length - (samples.length % levelWindowFrames(sampleRateHz));
  const powers = windowPowers(samples.subarray(0, wholeFrames), sampleRateHz);
  if (loudestPower(powers) < SILENCE_POWER) return { silenceShare: 1, snrDb: MIN_SNR_DB };
  const threshold = soundThreshold(powers);
  const silent = powers.filter((power) => power < threshold);
  return { silenceShare: silent.length / powers.length, snrDb: signalToNoiseDb(powers) };
}

function signalToNoiseDb(powers: Float64Array): number {
  const quietest = powers.toSorted().subarray(0, Math.max(1, Math.floor(powers.length * NOISE_SHARE)));
  const noisePower = mean(quietest);
  const signal = powers.filter((power) => power > noisePower * ABOVE_NOISE);
  if (signal.length === 0) return MIN_SNR_DB;
  const snrDb = powerToDb((mean(signal) - noisePower) / noisePower);
  return Math.min(MAX_SNR_DB, Math.max(MIN_SNR_DB, snrDb));
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
