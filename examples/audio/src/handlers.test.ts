import { readFile } from "node:fs/promises";

import { defineMiddleware, RetryableError, TASK_ERROR } from "@subnet-worker/wep-sdk";
import { runHandler, type TestContent, type TestRun } from "@subnet-worker/wep-sdk/testing";
import { decode } from "fast-png";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { joined, noise, silence, speechLike } from "../tests/_signals.ts";
import { buildWav } from "../tests/_wav.ts";
import { preprocess, validate } from "./handlers.ts";
import { parseWav } from "./wav.ts";

const RECORDING = new URL("../samples/recording.wav", import.meta.url);

function preprocessed(recording: Uint8Array) {
  return runHandler(preprocess, { inputs: { audio_object_key: recording } });
}

type Preprocessed = Awaited<ReturnType<typeof preprocessed>>;

interface Changes {
  readonly processed_object_key?: TestContent;
  readonly waveform_object_key?: TestContent;
  readonly sample_rate_hz?: number;
  readonly duration_ms?: bigint;
}

function validated({ outputs, uploads }: Preprocessed, changes: Changes = {}) {
  const files = {
    processed_object_key: bytesOf(uploads, "processed.wav"),
    waveform_object_key: bytesOf(uploads, "waveform.png"),
  };
  return runHandler(validate, { inputs: { ...outputs, ...files, ...changes } });
}

function bytesOf(uploads: TestRun["uploads"], name: string): Uint8Array {
  return uploads.get(name)?.bytes ?? new Uint8Array();
}

describe("the shipped recording", () => {
  it("is preprocessed into a mono 16 kHz WAV and a picture, and is accepted", async () => {
    const run = await preprocessed(await readFile(RECORDING));
    expect(run.outputs).toEqual({
      processed_object_key: run.uploads.get("processed.wav")?.objectKey,
      waveform_object_key: run.uploads.get("waveform.png")?.objectKey,
      sample_rate_hz: 16_000,
      duration_ms: 5740n,
      trimmed_ms: 2210n,
      gain_millidb: 7799,
    });
    const wav = run.uploads.get("processed.wav");
    expect(wav?.mediaType).toBe("audio/wav");
    const { format, frames } = parseWav(wav?.bytes ?? new Uint8Array());
    expect(format).toEqual({ encoding: "s16", channels: 1, sampleRateHz: 16_000, frameBytes: 2 });
    expect(BigInt(Math.round(frames / 16))).toBe(run.outputs.duration_ms);
    const png = run.uploads.get("waveform.png");
    expect(png?.mediaType).toBe("image/png");
    expect(decode(png?.bytes ?? new Uint8Array())).toMatchObject({ width: 1200, height: 300 });

    const { outputs: verdict } = await validated(run);
    expect(verdict).toMatchObject({ accepted: true, clipped_ppm: 0 });
    expect(verdict.verdict).toMatch(/^Accepted: /);
    // ffmpeg's ebur128 filter reads -22.1 LUFS.
    expect(verdict.integrated_millilufs).toBeGreaterThan(-22_150);
    expect(verdict.integrated_millilufs).toBeLessThan(-22_050);
  });

  it("gives the same bytes on every worker", async () => {
    const recording = await readFile(RECORDING);
    const [first, second] = [await preprocessed(recording), await preprocessed(recording)];
    expect(first.outputs).toEqual(second.outputs);
    for (const name of ["processed.wav", "waveform.png"])
      expect(bytesOf(first.uploads, name)).toEqual(bytesOf(second.uploads, name));
  });

  it("reports growing progress with the stage it is in", async () => {
    const run = await preprocessed(await readFile(RECORDING));
    const percents = run.progress.map(({ percent }) => percent);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    expect(percents[0]).toBe(0);
    expect(percents.at(-1)).toBe(100);
    const stages = new Set(run.progress.map(({ message }) => message));
    expect([...stages]).toEqual([
      "downloading",
      "downmixing and resampling",
      "trimming silence",
      "normalising",
      "drawing the waveform",
      "processed",
      "uploading",
      "done",
    ]);
  });
});

