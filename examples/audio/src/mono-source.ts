import { AudioError } from "./audio-error.ts";
import { bytesPerSample, type SampleEncoding } from "./wav-format.ts";
import type { WavFile } from "./wav.ts";

/** Mono samples that can be read at any position, decoded as they are asked for. */
export interface MonoSource {
  readonly sampleRateHz: number;
  readonly frames: number;
  /**
   * Fills `into` with the samples from `startFrame` on; full scale is 1. Positions before the first and after
   * the last frame read as 0, so that a filter may reach over both ends.
   */
  read(startFrame: number, into: Float32Array): void;
}

/** Beyond this a float sample is garbage, not audio: 2^32 leaves room for files scaled like 32-bit integers. */
const MAX_SAMPLE = 2 ** 32;

type SampleReader = (data: DataView, offset: number) => number;

const READERS: Readonly<Record<SampleEncoding, SampleReader>> = {
  u8: (data, offset) => (data.getUint8(offset) - 128) / 128,
  s16: (data, offset) => data.getInt16(offset, true) / 32_768,
  s24: (data, offset) => (data.getInt8(offset + 2) * 65_536 + data.getUint16(offset, true)) / 8_388_608,
  s32: (data, offset) => data.getInt32(offset, true) / 2_147_483_648,
  f32: (data, offset) => data.getFloat32(offset, true),
  f64: (data, offset) => data.getFloat64(offset, true),
};

/**
 * Decodes a WAV and averages its channels.
 *
 * The average (and not the sum) cannot clip. Nothing is held decoded: a 64 MiB file of 8-bit samples would
 * otherwise take 268 MB.
 *
 * @throws AudioError AUDIO_MALFORMED from `read` when float samples are not numbers that audio can have
 */
export function createMonoSource(wav: WavFile): MonoSource {
  const { channels, encoding, frameBytes, sampleRateHz } = wav.format;
  const sampleBytes = bytesPerSample(encoding);
  const readSample = READERS[encoding];

  function readFrame(frame: number): number {
    let sum = 0;
    let offset = frame * frameBytes;
    for (let channel = 0; channel < channels; channel++) {
      sum += readSample(wav.data, offset);
      offset += sampleBytes;
    }
    return checkedSample(sum / channels, frame);
  }

  return {
    sampleRateHz,
    frames: wav.frames,
    read(startFrame, into) {
      const from = Math.min(into.length, Math.max(0, -startFrame));
      const to = Math.max(from, Math.min(into.length, wav.frames - startFrame));
      into.fill(0, 0, from);
      for (let index = from; index < to; index++) into[index] = readFrame(startFrame + index);
      into.fill(0, to);
    },
  };
}

function checkedSample(value: number, frame: number): number {
  // Written so that NaN fails too.
  if (Math.abs(value) <= MAX_SAMPLE) return value;
  throw new AudioError(
    "AUDIO_MALFORMED",
    `sample ${frame} of the WAV is ${value}, which is no sound; export the recording again as 16 or 24-bit PCM`,
  );
}
