import { describe, expect, it } from "vitest";

import { joined, mixed, NEVER, noise, rms, silence, sine, sourceOf, speechLike } from "../tests/_signals.ts";
import { clippedShare, measureLevels } from "./measure.ts";
import { normalise } from "./normalise.ts";
import { resample } from "./resample.ts";

const RATE = 16_000;

describe("clipped share", () => {
  it("is zero for clean sound at any level", () => {
    expect(clippedShare(sine({ sampleRateHz: RATE, frequencyHz: 1000, durationS: 1, peak: 0.9 }), RATE)).toBe(
      0,
    );
    expect(clippedShare(speechLike({ durationS: 4, peak: 0.89 }), RATE)).toBeLessThan(0.001);
    expect(clippedShare(noise({ frames: RATE, rms: 0.1 }), RATE)).toBeLessThan(0.001);
    expect(clippedShare(silence(RATE), RATE)).toBe(0);
  });

  it("counts every sample that stands at full scale", () => {
    const samples = sine({ sampleRateHz: RATE, frequencyHz: 1000, durationS: 1, peak: 0.5 });
    for (let index = 0; index < 100; index++) samples[index * 160] = index % 2 === 0 ? 1 : -1;
    expect(clippedShare(samples, RATE)).toBeCloseTo(100 / RATE, 9);
  });

  it("is the share of the time that a wave spends on its flat tops", () => {
    const clipped = sine({ sampleRateHz: RATE, frequencyHz: 200, durationS: 1 }).map((sample) =>
      clamp(sample, 0.5),
    );
    // A sine lies beyond half its peak for two thirds of the time.
    expect(clippedShare(clipped, RATE)).toBeCloseTo(0.67, 1);
  });

  it("finds clipping through a change of rate and level", async () => {
    const sampleRateHz = 44_100;
    const frames = sampleRateHz * 4;
    const envelope = speechLike({ durationS: 4 });
    const voice = sine({ sampleRateHz, frequencyHz: 230, durationS: 4 }).map(
      (sample, index) => sample * Math.abs(envelope[Math.floor((index * RATE) / sampleRateHz)] ?? 0) + 0,
    );
    const clean = mixed(voice, noise({ frames, rms: 0.001 }));
    const measured = async (samples: Float32Array): Promise<number> => {
      const resampled = await resample(sourceOf(samples, sampleRateHz), {
        targetRateHz: RATE,
        signal: NEVER,
      });
      const { samples: written } = await normalise(resampled, NEVER);
      return clippedShare(
        Float32Array.from(written, (sample) => sample / 32_768),
        RATE,
      );
    };
    expect(await measured(clean)).toBeLessThan(0.001);
    expect(await measured(clean.map((sample) => clamp(sample, 0.3)))).toBeGreaterThan(0.05);
  });
});

describe("levels", () => {
  it("reports the share of silence", () => {
    const samples = joined(speechLike({ durationS: 0.3 }), silence(0.9 * RATE));
    expect(measureLevels(samples, RATE).silenceShare).toBeCloseTo(0.75, 1);
    expect(measureLevels(silence(RATE), RATE)).toEqual({ silenceShare: 1, snrDb: 0 });
    expect(
      measureLevels(sine({ sampleRateHz: RATE, frequencyHz: 440, durationS: 1 }), RATE).silenceShare,
    ).toBe(0);
  });

  it.each([5, 10, 20, 30, 40, 50])(
    "finds %i dB between steady bursts and the noise under them",
    (wantedDb) => {
      const tone = sine({ sampleRateHz: RATE, frequencyHz: 437, durationS: 10, peak: 0.5 });
      const bursts = tone.map((sample, index) => (index % 8000 < 4800 ? sample : 0));
      const background = noise({ frames: bursts.length, rms: rms(tone) * 10 ** (-wantedDb / 20) });
      const { snrDb } = measureLevels(mixed(bursts, background), RATE);
      expect(Math.abs(snrDb - wantedDb)).toBeLessThan(0.6);
    },
  );

  it.each([10, 20, 30, 40, 50])("estimates %i dB within 2 dB when the bursts swell and fade", (wantedDb) => {
    const clean = speechLike({ durationS: 10, peak: 0.5 });
    const speaking = clean.filter((_, index) => index % 8000 < 4800);
    const background = noise({ frames: clean.length, rms: rms(speaking) * 10 ** (-wantedDb / 20) });
    const { snrDb } = measureLevels(mixed(clean, background), RATE);
    expect(Math.abs(snrDb - wantedDb)).toBeLessThan(2);
  });

  it("stays within 0 and 96 dB", () => {
    expect(measureLevels(speechLike({ durationS: 2 }), RATE).snrDb).toBe(96);
    expect(measureLevels(noise({ frames: RATE * 2, rms: 0.1 }), RATE).snrDb).toBeLessThan(3);
  });
});

function clamp(sample: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, sample));
}
