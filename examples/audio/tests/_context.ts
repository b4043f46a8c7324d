import {
  createInputFile,
  type InputFile,
  type RunContext,
  TASK_ERROR,
  TerminalError,
} from "@subnet-worker/wep-sdk";

/** An object in a storage that is only a map. */
interface StoredObject {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

export interface FakeRun {
  readonly ctx: RunContext;
  readonly uploads: Map<string, StoredObject>;
  readonly progress: { readonly percent: number; readonly message: string | undefined }[];
  /** Input file of an upload, or of bytes that are there already. */
  fileOf(objectKey: string): InputFile;
}

/** A run whose storage is a map and whose progress is a list. */
export function createFakeRun(
  options: { readonly signal?: AbortSignal; readonly onProgress?: () => void } = {},
): FakeRun {
  const uploads = new Map<string, StoredObject>();
  const progress: { percent: number; message: string | undefined }[] = [];
  const silentLog = {
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
    debug: () => undefined,
  };
  const ctx: RunContext = {
    activityId: "0xac",
    runId: "run-1",
    workflowInstanceId: "0xf1",
    attempt: 1,
    kind: "audio",
    version: "1.0.0",
    log: silentLog as unknown as RunContext["log"],
    signal: options.signal ?? new AbortController().signal,
    deadlineMs: undefined,
    deadline: undefined,
    checkpoint: undefined,
    metadata: {},
    workflowInput: {},
    progress(percent, message) {
      progress.push({ percent, message });
      options.onProgress?.();
      return Promise.resolve();
    },
    async upload(name, body, { mediaType }) {
      if (!(body instanceof Uint8Array)) throw new TypeError("the audio handlers upload bytes");
      uploads.set(`runs/1/${name}`, { bytes: body, mediaType });
      return { objectKey: `runs/1/${name}`, sizeBytes: body.byteLength };
    },
    scratchDir: () => Promise.reject(new Error("the audio handlers need no scratch directory")),
  };
  return {
    ctx,
    uploads,
    progress,
    fileOf: (objectKey) => inputFile(uploads.get(objectKey)?.bytes ?? new Uint8Array(), objectKey),
  };
}

/** A file as the SDK hands it to a handler; like there, `bytes` refuses what exceeds `maxBytes`. */
export function inputFile(content: Uint8Array, objectKey = "in/recording.wav"): InputFile {
  return createInputFile({
    name: "audio_object_key",
    mediaType: "audio/wav",
    objectKey,
    url: `https://storage.example/${objectKey}`,
    stream: () => ReadableStream.from([content]),
    async bytes({ maxBytes = Number.POSITIVE_INFINITY } = {}) {
      if (content.byteLength <= maxBytes) return content;
      throw new TerminalError(`[QUOTA_EXCEEDED] ${objectKey} has ${content.byteLength} bytes`, {
        code: TASK_ERROR.QUOTA_EXCEEDED,
      });
    },
    saveTo: () => Promise.reject(new Error("the audio handlers read into memory")),
  });
}
