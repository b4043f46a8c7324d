import { describe, expect, it } from "vitest";

import { joined, noise, silence, sine } from "../tests/_signals.ts";
import { dbToAmplitude } from "./decibel.ts";
import { headShelf, lowCut } from "./k-weighting.ts";
import { CHANNEL_WEIGHTS, createLoudnessMeter } from "./loudness.ts";

type Layout = keyof typeof CHANNEL_WEIGHTS;

function integrated(layout: Layout, sampleRateHz: number, channels: readonly Float32Array[]): number {
  const meter = createLoudnessMeter({ sampleRateHz, channelWeights: CHANNEL_WEIGHTS[layout] });
  meter.push(channels);
  return meter.integratedLufs();
}

/** A 1 kHz sine in sections of [peak level in dBFS, seconds], in phase over the joints. */
function sections(
  sampleRateHz: number,
  parts: readonly (readonly [dbfs: number, durationS: number])[],
): Float32Array {
  return joined(
    ...parts.map(([dbfs, durationS]) =>
      sine({ sampleRateHz, frequencyHz: 1000, durationS, peak: dbToAmplitude(dbfs) }),
    ),
  );
}

/**
 * The minimum requirements test signals 1 to 6 of EBU Tech 3341 ("Loudness Metering: EBU Mode metering to
 * supplement loudness normalisation"), table 1: a 1000 Hz sine in the given levels, identical in both channels of a stereo
 * file for 1 to 5 and in five channels for 6. Every one must read -23.0 LUFS (2: -33.0) within 0.1 LU.
 */
const STEREO_CASES: readonly {
  number: number;
  parts: readonly (readonly [number, number])[];
  lufs: number;
}[] = [
  { number: 1, parts: [[-23, 20]], lufs: -23 },
  { number: 2, parts: [[-33, 20]], lufs: -33 },
  {
    number: 3,
    parts: [
      [-36, 10],
      [-23, 60],
      [-36, 10],
    ],
    lufs: -23,
  },
  {
    number: 4,
    parts: [
      [-72, 10],
      [-36, 10],
      [-23, 60],
      [-36, 10],
      [-72, 10],
    ],
    lufs: -23,
  },
  {
    number: 5,
    parts: [
      [-26, 20],
      [-20, 20.1],
      [-26, 20],
    ],
    lufs: -23,
  },
];

describe.each([48_000, 44_100, 16_000])("EBU Tech 3341 integrated loudness at %i Hz", (sampleRateHz) => {
  it.each(STEREO_CASES)("test signal $number reads $lufs LUFS within 0.1 LU", ({ parts, lufs }) => {
    const channel = sections(sampleRateHz, parts);
    expect(Math.abs(integrated("stereo", sampleRateHz, [channel, channel]) - lufs)).toBeLessThanOrEqual(0.1);
  });

  it("test signal 6, five channels, reads -23 LUFS within 0.1 LU", () => {
    const channels = [-28, -28, -24, -30, -30].map((dbfs) => sections(sampleRateHz, [[dbfs, 20]]));
    expect(Math.abs(integrated("5.0", sampleRateHz, channels) + 23)).toBeLessThanOrEqual(0.1);
  });
});

describe("BS.1770 loudness", () => {
  it("reads -3.01 LUFS for a full-scale 997 Hz sine in one front channel", () => {
    const tone = sine({ sampleRateHz: 48_000, frequencyHz: 997, durationS: 5 });
    expect(integrated("mono", 48_000, [tone])).toBeCloseTo(-3.01, 2);
    expect(integrated("stereo", 48_000, [tone, silence(tone.length)])).toBeCloseTo(-3.01, 2);
  });

  it("derives the coefficients that the recommendation prints for 48 kHz", () => {
    const shelf = headShelf(48_000);
    expect(shelf.b0).toBeCloseTo(1.535_124_859_586_97, 10);
    expect(shelf.b1).toBeCloseTo(-2.691_696_189_406_38, 10);
    expect(shelf.b2).toBeCloseTo(1.198_392_810_852_85, 10);
    expect(shelf.a1).toBeCloseTo(-1.690_659_293_182_41, 10);
    expect(shelf.a2).toBeCloseTo(0.732_480_774_215_85, 10);
    const highPass = lowCut(48_000);
    expect(highPass).toMatchObject({ b0: 1, b1: -2, b2: 1 });
    expect(highPass.a1).toBeCloseTo(-1.990_047_454_833_98, 10);
    expect(highPass.a2).toBeCloseTo(0.990_072_250_366_21, 10);
  });

  it("does not count the LFE channel and counts a surround channel 1.5 dB more", () => {
    const tone = sine({ sampleRateHz: 48_000, frequencyHz: 1000, durationS: 2, peak: 0.1 });
    const none = silence(tone.length);
    const front = integrated("5.1", 48_000, [tone, none, none, none, none, none]);
    expect(integrated("5.1", 48_000, [none, none, none, tone, none, none])).toBe(Number.NEGATIVE_INFINITY);
    expect(integrated("5.1", 48_000, [none, none, none, none, tone, none]) - front).toBeCloseTo(1.49, 2);
  });

  it("reads the same in one piece and in many", () => {
    const samples = noise({ frames: 30_000, rms: 0.1 });
    const meter = createLoudnessMeter({ sampleRateHz: 16_000, channelWeights: CHANNEL_WEIGHTS.mono });
    for (let start = 0; start < samples.length; start += 777)
      meter.push([samples.subarray(start, start + 777)]);
    expect(meter.integratedLufs()).toBeCloseTo(integrated("mono", 16_000, [samples]), 9);
  });

  it("has no value for silence and for less than one block", () => {
    expect(integrated("mono", 16_000, [silence(16_000)])).toBe(Number.NEGATIVE_INFINITY);
    expect(integrated("mono", 16_000, [noise({ frames: 6399, rms: 0.1 })])).toBe(Number.NEGATIVE_INFINITY);
    expect(integrated("mono", 16_000, [noise({ frames: 6400, rms: 0.1 })])).toBeGreaterThan(-30);
  });

  it("refuses channels that do not fit its layout", () => {
    const meter = createLoudnessMeter({ sampleRateHz: 16_000, channelWeights: CHANNEL_WEIGHTS.stereo });
    expect(() => meter.push([silence(10)])).toThrow(RangeError);
    expect(() => meter.push([silence(10), silence(11)])).toThrow(RangeError);
  });
});