describe("audio.preprocess", () => {
  const speech = joined(silence(8000), speechLike({ durationS: 2, peak: 0.4 }), silence(8000));

  it.each([
    {
      what: "an empty file",
      recording: new Uint8Array(),
      message: "[AUDIO_EMPTY] the file is empty; upload the recording again",
      code: TASK_ERROR.INVALID_FORMAT,
    },
    {
      what: "a text file",
      recording: Buffer.from("this is not audio at all"),
      message: "[AUDIO_NOT_WAV] the file is not a WAV",
      code: TASK_ERROR.INVALID_FORMAT,
    },
    {
      what: "a truncated file",
      recording: buildWav({ channels: [speech] }).subarray(0, 16_044),
      message: "[AUDIO_TRUNCATED] the WAV promises 96000 bytes of samples (3.0 s) and holds 16000 (0.5 s)",
      code: TASK_ERROR.INVALID_FORMAT,
    },
    {
      what: "a silent recording",
      recording: buildWav({ channels: [silence(16_000)] }),
      message: "[AUDIO_SILENT] the recording is silent: every sample is zero",
      code: TASK_ERROR.INVALID_INPUT,
    },
    {
      what: "a recording of faint hiss",
      recording: buildWav({ channels: [noise({ frames: 16_000, rms: 0.0003 })] }),
      message: "[AUDIO_SILENT] the recording is silent: its loudest 20 ms lie at -70 dBFS",
      code: TASK_ERROR.INVALID_INPUT,
    },
    {
      what: "a recording of 399 ms",
      recording: buildWav({ channels: [speech.subarray(0, 6384)] }),
      message: "[AUDIO_TOO_SHORT] the recording lasts 399 ms; send at least 400 ms",
      code: TASK_ERROR.INVALID_INPUT,
    },
    {
      what: "a recording of 31 minutes",
      recording: buildWav({ sampleRateHz: 4000, encoding: "u8", channels: [silence(4000 * 60 * 31)] }),
      message: "[AUDIO_TOO_LONG] the recording lasts 31.0 minutes; the limit is 30, split it",
      code: TASK_ERROR.QUOTA_EXCEEDED,
    },
    {
      what: "a file of 200 MB",
      recording: new Uint8Array(200_000_000),
      message: "[AUDIO_TOO_LARGE] the recording is larger than the limit of 64 MiB; split it",
      code: TASK_ERROR.QUOTA_EXCEEDED,
    },
  ])("refuses $what for good and says why", async ({ recording, message, code }) => {
    const { error } = await preprocessed(recording);
    expect(error?.message).toContain(message);
    expect(error).toMatchObject({ code, retryable: false });
  });

  it("refuses an input that is no file", async () => {
    const { error } = await runHandler(preprocess, { inputs: { audio_object_key: 7 } as never });
    expect(error?.message).toContain('input "audio_object_key": expected an object in storage');
  });

  it("passes on a failure of the network, which a retry may cure", async () => {
    const away = () => Promise.reject(new RetryableError("storage is away"));
    const use = [defineMiddleware((_, next) => next({ audio_object_key: { bytes: away } }))];
    const { error } = await runHandler(preprocess, { inputs: { audio_object_key: "" }, use });
    expect(error).toMatchObject({ message: "storage is away", retryable: true });
  });

  it("uploads nothing once it is cancelled", async () => {
    const recording = buildWav({ sampleRateHz: 44_100, channels: [noise({ frames: 44_100 * 5, rms: 0.1 })] });
    const running = preprocessed(recording);
    await running.progressed(3);
    running.cancel();
    const { error, uploads } = await running;
    expect(error?.code).toBe(TASK_ERROR.CANCELLED_BY_USER);
    expect(uploads.size).toBe(0);
  });

  it("takes eight channels of 96 kHz float", async () => {
    const channel = noise({ frames: 96_000, rms: 0.1 });
    const recording = buildWav({
      encoding: "f32",
      sampleRateHz: 96_000,
      channels: Array.from({ length: 8 }, () => channel),
    });
    const { outputs } = await preprocessed(recording);
    expect(outputs).toMatchObject({ sample_rate_hz: 16_000, duration_ms: 1000n });
  });

  it("answers any bytes with a result or a TerminalError", async () => {
    const anyHeader = fc.record({
      encoding: fc.constantFrom(
        "u8" as const,
        "s16" as const,
        "s24" as const,
        "s32" as const,
        "f32" as const,
        "f64" as const,
      ),
      sampleRateHz: fc.integer({ min: 4000, max: 384_000 }),
      extensible: fc.boolean(),
    });
    const garbageSamples = fc
      .tuple(anyHeader, fc.uint8Array({ maxLength: 4000 }), fc.integer({ min: 1, max: 3 }))
      .map(([spec, garbage, channels]) => {
        const header = buildWav({
          ...spec,
          channels: Array.from({ length: channels }, () => []),
          lie: { dataBytes: garbage.length },
        });
        return new Uint8Array(Buffer.concat([header, garbage]));
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 500 }), garbageSamples), async (bytes) => {
        const { error } = await preprocessed(bytes);
        expect(error?.retryable ?? false).toBe(false);
        expect(error?.code).not.toBe(TASK_ERROR.EXECUTION_FAILED);
      }),
      { numRuns: 500 },
    );
  });
});

