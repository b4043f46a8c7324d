import { AudioError } from "./audio-error.ts";
import { createLoudnessMeter, CHANNEL_WEIGHTS } from "./loudness.ts";
import { clippedShare, measureLevels } from "./measure.ts";
import { createMonoSource } from "./mono-source.ts";
import type { WorkOptions } from "./preprocess.ts";
import { takeTurn } from "./turns.ts";
import type { Measurements } from "./verdict.ts";
import { parseWav } from "./wav.ts";

/** What the step before says it produced. */
export interface Expected {
  readonly sampleRateHz: number;
  readonly durationMs: number;
}

const CHUNK_FRAMES = 500_000;

/**
 * Measures a processed recording.
 *
 * @throws AudioError when it is not a WAV, or not the one that was announced; the signal's reason when it is
 *   aborted
 */
export async function measureRecording(
  recording: Uint8Array,
  expected: Expected,
  options: WorkOptions,
): Promise<Measurements> {
  const { signal, onProgress } = options;
  const source = createMonoSource(parseWav(recording));
  const { sampleRateHz } = source;
  checkAnnounced(expected, { sampleRateHz, durationMs: (source.frames / sampleRateHz) * 1000 });
  const samples = new Float32Array(source.frames);
  const meter = createLoudnessMeter({ sampleRateHz, channelWeights: CHANNEL_WEIGHTS.mono });
  for (let start = 0; start < samples.length; start += CHUNK_FRAMES) {
    await takeTurn(signal);
    const chunk = samples.subarray(start, start + CHUNK_FRAMES);
    source.read(start, chunk);
    meter.push([chunk]);
    onProgress((0.7 * (start + chunk.length)) / samples.length, "measuring loudness");
  }
  onProgress(0.8, "looking for clipping");
  await takeTurn(signal);
  const clipped = clippedShare(samples, sampleRateHz);
  onProgress(0.9, "estimating the noise");
  await takeTurn(signal);
  const levels = measureLevels(samples, sampleRateHz);
  return { integratedLufs: meter.integratedLufs(), clippedShare: clipped, ...levels };
}

/** Width and height of a PNG, from its header alone; nothing is unpacked. */
export function pngSize(bytes: Uint8Array): { readonly width: number; readonly height: number } {
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isPng =
    header.byteLength >= 33 &&
    header.getUint32(0) === 0x8950_4e47 &&
    header.getUint32(4) === 0x0d0a_1a0a &&
    header.getUint32(12) === 0x4948_4452;
  if (!isPng) {
    throw new AudioError("AUDIO_MISMATCH", "the waveform is not a PNG picture; run the preprocessing again");
  }
  return { width: header.getUint32(16), height: header.getUint32(20) };
}

function checkAnnounced(expected: Expected, found: Expected): void {
  const sameDuration = Math.abs(expected.durationMs - found.durationMs) <= 1;
  if (expected.sampleRateHz === found.sampleRateHz && sameDuration) return;
  throw new AudioError(
    "AUDIO_MISMATCH",
    `the processed recording has ${Math.round(found.durationMs)} ms at ${found.sampleRateHz} Hz, announced were ${expected.durationMs} ms at ${expected.sampleRateHz} Hz; run the preprocessing again`,
  );
}
