import { AudioError } from "./audio-error.ts";
import { MAX_DURATION_MS, MIN_DURATION_MS, TARGET_SAMPLE_RATE_HZ } from "./limits.ts";
import { createMonoSource, type MonoSource } from "./mono-source.ts";
import { normalise } from "./normalise.ts";
import { resample } from "./resample.ts";
import { trimSilence } from "./trim.ts";
import { drawWaveform } from "./waveform-png.ts";
import { encodeWav16 } from "./wav-encode.ts";
import { parseWav } from "./wav.ts";

/** A recording after preprocessing, with the files to store. */
export interface Preprocessed {
  /** Mono 16-bit WAV at 16 kHz. */
  readonly wav: Uint8Array;
  readonly waveformPng: Uint8Array;
  readonly sampleRateHz: number;
  readonly durationMs: number;
  /** Silence cut at both ends together. */
  readonly trimmedMs: number;
  readonly gainDb: number;
}

/** How the work is watched and stopped. */
export interface WorkOptions {
  readonly signal: AbortSignal;
  /** Told how far the work is, 0 to 1, and what it is doing. */
  readonly onProgress: (share: number, stage: string) => void;
}

/**
 * Turns a recording into mono 16 kHz at an even level, without silence around it, and draws it.
 *
 * The same bytes in give the same bytes out.
 *
 * @throws AudioError when the recording cannot be used; the signal's reason when it is aborted
 */
export async function preprocessRecording(
  recording: Uint8Array,
  options: WorkOptions,
): Promise<Preprocessed> {
  const { signal, onProgress } = options;
  const source = createMonoSource(parseWav(recording));
  checkDuration(source);
  const resampled = await resample(source, {
    targetRateHz: TARGET_SAMPLE_RATE_HZ,
    signal,
    onProgress: (share) => onProgress(share * 0.6, "downmixing and resampling"),
  });
  onProgress(0.6, "trimming silence");
  const trimmed = trimSilence(resampled, TARGET_SAMPLE_RATE_HZ);
  if (trimmed.kind === "silent") throw silent(trimmed.loudestDbfs);
  onProgress(0.65, "normalising");
  const { samples, gainDb } = await normalise(trimmed.samples, signal);
  onProgress(0.9, "drawing the waveform");
  const waveformPng = drawWaveform(samples, TARGET_SAMPLE_RATE_HZ);
  onProgress(1, "processed");
  return {
    wav: encodeWav16(samples, TARGET_SAMPLE_RATE_HZ),
    waveformPng,
    sampleRateHz: TARGET_SAMPLE_RATE_HZ,
    durationMs: framesToMs(samples.length),
    trimmedMs: framesToMs(trimmed.leadingFrames + trimmed.trailingFrames),
    gainDb,
  };
}

function checkDuration(source: MonoSource): void {
  const durationMs = (source.frames / source.sampleRateHz) * 1000;
  if (durationMs < MIN_DURATION_MS) {
    throw new AudioError(
      "AUDIO_TOO_SHORT",
      `the recording lasts ${Math.round(durationMs)} ms; send at least ${MIN_DURATION_MS} ms`,
    );
  }
  if (durationMs > MAX_DURATION_MS) {
    throw new AudioError(
      "AUDIO_TOO_LONG",
      `the recording lasts ${(durationMs / 60_000).toFixed(1)} minutes; the limit is ${MAX_DURATION_MS / 60_000}, split it`,
    );
  }
}

function silent(loudestDbfs: number): AudioError {
  const level = Number.isFinite(loudestDbfs)
    ? `its loudest 20 ms lie at ${loudestDbfs.toFixed(0)} dBFS`
    : "every sample is zero";
  return new AudioError(
    "AUDIO_SILENT",
    `the recording is silent: ${level}, and sound begins at -60 dBFS; check that the right microphone was recorded`,
  );
}

function framesToMs(frames: number): number {
  return Math.round((frames / TARGET_SAMPLE_RATE_HZ) * 1000);
}
