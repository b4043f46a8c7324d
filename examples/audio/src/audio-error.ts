/** What can be wrong with a recording. The code opens the message, so it survives every hop to the requester. */
export type AudioErrorCode =
  | "AUDIO_EMPTY"
  | "AUDIO_NOT_WAV"
  | "AUDIO_MALFORMED"
  | "AUDIO_TRUNCATED"
  | "AUDIO_UNSUPPORTED"
  | "AUDIO_TOO_LARGE"
  | "AUDIO_TOO_LONG"
  | "AUDIO_TOO_SHORT"
  | "AUDIO_SILENT"
  | "AUDIO_MISMATCH";

/**
 * A recording that no retry will make usable. The message says what is wrong and what to send instead.
 *
 * The signal processing throws this and knows nothing of the SDK; the handlers turn it into a `TerminalError`.
 */
export class AudioError extends Error {
  override readonly name = "AudioError";
  readonly code: AudioErrorCode;

  constructor(code: AudioErrorCode, message: string, options?: ErrorOptions) {
    super(`[${code}] ${message}`, options);
    this.code = code;
  }
}
