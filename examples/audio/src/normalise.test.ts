import { describe, expect, it } from "vitest";

import { NEVER, noise, sine } from "../tests/_signals.ts";
import { amplitudeToDb } from "./decibel.ts";
import { normalise, TARGET_PEAK } from "./normalise.ts";
import { truePeak } from "./true-peak.ts";

/**
 * Test signals 15 to 19 of EBU Tech 3341: sines whose samples miss the peaks. Allowed: +0.2 dB and -0.4 dB.
 */
describe("true peak", () => {
  it.each([
    { divisor: 4, phaseDegrees: 0, peak: 0.5, dbtp: -6 },
    { divisor: 4, phaseDegrees: 45, peak: 0.5, dbtp: -6 },
    { divisor: 6, phaseDegrees: 60, peak: 0.5, dbtp: -6 },
    { divisor: 8, phaseDegrees: 67.5, peak: 0.5, dbtp: -6 },
    { divisor: 4, phaseDegrees: 45, peak: 1.41, dbtp: 3 },
  ])(
    "of a sine at fs/$divisor from $phaseDegrees degrees is $dbtp dBTP",
    async ({ divisor, dbtp, ...tone }) => {
      const whole = sine({ sampleRateHz: 48_000, frequencyHz: 48_000 / divisor, durationS: 0.5, ...tone });
      // Fades avoid a click at the ends, whose overshoot would be measured instead.
      const faded = whole.map(
        (sample, index) => sample * Math.min(1, index / 4800, (whole.length - index) / 4800),
      );
      const measured = amplitudeToDb(await truePeak(faded, NEVER));
      expect(measured).toBeLessThan(dbtp + 0.2);
      expect(measured).toBeGreaterThan(dbtp - 0.4);
    },
  );

  it("is never below the largest sample", async () => {
    const samples = noise({ frames: 16_000, rms: 0.2 });
    expect(await truePeak(samples, NEVER)).toBeGreaterThanOrEqual(Math.max(...samples.map(Math.abs)));
  });

  it("stops when it is aborted", async () => {
    const signal = AbortSignal.abort(new Error("stop"));
    await expect(truePeak(noise({ frames: 1000, rms: 0.2 }), signal)).rejects.toThrow("stop");
  });
});

describe("normalising", () => {
  it.each([0.001, 0.1, 1, 1000])("puts the true peak of a sine of %f at -1 dBTP", async (peak) => {
    const tone = sine({ sampleRateHz: 16_000, frequencyHz: 997, durationS: 1, peak });
    const { samples, gainDb } = await normalise(tone, NEVER);
    expect(gainDb).toBeCloseTo(amplitudeToDb(TARGET_PEAK / peak), 1);
    const written = Float32Array.from(samples, (sample) => sample / 32_768);
    expect(amplitudeToDb(await truePeak(written, NEVER))).toBeCloseTo(-1, 1);
  });

  it("gives the same bytes every time", async () => {
    const samples = noise({ frames: 16_000, rms: 0.1 });
    expect(await normalise(samples, NEVER)).toEqual(await normalise(samples, NEVER));
  });

  it("dithers with triangular noise of two steps' width, independent of the signal", async () => {
    // A constant between two steps: without dither every sample would round to the same one.
    const level = 1000.37 / 32_768;
    const samples = new Float32Array(200_000).fill(level);
    const loud = new Float32Array([...samples, ...new Float32Array(100), 1]);
    const { samples: output, gainDb } = await normalise(loud, NEVER);
    const exact = level * 10 ** (gainDb / 20) * 32_768;
    const errors = Float64Array.from(output.subarray(0, 200_000), (sample) => sample - exact);
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    const variance = errors.reduce((sum, error) => sum + (error - mean) ** 2, 0) / errors.length;
    expect(Math.abs(mean)).toBeLessThan(0.01);
    // Triangular dither of variance 1/6 and rounding of 1/12 add up to 1/4, whatever the level.
    expect(variance).toBeCloseTo(0.25, 2);
    expect(new Set(output.subarray(0, 200_000)).size).toBeLessThanOrEqual(4);
  });

  it("leaves digital silence at plus or minus one step", async () => {
    const { samples, gainDb } = await normalise(new Float32Array(1000), NEVER);
    expect(gainDb).toBe(0);
    expect(Math.max(...samples.map(Math.abs))).toBeLessThanOrEqual(1);
  });
});
