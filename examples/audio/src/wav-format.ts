import { AudioError } from "./audio-error.ts";
import { MAX_SAMPLE_RATE_HZ, MIN_SAMPLE_RATE_HZ } from "./limits.ts";

/** How one sample lies in the file. `u8` is the only unsigned form that WAV has. */
export type SampleEncoding = "u8" | "s16" | "s24" | "s32" | "f32" | "f64";

/** What a WAV's `fmt ` chunk says, checked. */
export interface WavFormat {
  readonly encoding: SampleEncoding;
  readonly channels: number;
  readonly sampleRateHz: number;
  /** Bytes of one frame: one sample of every channel. */
  readonly frameBytes: number;
}

const TAG_PCM = 0x0001;
const TAG_FLOAT = 0x0003;
const TAG_EXTENSIBLE = 0xfffe;

/** Bytes 2 to 15 of every WAVE_FORMAT_EXTENSIBLE sub-format that stands for a plain format tag. */
const SUBFORMAT_TAIL: readonly number[] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

const CODEC_NAMES: ReadonlyMap<number, string> = new Map([
  [0x0002, "Microsoft ADPCM"],
  [0x0006, "A-law"],
  [0x0007, "mu-law"],
  [0x0011, "IMA ADPCM"],
  [0x0031, "GSM 6.10"],
  [0x0050, "MPEG audio"],
  [0x0055, "MP3"],
  [0x00ff, "AAC"],
  [0x0161, "Windows Media Audio"],
  [0x2000, "AC-3"],
  [0xf1ac, "FLAC"],
]);

const INTEGER_ENCODINGS: readonly SampleEncoding[] = ["u8", "s16", "s24", "s32"];

/**
 * Reads the body of a `fmt ` chunk.
 *
 * @throws AudioError AUDIO_MALFORMED for fields that contradict each other, AUDIO_UNSUPPORTED for a codec
 *   that is not plain PCM or float
 */
export function parseWavFormat(body: DataView): WavFormat {
  if (body.byteLength < 16) {
    throw new AudioError(
      "AUDIO_MALFORMED",
      `the WAV's format chunk has ${body.byteLength} bytes where at least 16 belong; export the recording again`,
    );
  }
  const channels = body.getUint16(2, true);
  const sampleRateHz = body.getUint32(4, true);
  const frameBytes = body.getUint16(12, true);
  const bitsPerSample = body.getUint16(14, true);
  const tag = effectiveTag(body);
  if (channels === 0) {
    throw new AudioError("AUDIO_MALFORMED", "the WAV says it has 0 channels; export the recording again");
  }
  if (sampleRateHz < MIN_SAMPLE_RATE_HZ || sampleRateHz > MAX_SAMPLE_RATE_HZ) {
    throw new AudioError(
      "AUDIO_UNSUPPORTED",
      `the WAV says its sample rate is ${sampleRateHz} Hz; send one between ${MIN_SAMPLE_RATE_HZ} and ${MAX_SAMPLE_RATE_HZ} Hz`,
    );
  }
  const encoding = encodingOf(tag, bitsPerSample);
  const expectedFrameBytes = channels * bytesPerSample(encoding);
  if (frameBytes !== expectedFrameBytes) {
    throw new AudioError(
      "AUDIO_MALFORMED",
      `the WAV says ${frameBytes} bytes per frame, but ${channels} channel(s) of ${bitsPerSample} bits take ${expectedFrameBytes}; export the recording again`,
    );
  }
  return { encoding, channels, sampleRateHz, frameBytes };
}

/** Bytes that one sample of one channel takes. */
export function bytesPerSample(encoding: SampleEncoding): number {
  switch (encoding) {
    case "u8":
      return 1;
    case "s16":
      return 2;
    case "s24":
      return 3;
    case "s32":
    case "f32":
      return 4;
    case "f64":
      return 8;
  }
}

function effectiveTag(body: DataView): number {
  const tag = body.getUint16(0, true);
  if (tag !== TAG_EXTENSIBLE) return tag;
  if (body.byteLength < 40) {
    throw new AudioError(
      "AUDIO_MALFORMED",
      `the WAV's extensible format chunk has ${body.byteLength} bytes where 40 belong; export the recording again`,
    );
  }
  const isPlainTag = SUBFORMAT_TAIL.every((byte, index) => body.getUint8(26 + index) === byte);
  if (!isPlainTag) {
    throw new AudioError(
      "AUDIO_UNSUPPORTED",
      "the WAV holds a vendor's own format; send PCM, for example: ffmpeg -i IN -c:a pcm_s16le OUT.wav",
    );
  }
  return body.getUint16(24, true);
}

function encodingOf(tag: number, bitsPerSample: number): SampleEncoding {
  if (tag === TAG_PCM) return integerEncoding(bitsPerSample);
  if (tag === TAG_FLOAT) return floatEncoding(bitsPerSample);
  const hex = `0x${tag.toString(16).padStart(4, "0")}`;
  const codec = CODEC_NAMES.get(tag);
  throw new AudioError(
    "AUDIO_UNSUPPORTED",
    `the WAV is compressed with ${codec === undefined ? `codec ${hex}` : `${codec} (${hex})`}; send PCM or float, for example: ffmpeg -i IN -c:a pcm_s16le OUT.wav`,
  );
}

function integerEncoding(bitsPerSample: number): SampleEncoding {
  // Widths between the whole bytes (12, 20 ...) are stored left-justified in the next whole byte, so reading
  // the container gives the right amplitude.
  const encoding = bitsPerSample === 0 ? undefined : INTEGER_ENCODINGS[Math.ceil(bitsPerSample / 8) - 1];
  if (encoding !== undefined) return encoding;
  throw new AudioError(
    "AUDIO_UNSUPPORTED",
    `the WAV says ${bitsPerSample} bits per sample; send 8, 16, 24 or 32-bit PCM`,
  );
}

function floatEncoding(bitsPerSample: number): SampleEncoding {
  if (bitsPerSample === 32) return "f32";
  if (bitsPerSample === 64) return "f64";
  throw new AudioError(
    "AUDIO_UNSUPPORTED",
    `the WAV says ${bitsPerSample}-bit float samples; send 32 or 64-bit float, or 16-bit PCM`,
  );
}
