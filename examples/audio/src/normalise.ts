import { amplitudeToDb } from "./decibel.ts";
import { truePeak } from "./true-peak.ts";
import { takeTurn } from "./turns.ts";

/** Where the true peak is put: -1 dBTP, the headroom that EBU R 128 asks for. */
export const TARGET_PEAK = 0.891_250_938_133_745_6;

/** Any constant does; a constant makes equal recordings give equal bytes, which a quorum compares. */
const DITHER_SEED = 0x5ee_d1e55;
const CHUNK_FRAMES = 1_000_000;

/** A recording at its final level, in the samples that are written to the file. */
export interface Normalised {
  readonly samples: Int16Array;
  /** What was applied, in decibels; negative when the recording was louder. */
  readonly gainDb: number;
}

/**
 * Raises or lowers a recording so that its true peak lies at -1 dBTP, and rounds it to 16 bits.
 *
 * The rounding adds triangular noise of plus or minus one step (TPDF dither), which turns the distortion of
 * quiet passages into an even hiss at -96 dBFS. The noise comes from a seeded generator.
 *
 * @throws the signal's reason when it is aborted
 */
export async function normalise(samples: Float32Array, signal: AbortSignal): Promise<Normalised> {
  const peak = await truePeak(samples, signal);
  const gain = peak === 0 ? 1 : TARGET_PEAK / peak;
  const output = new Int16Array(samples.length);
  const random = createRandom(DITHER_SEED);
  for (let index = 0; index < samples.length; index++) {
    if (index % CHUNK_FRAMES === 0) await takeTurn(signal);
    const dither = random() - random();
    const step = Math.round((samples[index] ?? 0) * gain * 32_768 + dither);
    output[index] = Math.max(-32_768, Math.min(32_767, step));
  }
  return { samples: output, gainDb: amplitudeToDb(gain) };
}

/** Mulberry32: 32 bits of state, integer arithmetic only, so it gives the same numbers on every machine. */
function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
