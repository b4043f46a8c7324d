import { describe, expect, it } from "vitest";

import { NEVER, noise, rms, sine, sourceOf } from "../tests/_signals.ts";
import { amplitudeToDb } from "./decibel.ts";
import { resample } from "./resample.ts";

const TARGET = 16_000;
const RATES = [4000, 8000, 11_025, 22_050, 32_000, 37_123, 44_100, 48_000, 88_200, 96_000, 192_000, 384_000];

/** A tone after resampling; the ends, where the filter starts, are left out. */
async function resampledTone(sampleRateHz: number, frequencyHz: number): Promise<Float32Array> {
  const tone = sine({ sampleRateHz, frequencyHz, durationS: 0.5 });
  const output = await resample(sourceOf(tone, sampleRateHz), { targetRateHz: TARGET, signal: NEVER });
  return output.subarray(1000, -1000);
}

/** Level of a full-scale tone that should have stayed, found by fitting a sine, so that any length will do. */
function fittedDb(samples: Float32Array, frequencyHz: number): number {
  let [ss, sc, cc, xs, xc] = [0, 0, 0, 0, 0];
  for (const [index, sample] of samples.entries()) {
    const angle = (2 * Math.PI * frequencyHz * index) / TARGET;
    const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
    ss += sin * sin;
    sc += sin * cos;
    cc += cos * cos;
    xs += sample * sin;
    xc += sample * cos;
  }
  const determinant = ss * cc - sc * sc;
  return amplitudeToDb(Math.hypot(xs * cc - xc * sc, xc * ss - xs * sc) / determinant);
}

describe("resampling to 16 kHz", () => {
  it.each(RATES)("passes tones unchanged from %i Hz", async (sampleRateHz) => {
    const edge = 0.9 * Math.min(sampleRateHz, TARGET) * 0.5;
    for (const share of [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 1]) {
      const output = await resampledTone(sampleRateHz, edge * share);
      expect(Math.abs(fittedDb(output, edge * share))).toBeLessThan(0.01);
    }
  });

  it.each(RATES.filter((rate) => rate > TARGET))(
    "suppresses what would alias from %i Hz by 90 dB",
    async (rate) => {
      for (const frequencyHz of [8000.5, 8300, 9000, 10_000, 11_025, 13_000, 15_999, 16_300]) {
        if (frequencyHz >= rate / 2) continue;
        const output = await resampledTone(rate, frequencyHz);
        expect(amplitudeToDb(rms(output) / Math.SQRT1_2)).toBeLessThan(-90);
      }
    },
  );

  it.each([8000, 11_025])("adds no images when it goes up from %i Hz", async (sampleRateHz) => {
    const tone = sine({ sampleRateHz, frequencyHz: 1000, durationS: 0.5 });
    const output = await resample(sourceOf(tone, sampleRateHz), { targetRateHz: TARGET, signal: NEVER });
    const wanted = sine({ sampleRateHz: TARGET, frequencyHz: 1000, durationS: 0.5 });
    const difference = output.map((sample, index) => sample - (wanted[index] ?? 0)).subarray(1000, -1000);
    expect(amplitudeToDb(rms(difference) / Math.SQRT1_2)).toBeLessThan(-90);
  });

  it.each([44_100, 48_000, 37_123, 44_101])("keeps every sample at its time from %i Hz", async (rate) => {
    for (const frequencyHz of [440, 7000]) {
      const tone = sine({ sampleRateHz: rate, frequencyHz, durationS: 2 });
      const output = await resample(sourceOf(tone, rate), { targetRateHz: TARGET, signal: NEVER });
      const wanted = sine({ sampleRateHz: TARGET, frequencyHz, durationS: 2 });
      expect(output).toHaveLength(wanted.length);
      const difference = output.map((sample, index) => sample - (wanted[index] ?? 0)).subarray(1000, -1000);
      expect(amplitudeToDb(rms(difference) / Math.SQRT1_2)).toBeLessThan(-90);
    }
  });

  it("keeps a constant constant, so that no hum is added", async () => {
    const output = await resample(sourceOf(new Float32Array(44_100).fill(0.5), 44_100), {
      targetRateHz: TARGET,
      signal: NEVER,
    });
    for (const sample of output.subarray(200, -200)) expect(sample).toBeCloseTo(0.5, 6);
  });

  it("gives the same samples wherever its chunks begin", async () => {
    // Long enough for several chunks; the second half alone must equal the second half of the whole.
    const whole = noise({ frames: 44_100 * 4, rms: 0.1 });
    const options = { targetRateHz: TARGET, signal: NEVER };
    const all = await resample(sourceOf(whole, 44_100), options);
    const second = await resample(sourceOf(whole.slice(44_100 * 2), 44_100), options);
    expect(all.subarray(32_000 + 200)).toEqual(second.subarray(200));
  });

  it("copies a recording that is at 16 kHz already", async () => {
    const samples = noise({ frames: 100_000, rms: 0.1 });
    expect(await resample(sourceOf(samples, TARGET), { targetRateHz: TARGET, signal: NEVER })).toEqual(
      samples,
    );
  });

  it("reports growing shares up to 1", async () => {
    const shares: number[] = [];
    const source = sourceOf(noise({ frames: 44_100 * 3, rms: 0.1 }), 44_100);
    await resample(source, {
      targetRateHz: TARGET,
      signal: NEVER,
      onProgress: (share) => shares.push(share),
    });
    expect(shares.length).toBeGreaterThan(2);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
  });

  it("stops between two chunks when it is aborted, having let other work run", async () => {
    const controller = new AbortController();
    const shares: number[] = [];
    setImmediate(() => setImmediate(() => controller.abort(new Error("cancelled by the requester"))));
    const source = sourceOf(noise({ frames: 44_100 * 20, rms: 0.1 }), 44_100);
    const options = {
      targetRateHz: TARGET,
      signal: controller.signal,
      onProgress: (share: number) => shares.push(share),
    };
    await expect(resample(source, options)).rejects.toThrow("cancelled by the requester");
    expect(shares.length).toBeLessThan(4);
  });
});
