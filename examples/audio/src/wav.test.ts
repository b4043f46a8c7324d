import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { buildWav, type WavSpec } from "../tests/_wav.ts";
import { AudioError } from "./audio-error.ts";
import { createMonoSource } from "./mono-source.ts";
import { encodeWav16 } from "./wav-encode.ts";
import type { SampleEncoding } from "./wav-format.ts";
import { parseWav } from "./wav.ts";

const HALF: WavSpec = { channels: [[0.5, -0.5, 0.25, 0]] };

function decode(bytes: Uint8Array): number[] {
  const source = createMonoSource(parseWav(bytes));
  const samples = new Float32Array(source.frames);
  source.read(0, samples);
  return [...samples];
}

function refusal(bytes: Uint8Array): string {
  try {
    decode(bytes);
  } catch (error) {
    if (error instanceof AudioError) return error.message;
    throw error;
  }
  throw new Error("the file was accepted");
}

/** The largest rounding error of an encoding, plus that of the 32-bit floats that samples are read into. */
const STEP: Record<SampleEncoding, number> = {
  u8: 2 ** -7,
  s16: 2 ** -15,
  s24: 2 ** -23,
  s32: 2 ** -23,
  f32: 2 ** -23,
  f64: 2 ** -23,
};
const anyEncoding = fc.constantFrom<SampleEncoding>("u8", "s16", "s24", "s32", "f32", "f64");
const anySample = fc.double({ min: -1, max: 0.99, noNaN: true });

