import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { joined, mixed, noise, silence, sine } from "../tests/_signals.ts";
import { trimSilence, TRIM_MARGIN_MS } from "./trim.ts";

const RATE = 16_000;
const MARGIN = (RATE * TRIM_MARGIN_MS) / 1000;
const tone = (durationS: number, peak = 0.5): Float32Array =>
  sine({ sampleRateHz: RATE, frequencyHz: 440, durationS, peak });

function trimmed(samples: Float32Array): {
  samples: Float32Array;
  leadingFrames: number;
  trailingFrames: number;
} {
  const result = trimSilence(samples, RATE);
  if (result.kind === "silent") throw new Error("judged silent");
  return result;
}

describe("trimming silence", () => {
  it("cuts what is silent at both ends and keeps 100 ms of it", () => {
    const result = trimmed(joined(silence(RATE), tone(1), silence(2 * RATE)));
    expect(result.leadingFrames).toBe(RATE - MARGIN);
    expect(result.trailingFrames).toBe(2 * RATE - MARGIN);
    expect(result.samples).toHaveLength(RATE + 2 * MARGIN);
  });

  it("cuts background noise 35 dB below the sound as well", () => {
    const noisy = mixed(
      joined(silence(RATE), tone(1), silence(RATE)),
      noise({ frames: 3 * RATE, rms: 0.006 }),
    );
    const result = trimmed(noisy);
    expect(Math.abs(result.leadingFrames - (RATE - MARGIN))).toBeLessThanOrEqual(320);
    expect(Math.abs(result.trailingFrames - (RATE - MARGIN))).toBeLessThanOrEqual(320);
  });

  it("leaves the pauses inside alone", () => {
    const result = trimmed(joined(tone(0.5), silence(3 * RATE), tone(0.5)));
    expect(result.leadingFrames + result.trailingFrames).toBe(0);
  });

  it("keeps soft sounds 20 dB below the loudest", () => {
    const result = trimmed(joined(silence(RATE), tone(1, 0.05), tone(1, 0.5), tone(1, 0.05), silence(RATE)));
    expect(result.samples).toHaveLength(3 * RATE + 2 * MARGIN);
  });

  it("leaves a sound without any pause whole", () => {
    expect(trimmed(tone(2)).samples).toHaveLength(2 * RATE);
    expect(trimmed(noise({ frames: 2 * RATE, rms: 0.1 })).samples).toHaveLength(2 * RATE);
  });

  it("never leaves less than 400 ms", () => {
    const click = silence(2 * RATE);
    click.fill(0.9, RATE, RATE + 10);
    const result = trimmed(click);
    expect(result.samples).toHaveLength(RATE * 0.4);
    expect(result.samples).toContain(Math.fround(0.9));
    const atStart = silence(2 * RATE);
    atStart.fill(0.9, 0, 10);
    expect(trimmed(atStart)).toMatchObject({ leadingFrames: 0, trailingFrames: 2 * RATE - RATE * 0.4 });
  });

  it("calls a recording silent when nothing in it reaches -60 dBFS", () => {
    expect(trimSilence(silence(RATE), RATE)).toEqual({
      kind: "silent",
      loudestDbfs: Number.NEGATIVE_INFINITY,
    });
    const hiss = trimSilence(noise({ frames: RATE, rms: 0.0005 }), RATE);
    expect(hiss).toMatchObject({ kind: "silent" });
    expect(trimSilence(noise({ frames: RATE, rms: 0.002 }), RATE).kind).toBe("sound");
  });

  it("accounts for every sample, whatever it is given", () => {
    const anySamples = fc.float32Array({ min: -1, max: 1, noNaN: true, minLength: 1, maxLength: 20_000 });
    fc.assert(
      fc.property(anySamples, (samples) => {
        const result = trimSilence(samples, RATE);
        if (result.kind === "silent") return;
        expect(result.leadingFrames + result.samples.length + result.trailingFrames).toBe(samples.length);
        expect(result.samples.length).toBeGreaterThanOrEqual(Math.min(samples.length, 6400));
      }),
    );
  });
});
