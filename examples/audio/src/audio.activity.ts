// Types of the activities in ../../../activity-specs/audio.yaml, written by this command, run in this directory:
//   wep spec types ../../../activity-specs/audio.yaml --out audio.activity.ts
// Change the spec, not this file.
/* eslint-disable */

import { type Activity, defineActivity, type InputFile, type ObjectOutput } from "@subnet-worker/wep-sdk";

/** What audio_preprocess is given. */
export interface AudioPreprocessInput {
  /** The recording, a WAV file. An object in storage, audio/wav. */
  readonly audio_object_key: InputFile;
}

/** What audio_preprocess returns. */
export interface AudioPreprocessOutput {
  /** The processed recording, mono at sample_rate_hz. An object in storage, audio/wav. */
  readonly processed_object_key: ObjectOutput;
  /** A picture of the processed recording's waveform. An object in storage, image/png. */
  readonly waveform_object_key: ObjectOutput;
  /** Sample rate of the processed recording. `uint32`. */
  readonly sample_rate_hz: number;
  /** Length of the processed recording. `uint64`. */
  readonly duration_ms: number | bigint;
  /** Length of the silence removed at both ends together. `uint64`. */
  readonly trimmed_ms: number | bigint;
  /** Gain applied to normalise, in thousandths of a decibel. `int32`. */
  readonly gain_millidb: number;
}

/**
 * Preprocess: Downmixes to mono, resamples to 16 kHz, trims silence at both ends,
 * normalises, and draws the waveform.
 */
export const audioPreprocess: Activity<AudioPreprocessInput, AudioPreprocessOutput> = defineActivity({
  kind: "audio.preprocess",
  version: "1.0.0",
  class: "cpu",
  inputs: [{ name: "audio_object_key", type: "string", isObjectKey: true, mediaType: "audio/wav" }],
  outputs: [
    { name: "processed_object_key", type: "string", isObjectKey: true, mediaType: "audio/wav" },
    { name: "waveform_object_key", type: "string", isObjectKey: true, mediaType: "image/png" },
    { name: "sample_rate_hz", type: "uint32" },
    { name: "duration_ms", type: "uint64" },
    { name: "trimmed_ms", type: "uint64" },
    { name: "gain_millidb", type: "int32" },
  ],
});

/** What audio_validate is given. */
export interface AudioValidateInput {
  /** The processed recording, mono at sample_rate_hz. An object in storage, audio/wav. */
  readonly processed_object_key: InputFile;
  /** A picture of the processed recording's waveform. An object in storage, image/png. */
  readonly waveform_object_key: InputFile;
  /** Sample rate of the processed recording. `uint32`. */
  readonly sample_rate_hz: number;
  /** Length of the processed recording. `uint64`. */
  readonly duration_ms: bigint;
  /** Length of the silence removed at both ends together. `uint64`. */
  readonly trimmed_ms: bigint;
  /** Gain applied to normalise, in thousandths of a decibel. `int32`. */
  readonly gain_millidb: number;
}

/** What audio_validate returns. */
export interface AudioValidateOutput {
  /** Whether the recording may be published. `bool`. */
  readonly accepted: boolean;
  /** Why, in one sentence. `string`. */
  readonly verdict: string;
  /** Integrated loudness by ITU-R BS.1770, in thousandths of a LUFS. `int32`. */
  readonly integrated_millilufs: number;
  /** Clipped samples per million. `uint32`. */
  readonly clipped_ppm: number;
  /** Share of the recording that is silence, per million. `uint32`. */
  readonly silence_ppm: number;
  /** Estimated signal-to-noise ratio, in thousandths of a decibel. `int32`. */
  readonly snr_millidb: number;
}

/** Validate: Measures the processed recording and gives a verdict. */
export const audioValidate: Activity<AudioValidateInput, AudioValidateOutput> = defineActivity({
  kind: "audio.validate",
  version: "1.0.0",
  class: "cpu",
  inputs: [
    { name: "processed_object_key", type: "string", isObjectKey: true, mediaType: "audio/wav" },
    { name: "waveform_object_key", type: "string", isObjectKey: true, mediaType: "image/png" },
    { name: "sample_rate_hz", type: "uint32" },
    { name: "duration_ms", type: "uint64" },
    { name: "trimmed_ms", type: "uint64" },
    { name: "gain_millidb", type: "int32" },
  ],
  outputs: [
    { name: "accepted", type: "bool" },
    { name: "verdict", type: "string" },
    { name: "integrated_millilufs", type: "int32" },
    { name: "clipped_ppm", type: "uint32" },
    { name: "silence_ppm", type: "uint32" },
    { name: "snr_millidb", type: "int32" },
  ],
});