describe("audio.validate", () => {
  const RATE = 16_000;

  async function validateSpeech(samples: Float32Array, changes: (run: Preprocessed) => Changes = () => ({})) {
    const run = await preprocessed(buildWav({ channels: [samples] }));
    return await validated(run, changes(run));
  }

  const speech = speechLike({ durationS: 5, peak: 0.4 });

  it("rejects a recording drowned in noise and says so", async () => {
    const noisy = speech.map((sample, index) => sample + (background[index] ?? 0));
    const { outputs: result } = await validateSpeech(noisy);
    expect(result.accepted).toBe(false);
    expect(result.verdict).toMatch(/only \d+\.\d dB above the noise/);
    expect(result.snr_millidb).toBeLessThan(15_000);
  });
  const background = noise({ frames: speech.length, rms: 0.1 });

  it("rejects a clipped recording and says so", async () => {
    const clipped = speech.map((sample) => Math.max(-0.1, Math.min(0.1, sample)));
    const { outputs: result } = await validateSpeech(clipped);
    expect(result.accepted).toBe(false);
    expect(result.verdict).toContain("clipped on");
    expect(result.clipped_ppm).toBeGreaterThan(100_000);
  });

  it("rejects a recording that is mostly silence", async () => {
    const { outputs: result } = await validateSpeech(
      joined(speech.subarray(0, 8000), silence(RATE * 5), speech.subarray(0, 8000)),
    );
    expect(result).toMatchObject({ accepted: false });
    expect(result.silence_ppm).toBeGreaterThan(800_000);
  });

  it("refuses a recording that is not the announced one", async () => {
    const { error } = await validateSpeech(speech, () => ({ duration_ms: 4000n }));
    expect(error?.message).toContain("[AUDIO_MISMATCH]");
    expect(error?.message).toContain("announced were 4000 ms at 16000 Hz");
    const other = await validateSpeech(speech, () => ({ sample_rate_hz: 8000 }));
    expect(other.error).toMatchObject({ retryable: false });
  });

  it("refuses a picture that is none, or of another size", async () => {
    const text = "not a picture, though long enough for one";
    const { error } = await validateSpeech(speech, () => ({ waveform_object_key: text }));
    expect(error?.message).toContain("[AUDIO_MISMATCH] the waveform is not a PNG picture");
    const wrongSize = await validateSpeech(speech, ({ uploads }) => {
      const png = new Uint8Array(bytesOf(uploads, "waveform.png"));
      new DataView(png.buffer).setUint32(16, 5);
      return { waveform_object_key: png };
    });
    expect(wrongSize.error?.message).toContain("the waveform picture is 5 x 300, not 1200 x 300");
  });

  it("stops when it is cancelled", async () => {
    const run = await preprocessed(buildWav({ channels: [speech] }));
    const running = validated(run);
    running.cancel();
    expect((await running).error?.code).toBe(TASK_ERROR.CANCELLED_BY_USER);
  });

  it("answers any bytes with a result or an error that names the reason", async () => {
    const run = await preprocessed(buildWav({ channels: [speech] }));
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, isPicture) => {
        const changes = isPicture ? { waveform_object_key: bytes } : { processed_object_key: bytes };
        const { error } = await validated(run, changes);
        expect(error).toMatchObject({ retryable: false });
        expect(error?.code).not.toBe(TASK_ERROR.EXECUTION_FAILED);
      }),
    );
  });
});
