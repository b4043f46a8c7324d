import { decode } from "fast-png";
import { describe, expect, it } from "vitest";

import { sine } from "../tests/_signals.ts";
import { drawWaveform, WAVEFORM_HEIGHT, WAVEFORM_WIDTH } from "./waveform-png.ts";

const RATE = 16_000;

function tone(durationS: number, peak: number): Int16Array {
  return Int16Array.from(
    sine({ sampleRateHz: RATE, frequencyHz: 440, durationS }),
    (sample) => sample * peak * 32_767,
  );
}

/** Rows of a column that are painted in a colour of the wave: green above what background and grid have. */
function waveRows(png: Uint8Array, x: number): number[] {
  const image = decode(png);
  return Array.from({ length: WAVEFORM_HEIGHT - 26 }, (_, y) => y).filter(
    (y) => (image.data[(y * WAVEFORM_WIDTH + x) * 3 + 1] ?? 0) > 90,
  );
}

describe("the waveform picture", () => {
  it("is an RGB PNG of 1200 x 300", () => {
    const image = decode(drawWaveform(tone(1, 0.5), RATE));
    expect(image).toMatchObject({ width: 1200, height: 300, channels: 3, depth: 8 });
  });

  it("shows how loud each moment is", () => {
    const samples = new Int16Array(RATE * 3);
    samples.set(tone(1, 1), RATE);
    const png = drawWaveform(samples, RATE);
    expect(waveRows(png, 200).length).toBeLessThanOrEqual(3);
    expect(waveRows(png, 600).length).toBeGreaterThan(240);
    expect(waveRows(png, 1000).length).toBeLessThanOrEqual(3);
    const half = drawWaveform(tone(10, 0.5), RATE);
    expect(Math.abs(waveRows(half, 600).length - 129)).toBeLessThanOrEqual(3);
  });

  it("shows a single loud sample among millions", () => {
    const samples = new Int16Array(RATE * 200);
    samples[RATE * 100] = 32_767;
    expect(waveRows(drawWaveform(samples, RATE), 600)[0]).toBeLessThan(20);
  });

  it.each([1, 2, 100, RATE / 10, RATE, RATE * 30 * 60])("draws %i samples", (frames) => {
    const image = decode(drawWaveform(new Int16Array(frames).fill(1000), RATE));
    expect(image.width).toBe(1200);
  });
});
