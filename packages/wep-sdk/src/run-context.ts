import type { Logger } from "@subnet-worker/kit";
import type { TaskAssignment } from "@subnet-worker/protocol";
import type { RunContext } from "./context.ts";
import type { ProgressReporter } from "./progress.ts";
import type { ScratchDir } from "./scratch-dir.ts";
import { type UploadDeps, uploadObject } from "./upload.ts";
import type { InputValue } from "./values.ts";

export interface RunContextParts {
  readonly assignment: TaskAssignment;
  readonly workflowInput: Readonly<Record<string, InputValue>>;
  readonly log: Logger;
  readonly progress: ProgressReporter;
  readonly scratch: ScratchDir;
  readonly upload: UploadDeps;
}

/** What the handler of one run sees of it. */
export function createRunContext(parts: RunContextParts): RunContext {
  const { assignment, log, progress, scratch, upload } = parts;
  return Object.freeze({
    activityId: assignment.activityId,
    runId: assignment.runId,
    workflowInstanceId: assignment.workflowInstanceId,
    // Peers of 1.0.0 do not count attempts.
    attempt: Math.max(1, assignment.attempt),
    kind: assignment.taskKind,
    version: assignment.taskVersion,
    log,
    signal: upload.signal,
    deadlineMs: assignment.softDeadlineUnix > 0n ? Number(assignment.softDeadlineUnix) * 1_000 : undefined,
    workflowInput: parts.workflowInput,
    progress: (percent, message) => progress.report(percent, message),
    upload: (name, body, { mediaType }) => uploadObject({ assignment, name, body, mediaType }, upload),
    scratchDir: () => scratch.path(),
  } satisfies RunContext);
}
