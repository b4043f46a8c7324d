import type { MonoSource } from "../src/mono-source.ts";

/** A sine of a peak level; `phaseDegrees` is where it starts. */
export function sine(options: {
  readonly sampleRateHz: number;
  readonly frequencyHz: number;
  readonly durationS: number;
  readonly peak?: number;
  readonly phaseDegrees?: number;
}): Float32Array {
  const step = (2 * Math.PI * options.frequencyHz) / options.sampleRateHz;
  const phase = ((options.phaseDegrees ?? 0) * Math.PI) / 180;
  const peak = options.peak ?? 1;
  const samples = new Float32Array(Math.round(options.durationS * options.sampleRateHz));
  for (let index = 0; index < samples.length; index++) samples[index] = peak * Math.sin(phase + step * index);
  return samples;
}

/** White noise with a flat distribution of the given RMS, the same for the same seed. */
export function noise(options: {
  readonly frames: number;
  readonly rms: number;
  readonly seed?: number;
}): Float32Array {
  let state = options.seed ?? 1;
  return Float32Array.from({ length: options.frames }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 31 - 1) * options.rms * Math.sqrt(3);
  });
}

export function silence(frames: number): Float32Array {
  return new Float32Array(frames);
}

export function joined(...parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

export function mixed(first: Float32Array, second: Float32Array): Float32Array {
  return first.map((sample, index) => sample + (second[index] ?? 0));
}

/** Bursts of a tone with pauses between them, as loud as speech is; 16 kHz. */
export function speechLike(options: { readonly durationS: number; readonly peak?: number }): Float32Array {
  const tone = sine({ sampleRateHz: 16_000, frequencyHz: 437, ...options });
  // 0.3 s of sound, 0.2 s of pause.
  return tone.map((sample, index) =>
    index % 8000 < 4800 ? sample * Math.sin((Math.PI * (index % 8000)) / 4800) : 0,
  );
}

export function rms(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}

/** Plain samples as what the resampler reads. */
export function sourceOf(samples: Float32Array, sampleRateHz: number): MonoSource {
  return {
    sampleRateHz,
    frames: samples.length,
    read(startFrame, into) {
      for (let index = 0; index < into.length; index++) into[index] = samples[startFrame + index] ?? 0;
    },
  };
}

/** A signal that never aborts. */
export const NEVER: AbortSignal = new AbortController().signal;
