import type { MonoSource } from "./mono-source.ts";
import { createSincKernel, sincHalfTaps, type SincKernel } from "./sinc-kernel.ts";
import { takeTurn } from "./turns.ts";

/** How to resample. */
export interface ResampleOptions {
  readonly targetRateHz: number;
  readonly signal: AbortSignal;
  /** Told the share that is done, 0 to 1, once per chunk. */
  readonly onProgress?: (share: number) => void;
}

const STOPBAND_DB = 100;
/** The pass band ends here, as a share of the lower of both Nyquist frequencies; the stop band starts at it. */
const PASSBAND_EDGE = 0.9;
/** Rows of a kernel that hits every position exactly; a rate pair that needs more is interpolated. */
const MAX_TABLE_TAPS = 2 ** 20;
/** Rows per sample of full bandwidth for interpolation: its error, (pi / 512)^2 / 8, lies at -106 dB. */
const INTERPOLATED_PHASES = 512;
/** Multiplications between two turns of the event loop, roughly 5 to 10 ms. */
const CHUNK_MULTIPLICATIONS = 4_000_000;

/**
 * Converts to another sample rate with a polyphase windowed sinc.
 *
 * Flat within 0.01 dB up to 90 % of the lower Nyquist frequency, and at least 90 dB down from that frequency
 * on, so nothing folds back. Both ends are padded with silence and the delay is zero: output sample `n`
 * stands at the same time as input position `n * from / to`. A rate that is already right is copied untouched.
 *
 * @throws the signal's reason when it is aborted
 */
export async function resample(source: MonoSource, options: ResampleOptions): Promise<Float32Array> {
  const { targetRateHz, signal, onProgress } = options;
  const ratio = rateRatio(source.sampleRateHz, targetRateHz);
  const output = new Float32Array(Math.round((source.frames * ratio.up) / ratio.down));
  const convert = ratio.up === ratio.down ? copier(source) : converter(source, ratio);
  for (let start = 0; start < output.length; start += convert.chunkFrames) {
    await takeTurn(signal);
    convert.fill(start, output.subarray(start, start + convert.chunkFrames));
    onProgress?.(Math.min(1, (start + convert.chunkFrames) / output.length));
  }
  return output;
}

interface RateRatio {
  /** Output samples ... */
  readonly up: number;
  /** ... for this many input samples, in lowest terms. */
  readonly down: number;
}

interface Converter {
  readonly chunkFrames: number;
  fill(startFrame: number, into: Float32Array): void;
}

function copier(source: MonoSource): Converter {
  return { chunkFrames: 65_536, fill: (startFrame, into) => source.read(startFrame, into) };
}

function converter(source: MonoSource, ratio: RateRatio): Converter {
  const { halfTaps, phases, rows } = kernelFor(ratio);
  const taps = 2 * halfTaps;
  const chunkFrames = Math.max(256, Math.floor(CHUNK_MULTIPLICATIONS / taps));
  const input = new Float32Array(Math.ceil((chunkFrames * ratio.down) / ratio.up) + taps + 1);

  function convolve(inputStart: number, row: number): number {
    const rowStart = row * taps;
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) sum += (input[inputStart + tap] ?? 0) * (rows[rowStart + tap] ?? 0);
    return sum;
  }

  return {
    chunkFrames,
    fill(startFrame, into) {
      const firstWhole = Math.floor((startFrame * ratio.down) / ratio.up);
      source.read(firstWhole - halfTaps + 1, input);
      for (let index = 0; index < into.length; index++) {
        // Integers throughout: a floating-point position would drift over millions of samples.
        const position = (startFrame + index) * ratio.down;
        const whole = Math.floor(position / ratio.up);
        const phase = ((position - whole * ratio.up) * phases) / ratio.up;
        const row = Math.floor(phase);
        const lower = convolve(whole - firstWhole, row);
        const between = phase - row;
        into[index] =
          between === 0 ? lower : lower + between * (convolve(whole - firstWhole, row + 1) - lower);
      }
    },
  };
}

function kernelFor(ratio: RateRatio): SincKernel {
  // Cutoff and transition follow the slower side: going down it removes what would alias, going up what would
  // appear as images.
  const bandwidth = Math.min(1, ratio.up / ratio.down);
  const design = {
    cutoff: (0.5 * (1 + PASSBAND_EDGE) * bandwidth) / 2,
    transition: 0.5 * (1 - PASSBAND_EDGE) * bandwidth,
    stopbandDb: STOPBAND_DB,
  };
  const fitsExactly = ratio.up * 2 * sincHalfTaps(design) <= MAX_TABLE_TAPS;
  const phases = fitsExactly ? ratio.up : Math.max(16, Math.ceil(INTERPOLATED_PHASES * bandwidth));
  return createSincKernel({ ...design, phases });
}

function rateRatio(fromHz: number, toHz: number): RateRatio {
  let divisor = fromHz;
  let rest = toHz;
  while (rest !== 0) [divisor, rest] = [rest, divisor % rest];
  return { up: toHz / divisor, down: fromHz / divisor };
}
