import {
  type ActivityHandler,
  defineHandler,
  type InputFile,
  isTerminalError,
  type RunContext,
  TASK_ERROR,
  type TaskErrorCode,
  TerminalError,
} from "@subnet-worker/wep-sdk";

import {
  audioPreprocess,
  type AudioPreprocessInput,
  type AudioPreprocessOutput,
  audioValidate,
  type AudioValidateInput,
  type AudioValidateOutput,
} from "./audio.activity.ts";
import { AudioError, type AudioErrorCode } from "./audio-error.ts";
import { MAX_INPUT_BYTES } from "./limits.ts";
import { ABSOLUTE_GATE_LUFS } from "./loudness.ts";
import { preprocessRecording, type WorkOptions } from "./preprocess.ts";
import { measureRecording, pngSize } from "./validate.ts";
import { judge } from "./verdict.ts";
import { WAVEFORM_HEIGHT, WAVEFORM_WIDTH } from "./waveform-png.ts";

/** The waveform picture takes about 50 kB; what is far larger is something else. */
const MAX_PICTURE_BYTES = 4 * 1024 * 1024;

/** Cleans up a recording: mono, 16 kHz, no silence around it, an even level; and draws its waveform. */
export const preprocess: ActivityHandler<AudioPreprocessInput, AudioPreprocessOutput> = defineHandler(
  audioPreprocess,
  {
    run: (input, ctx) =>
      withClearErrors(async () => {
        ctx.progress(0, "downloading");
        const recording = await download(input.audio_object_key, {
          what: "recording",
          maxBytes: MAX_INPUT_BYTES,
        });
        const result = await preprocessRecording(recording, workOptions(ctx, { from: 5, to: 90 }));
        ctx.progress(92, "uploading");
        const [processed, waveform] = await Promise.all([
          ctx.upload("processed.wav", result.wav, { mediaType: "audio/wav" }),
          ctx.upload("waveform.png", result.waveformPng, { mediaType: "image/png" }),
        ]);
        ctx.progress(100, "done");
        ctx.log.info({ duration_ms: result.durationMs, gain_db: result.gainDb }, "recording preprocessed");
        return {
          processed_object_key: processed.objectKey,
          waveform_object_key: waveform.objectKey,
          sample_rate_hz: result.sampleRateHz,
          duration_ms: BigInt(result.durationMs),
          trimmed_ms: BigInt(result.trimmedMs),
          gain_millidb: Math.round(result.gainDb * 1000),
        };
      }),
  },
);

/** Measures what `audio.preprocess` made and says whether it is good enough. */
export const validate: ActivityHandler<AudioValidateInput, AudioValidateOutput> = defineHandler(
  audioValidate,
  {
    run: (input, ctx) =>
      withClearErrors(async () => {
        ctx.progress(0, "downloading");
        const [recording, picture] = await Promise.all([
          download(input.processed_object_key, {
            what: "processed recording",
            maxBytes: MAX_INPUT_BYTES,
          }),
          download(input.waveform_object_key, {
            what: "waveform picture",
            maxBytes: MAX_PICTURE_BYTES,
          }),
        ]);
        checkPicture(picture);
        const announced = { sampleRateHz: input.sample_rate_hz, durationMs: Number(input.duration_ms) };
        const measured = await measureRecording(recording, announced, workOptions(ctx, { from: 10, to: 95 }));
        const verdict = judge(measured);
        ctx.progress(100, verdict.verdict);
        ctx.log.info({ ...measured, accepted: verdict.accepted }, "recording validated");
        return {
          ...verdict,
          // -70000, the absolute gate, when there is no loudness to measure.
          integrated_millilufs: Math.round(Math.max(ABSOLUTE_GATE_LUFS, measured.integratedLufs) * 1000),
          clipped_ppm: Math.round(measured.clippedShare * 1_000_000),
          silence_ppm: Math.round(measured.silenceShare * 1_000_000),
          snr_millidb: Math.round(measured.snrDb * 1000),
        };
      }),
  },
);

function workOptions(ctx: RunContext, percent: { readonly from: number; readonly to: number }): WorkOptions {
  return {
    signal: ctx.signal,
    onProgress: (share, stage) => {
      void ctx.progress(percent.from + share * (percent.to - percent.from), stage);
    },
  };
}

interface Expectation {
  /** What it is, for people. */
  readonly what: string;
  readonly maxBytes: number;
}

async function download(file: InputFile, { what, maxBytes }: Expectation): Promise<Uint8Array> {
  try {
    return await file.bytes({ maxBytes });
  } catch (error) {
    if (!isTerminalError(error) || error.code !== TASK_ERROR.QUOTA_EXCEEDED) throw error;
    throw new AudioError(
      "AUDIO_TOO_LARGE",
      `the ${what} is larger than the limit of ${maxBytes / 1024 / 1024} MiB; split it, or send it with fewer channels or a lower sample rate`,
      { cause: error },
    );
  }
}

function checkPicture(picture: Uint8Array): void {
  const { width, height } = pngSize(picture);
  if (width === WAVEFORM_WIDTH && height === WAVEFORM_HEIGHT) return;
  throw new AudioError(
    "AUDIO_MISMATCH",
    `the waveform picture is ${width} x ${height}, not ${WAVEFORM_WIDTH} x ${WAVEFORM_HEIGHT}; run the preprocessing again`,
  );
}

const TASK_CODES: Readonly<Record<AudioErrorCode, TaskErrorCode>> = {
  AUDIO_EMPTY: TASK_ERROR.INVALID_FORMAT,
  AUDIO_NOT_WAV: TASK_ERROR.INVALID_FORMAT,
  AUDIO_MALFORMED: TASK_ERROR.INVALID_FORMAT,
  AUDIO_TRUNCATED: TASK_ERROR.INVALID_FORMAT,
  AUDIO_UNSUPPORTED: TASK_ERROR.INVALID_FORMAT,
  AUDIO_TOO_LARGE: TASK_ERROR.QUOTA_EXCEEDED,
  AUDIO_TOO_LONG: TASK_ERROR.QUOTA_EXCEEDED,
  AUDIO_TOO_SHORT: TASK_ERROR.INVALID_INPUT,
  AUDIO_SILENT: TASK_ERROR.INVALID_INPUT,
  AUDIO_MISMATCH: TASK_ERROR.INVALID_INPUT,
};

/** A recording that cannot be used stays so however often it is tried; everything else passes unchanged. */
async function withClearErrors<O>(work: () => Promise<O>): Promise<O> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AudioError)) throw error;
    throw new TerminalError(error.message, { code: TASK_CODES[error.code], cause: error });
  }
}