describe("decoding a WAV", () => {
  it("gives back the samples of every encoding, container and channel count", () => {
    const anyWav = fc
      .record({
        encoding: anyEncoding,
        extensible: fc.boolean(),
        container: fc.constantFrom("RIFF" as const, "RF64" as const, "BW64" as const),
        sampleRateHz: fc.integer({ min: 4000, max: 384_000 }),
        channelCount: fc.integer({ min: 1, max: 9 }),
        frames: fc.integer({ min: 1, max: 40 }),
        extraChunks: fc.array(
          fc.record({ id: fc.constantFrom("LIST", "bext", "JUNK"), body: fc.uint8Array({ maxLength: 9 }) }),
          { maxLength: 3 },
        ),
      })
      .chain((shape) =>
        fc
          .array(fc.array(anySample, { minLength: shape.frames, maxLength: shape.frames }), {
            minLength: shape.channelCount,
            maxLength: shape.channelCount,
          })
          .map((channels) => ({ ...shape, channels })),
      );
    fc.assert(
      fc.property(anyWav, (spec) => {
        const bytes = buildWav(spec);
        const parsed = parseWav(bytes);
        expect(parsed.format).toMatchObject({
          encoding: spec.encoding,
          channels: spec.channels.length,
          sampleRateHz: spec.sampleRateHz,
        });
        const samples = decode(bytes);
        expect(samples).toHaveLength(spec.frames);
        for (const [frame, sample] of samples.entries()) {
          const mean =
            spec.channels.reduce((sum, channel) => sum + (channel[frame] ?? 0), 0) / spec.channels.length;
          expect(Math.abs(sample - mean)).toBeLessThanOrEqual(STEP[spec.encoding]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("gives back exactly what encodeWav16 wrote", () => {
    fc.assert(
      fc.property(
        fc.int16Array({ minLength: 1 }),
        fc.integer({ min: 4000, max: 384_000 }),
        (samples, sampleRateHz) => {
          const bytes = encodeWav16(samples, sampleRateHz);
          expect(parseWav(bytes).format.sampleRateHz).toBe(sampleRateHz);
          expect(decode(bytes).map((sample) => sample * 32_768)).toEqual([...samples]);
        },
      ),
    );
  });

  it("reads files that do not start at the beginning of their buffer", () => {
    const shifted = new Uint8Array(Buffer.concat([Buffer.from("abc"), buildWav(HALF)])).subarray(3);
    expect(decode(shifted)).toEqual([0.5, -0.5, 0.25, 0]);
  });

  it("reads zeros before the first and after the last frame", () => {
    const source = createMonoSource(parseWav(buildWav(HALF)));
    const around = new Float32Array(8).fill(9);
    source.read(-2, around);
    expect([...around]).toEqual([0, 0, 0.5, -0.5, 0.25, 0, 0, 0]);
    source.read(1000, around);
    expect([...around]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    source.read(-1000, around);
    expect([...around]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it.each([0xffff_ffff, 0x7fff_f000])(
    "reads to the end when a streaming writer left the size at %i",
    (dataBytes) => {
      expect(decode(buildWav({ ...HALF, lie: { dataBytes } }))).toEqual([0.5, -0.5, 0.25, 0]);
    },
  );

  it("takes odd bit depths for the whole bytes they are stored in", () => {
    expect(decode(buildWav({ ...HALF, lie: { bitsPerSample: 12 } }))).toEqual([0.5, -0.5, 0.25, 0]);
  });

  it("ignores a part of a frame at the end", () => {
    const bytes = buildWav({
      encoding: "u8",
      channels: [
        [0.5, 0],
        [0.5, 0],
      ],
      lie: { dataBytes: 3 },
    });
    expect(decode(bytes)).toEqual([0.5]);
  });
});

describe("refusing what is not a usable WAV", () => {
  it.each<[string, Uint8Array, string]>([
    ["an empty file", new Uint8Array(), "[AUDIO_EMPTY] the file is empty"],
    [
      "a text",
      Buffer.from("hello, this is not audio"),
      "[AUDIO_NOT_WAV] the file is not a WAV: it does not start like one",
    ],
    ["an MP3 with a tag", Buffer.from("ID3\u0004 and so on, and so on"), "it looks like an MP3"],
    ["a bare MP3", Buffer.from([0xff, 0xfb, 0x90, 0x64, 0, 0, 0, 0, 0, 0, 0, 0]), "it looks like an MP3"],
    ["an Ogg file", Buffer.from("OggS\u0000\u0002 and so on"), "it looks like an Ogg file"],
    ["an M4A", Buffer.from("\0\0\0\u0020ftypM4A \0\0"), "it looks like an MP4 or M4A file"],
    ["a web page", Buffer.from("<!doctype html><title>404"), "it looks like a web page or XML"],
    ["another RIFF file", Buffer.from("RIFF\u0010\0\0\0AVI LIST\0\0\0\0"), "[AUDIO_NOT_WAV]"],
    ["a few bytes of a WAV", buildWav(HALF).subarray(0, 7), "[AUDIO_TRUNCATED] the WAV ends after 7 bytes"],
    [
      "only the header",
      buildWav(HALF).subarray(0, 12),
      "[AUDIO_MALFORMED] the WAV has neither a format nor samples",
    ],
    [
      "half a format chunk",
      buildWav(HALF).subarray(0, 30),
      '[AUDIO_TRUNCATED] the WAV ends inside its "fmt" chunk (10 of 16',
    ],
    [
      "a format and no samples",
      buildWav(HALF).subarray(0, 36),
      "[AUDIO_MALFORMED] the WAV has a format but no samples",
    ],
    [
      "half the samples",
      buildWav(HALF).subarray(0, 48),
      "[AUDIO_TRUNCATED] the WAV promises 8 bytes of samples (0.0 s) and holds 4",
    ],
    ["no samples", buildWav({ channels: [[]] }), "[AUDIO_EMPTY] the WAV holds no samples"],
    [
      "an unfinished recording",
      buildWav({ ...HALF, lie: { dataBytes: 0 } }),
      "8 follow; the recorder never finished it",
    ],
    [
      "zero channels",
      buildWav({ ...HALF, lie: { channels: 0 } }),
      "[AUDIO_MALFORMED] the WAV says it has 0 channels",
    ],
    [
      "a rate of 0",
      buildWav({ ...HALF, lie: { sampleRateHz: 0 } }),
      "[AUDIO_UNSUPPORTED] the WAV says its sample rate is 0 Hz",
    ],
    [
      "a rate of 4 GHz",
      buildWav({ ...HALF, lie: { sampleRateHz: 4e9 } }),
      "sample rate is 4000000000 Hz; send one between",
    ],
    [
      "MP3 inside",
      buildWav({ ...HALF, lie: { tag: 0x55 } }),
      "[AUDIO_UNSUPPORTED] the WAV is compressed with MP3 (0x0055); send PCM",
    ],
    ["ADPCM inside", buildWav({ ...HALF, lie: { tag: 0x11 } }), "compressed with IMA ADPCM (0x0011)"],
    ["an unknown codec", buildWav({ ...HALF, lie: { tag: 0x4242 } }), "compressed with codec 0x4242"],
    [
      "a codec behind the extensible tag",
      buildWav({ ...HALF, extensible: true, lie: { tag: 2 } }),
      "Microsoft ADPCM (0x0002)",
    ],
    [
      "64-bit integers",
      buildWav({ ...HALF, lie: { bitsPerSample: 64 } }),
      "[AUDIO_UNSUPPORTED] the WAV says 64 bits per sample",
    ],
    [
      "0-bit integers",
      buildWav({ ...HALF, lie: { bitsPerSample: 0 } }),
      "[AUDIO_UNSUPPORTED] the WAV says 0 bits per sample",
    ],
    [
      "16-bit float",
      buildWav({ ...HALF, lie: { tag: 3 } }),
      "[AUDIO_UNSUPPORTED] the WAV says 16-bit float samples",
    ],
    [
      "a frame size that cannot be",
      buildWav({ ...HALF, lie: { frameBytes: 3 } }),
      "[AUDIO_MALFORMED] the WAV says 3 bytes per frame, but 1 channel(s) of 16 bits take 2",
    ],
    [
      "float samples that are no numbers",
      buildWav({ encoding: "f32", channels: [[0, Number.NaN]] }),
      "[AUDIO_MALFORMED] sample 1 of the WAV is NaN",
    ],
    [
      "infinite float samples",
      buildWav({ encoding: "f64", channels: [[Number.POSITIVE_INFINITY]] }),
      "sample 0 of the WAV is Infinity",
    ],
  ])("refuses %s", (_, bytes, message) => {
    expect(refusal(bytes)).toContain(message);
  });

  it("refuses a vendor's own extensible format", () => {
    const bytes = buildWav({ ...HALF, extensible: true });
    bytes.fill(0xab, 12 + 8 + 26, 12 + 8 + 40);
    expect(refusal(bytes)).toContain("[AUDIO_UNSUPPORTED] the WAV holds a vendor's own format");
  });

  it("refuses samples that come before their format", () => {
    const bytes = Buffer.concat([Buffer.from("RIFF\u0010\0\0\0WAVEdata\u0004\0\0\0"), Buffer.alloc(4)]);
    expect(refusal(bytes)).toContain("[AUDIO_MALFORMED] the WAV's samples come before its format");
  });

  it("refuses an RF64 whose 64-bit size is more than is there", () => {
    const bytes = buildWav({ ...HALF, container: "RF64" });
    new DataView(bytes.buffer).setBigUint64(28, 2n ** 60n, true);
    expect(refusal(bytes)).toContain("[AUDIO_TRUNCATED]");
  });

  it("answers any bytes with samples or an AudioError", () => {
    const mutated = fc
      .tuple(
        fc.constantFrom(
          buildWav(HALF),
          buildWav({ ...HALF, extensible: true }),
          buildWav({ ...HALF, container: "RF64" }),
        ),
        fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 6 }),
        fc.nat(100),
      )
      .map(([bytes, edits, length]) => {
        const copy = bytes.slice(0, length);
        for (const [offset, value] of edits) if (offset < copy.length) copy[offset] = value;
        return copy;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (bytes) => {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(AudioError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
