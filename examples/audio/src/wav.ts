import { AudioError } from "./audio-error.ts";
import { parseWavFormat, type WavFormat } from "./wav-format.ts";

/** A WAV whose header is checked and whose samples are still encoded. */
export interface WavFile {
  readonly format: WavFormat;
  /** Samples per channel. */
  readonly frames: number;
  /** The encoded samples, `frames * format.frameBytes` bytes; a view into the parsed file. */
  readonly data: DataView;
}

interface Chunk {
  readonly id: string;
  readonly bodyStart: number;
  readonly sizeBytes: number;
}

/** Sizes that writers leave behind when they cannot seek back: ffmpeg and most others, then sox. */
const STREAMED_SIZES: ReadonlySet<number> = new Set([0xffff_ffff, 0x7fff_f000]);

/** First bytes of what people send by mistake. */
const LOOKALIKES: readonly (readonly [prefix: string, offset: number, name: string])[] = [
  ["ID3", 0, "an MP3"],
  ["\u00ff\u00fb", 0, "an MP3"],
  ["OggS", 0, "an Ogg file"],
  ["fLaC", 0, "a FLAC file"],
  ["ftyp", 4, "an MP4 or M4A file"],
  ["FORM", 0, "an AIFF file"],
  ["RIFX", 0, "a big-endian WAV"],
  ["riff", 0, "a Wave64 file"],
  ["\u001aE\u00df\u00a3", 0, "a WebM or Matroska file"],
  ["\u0089PNG", 0, "a PNG picture"],
  ["%PDF", 0, "a PDF"],
  ["PK\u0003\u0004", 0, "a ZIP archive"],
  ["<", 0, "a web page or XML"],
  ["{", 0, "JSON"],
];

const HOW_TO_CONVERT = "send a WAV, for example: ffmpeg -i IN -c:a pcm_s16le OUT.wav";

/**
 * Finds and checks the format and the samples of a WAV: RIFF, or RF64 and BW64, whose sizes are 64 bits wide.
 *
 * Chunks that are not needed are skipped with their pad byte. A size that a streaming writer left open means
 * "until the end of the file". Bytes after the last whole frame are ignored.
 *
 * @throws AudioError for everything that is not a complete WAV of PCM or float samples
 */
export function parseWav(bytes: Uint8Array): WavFile {
  if (bytes.length === 0) {
    throw new AudioError("AUDIO_EMPTY", "the file is empty; upload the recording again");
  }
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkSignature(file);
  let format: WavFormat | undefined;
  let data64Bytes: number | undefined;
  for (const chunk of chunks(file)) {
    if (chunk.id === "ds64") data64Bytes = dataSizeFromDs64(body(file, chunk));
    if (chunk.id === "fmt ") format = parseWavFormat(body(file, chunk));
    if (chunk.id === "data") return samplesOf(file, { ...chunk, data64Bytes, format });
  }
  const missing = format === undefined ? "neither a format nor samples" : "a format but no samples";
  throw new AudioError(
    "AUDIO_MALFORMED",
    `the WAV has ${missing}; the recording was cut short or never finished`,
  );
}

function checkSignature(file: DataView): void {
  const head = text(file, 0, Math.min(12, file.byteLength));
  const container = head.slice(0, 4);
  if (container === "RIFF" && head.length < 12) {
    throw new AudioError("AUDIO_TRUNCATED", `the WAV ends after ${head.length} bytes; upload the whole file`);
  }
  if (["RIFF", "RF64", "BW64"].includes(container) && head.slice(8) === "WAVE") return;
  const guess = LOOKALIKES.find(([prefix, offset]) => head.startsWith(prefix, offset));
  const looks = guess === undefined ? "it does not start like one" : `it looks like ${guess[2]}`;
  throw new AudioError("AUDIO_NOT_WAV", `the file is not a WAV: ${looks}; ${HOW_TO_CONVERT}`);
}

function* chunks(file: DataView): Generator<Chunk> {
  let offset = 12;
  while (offset + 8 <= file.byteLength) {
    const sizeBytes = file.getUint32(offset + 4, true);
    yield { id: text(file, offset, 4), bodyStart: offset + 8, sizeBytes };
    offset += 8 + sizeBytes + (sizeBytes % 2);
  }
}

function body(file: DataView, chunk: Chunk): DataView {
  const availableBytes = file.byteLength - chunk.bodyStart;
  if (chunk.sizeBytes > availableBytes) {
    throw new AudioError(
      "AUDIO_TRUNCATED",
      `the WAV ends inside its "${chunk.id.trim()}" chunk (${availableBytes} of ${chunk.sizeBytes} bytes are there); upload the whole file`,
    );
  }
  return new DataView(file.buffer, file.byteOffset + chunk.bodyStart, chunk.sizeBytes);
}

function dataSizeFromDs64(ds64: DataView): number {
  if (ds64.byteLength < 24) {
    throw new AudioError("AUDIO_MALFORMED", "the RF64 size chunk is too short; export the recording again");
  }
  return Number(ds64.getBigUint64(8, true));
}

interface DataChunk extends Chunk {
  readonly format: WavFormat | undefined;
  readonly data64Bytes: number | undefined;
}

function samplesOf(file: DataView, chunk: DataChunk): WavFile {
  const { format } = chunk;
  if (format === undefined) {
    throw new AudioError(
      "AUDIO_MALFORMED",
      "the WAV's samples come before its format; export the recording again",
    );
  }
  const availableBytes = file.byteLength - chunk.bodyStart;
  const sizeBytes = declaredSize(chunk, availableBytes);
  if (sizeBytes > availableBytes) throw truncated({ format, sizeBytes, availableBytes });
  const frames = Math.floor(sizeBytes / format.frameBytes);
  if (frames === 0) throw noSamples(sizeBytes, availableBytes);
  const data = new DataView(file.buffer, file.byteOffset + chunk.bodyStart, frames * format.frameBytes);
  return { format, frames, data };
}

function declaredSize(chunk: DataChunk, availableBytes: number): number {
  if (chunk.data64Bytes !== undefined && chunk.sizeBytes === 0xffff_ffff) return chunk.data64Bytes;
  return STREAMED_SIZES.has(chunk.sizeBytes) ? availableBytes : chunk.sizeBytes;
}

function truncated(found: { format: WavFormat; sizeBytes: number; availableBytes: number }): AudioError {
  const bytesPerSecond = found.format.frameBytes * found.format.sampleRateHz;
  const seconds = (bytes: number): string => (bytes / bytesPerSecond).toFixed(1);
  return new AudioError(
    "AUDIO_TRUNCATED",
    `the WAV promises ${found.sizeBytes} bytes of samples (${seconds(found.sizeBytes)} s) and holds ${found.availableBytes} (${seconds(found.availableBytes)} s); the upload was cut short, upload the whole file`,
  );
}

function noSamples(sizeBytes: number, availableBytes: number): AudioError {
  const unfinished = sizeBytes === 0 && availableBytes > 0;
  return new AudioError(
    unfinished ? "AUDIO_MALFORMED" : "AUDIO_EMPTY",
    unfinished
      ? `the WAV's header says 0 bytes of samples, though ${availableBytes} follow; the recorder never finished it, open and save it in an audio editor`
      : "the WAV holds no samples; record again",
  );
}

function text(file: DataView, start: number, length: number): string {
  return String.fromCharCode(...new Uint8Array(file.buffer, file.byteOffset + start, length));
}
