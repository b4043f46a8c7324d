import { powerToDb } from "./decibel.ts";
import { createKWeighting } from "./k-weighting.ts";

/**
 * How much each channel counts, in the channel order of BS.1770: left, right, centre, (LFE,) left and right
 * surround. The LFE channel does not count at all.
 */
export const CHANNEL_WEIGHTS: Readonly<Record<"mono" | "stereo" | "5.0" | "5.1", readonly number[]>> = {
  mono: [1],
  stereo: [1, 1],
  "5.0": [1, 1, 1, 1.41, 1.41],
  "5.1": [1, 1, 1, 0, 1.41, 1.41],
};

/** A block quieter than this counts as silence. */
export const ABSOLUTE_GATE_LUFS = -70;
/** A block this much quieter than the rest counts as a pause. */
const RELATIVE_GATE_LU = -10;
/** Makes a 0 dBFS 997 Hz sine in one front channel read -3.01 LUFS. */
const OFFSET_LU = -0.691;
/** A gating block is 400 ms and starts every 100 ms. */
const STEPS_PER_BLOCK = 4;

/** Measures programme loudness as samples arrive. */
export interface LoudnessMeter {
  /**
   * Takes the next samples: one array per channel, all equally long.
   *
   * @throws RangeError when the number of channels or their lengths do not fit
   */
  push(channels: readonly Float32Array[]): void;
  /** Loudness of all that was pushed, in LUFS; minus infinity when nothing lies above the absolute gate. */
  integratedLufs(): number;
}

/**
 * Integrated loudness by ITU-R BS.1770-4: K-weighting, 400 ms blocks with 75 % overlap, an absolute gate at
 * -70 LUFS, then a relative gate 10 LU under the mean of what is left.
 *
 * @example
 * const meter = createLoudnessMeter({ sampleRateHz: 48_000, channelWeights: CHANNEL_WEIGHTS.stereo });
 * meter.push([left, right]);
 * meter.integratedLufs();
 */
export function createLoudnessMeter(options: {
  readonly sampleRateHz: number;
  readonly channelWeights: readonly number[];
}): LoudnessMeter {
  const stepFrames = Math.round(options.sampleRateHz / 10);
  const filters = options.channelWeights.map(() => createKWeighting(options.sampleRateHz));
  const stepPowers: number[] = [];
  let stepSum = 0;
  let stepFilled = 0;

  function pushPart(channels: readonly Float32Array[]): void {
    for (const [index, weight] of options.channelWeights.entries()) {
      const channel = channels[index];
      if (weight === 0 || channel === undefined) continue;
      stepSum += weight * (filters[index]?.filteredEnergy(channel) ?? 0);
    }
    stepFilled += channels[0]?.length ?? 0;
    if (stepFilled < stepFrames) return;
    stepPowers.push(stepSum / stepFrames);
    stepSum = 0;
    stepFilled = 0;
  }

  return {
    push(channels) {
      const frames = checkedLength(channels, options.channelWeights.length);
      for (let start = 0; start < frames;) {
        const end = Math.min(frames, start + stepFrames - stepFilled);
        pushPart(channels.map((channel) => channel.subarray(start, end)));
        start = end;
      }
    },
    integratedLufs: () => gatedLoudness(blockPowers(stepPowers)),
  };
}

function checkedLength(channels: readonly Float32Array[], expectedChannels: number): number {
  const frames = channels[0]?.length ?? 0;
  const fits = channels.length === expectedChannels && channels.every((channel) => channel.length === frames);
  if (!fits) throw new RangeError(`expected ${expectedChannels} channels of equal length`);
  return frames;
}

function blockPowers(stepPowers: readonly number[]): number[] {
  return stepPowers
    .slice(STEPS_PER_BLOCK - 1)
    .map((_, index) => mean(stepPowers.slice(index, index + STEPS_PER_BLOCK)));
}

function gatedLoudness(blocks: readonly number[]): number {
  const audible = blocks.filter((power) => lufs(power) > ABSOLUTE_GATE_LUFS);
  if (audible.length === 0) return Number.NEGATIVE_INFINITY;
  const relativeGateLufs = lufs(mean(audible)) + RELATIVE_GATE_LU;
  return lufs(mean(audible.filter((power) => lufs(power) > relativeGateLufs)));
}

function lufs(power: number): number {
  return OFFSET_LU + powerToDb(power);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
