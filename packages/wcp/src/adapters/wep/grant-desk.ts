import type { Logger } from "@subnet-worker/kit";
import type { Envelope } from "@subnet-worker/protocol";
import { ObjectKeyError, type ObjectRefusal, showName } from "../../domain/object-key.ts";
import { StorageError } from "../../storage-ports.ts";
import type { ActiveRun } from "./active-run.ts";
import {
  type GrantRequest,
  subjectOf,
  toDenial,
  toDownloadGrant,
  toMultipartGrant,
  toMultipartStep,
  toUploadGrant,
  toUploadWish,
} from "./grant-messages.ts";

/** What became of a WEP's requests for objects, for metrics. */
export type GrantEvent =
  | { readonly kind: "granted"; readonly what: "upload" | "download" | "multipart" }
  | { readonly kind: "refused"; readonly reason: ObjectRefusal }
  /** Storage itself was in trouble. */
  | { readonly kind: "failed" };

export interface GrantDeskDeps {
  readonly logger: Logger;
  readonly onEvent: (event: GrantEvent) => void;
}

/** Requests of one run that are being answered; a WEP asks for some parts ahead, not for all. */
const MOST_UNDER_WAY = 64;
/** Refusals of one run, and failures of storage, that are logged each; those after them are counted alone. */
const MOST_LOGGED = 100;

/** What a WEP says may be of any length; no id of ours is longer. */
const LONGEST_ID = 66;

const NO_ACCESS = "[STORAGE_UNAUTHENTICATED] the node has no access to storage at present; its log says why";

const KINDS = {
  uploadRequest: "upload",
  downloadRequest: "download",
  multipartRequest: "multipart",
} as const;

/** Answers what runs ask for: a grant, or a reason. Every request has one answer. */
export class GrantDesk {
  readonly #deps: GrantDeskDeps;
  /** Requests of this session that named no run that is here. */
  #strangers = 0;

  constructor(deps: GrantDeskDeps) {
    this.#deps = deps;
  }

  /** Another session begins: what nobody knows here is logged again. */
  newSession(): void {
    this.#strangers = 0;
  }

  /** `run`: the one that the request names, if it is under way where the request comes from. */
  async answer(request: GrantRequest, run: ActiveRun | undefined): Promise<Envelope> {
    const { activityId, runId } = request.value;
    if (run === undefined || (activityId !== "" && activityId !== run.assignment.task.id)) {
      return this.#refuse(request, undefined, noRun(runId));
    }
    if (run.requests >= MOST_UNDER_WAY) {
      const words = `the run has ${run.requests} requests for objects under way, which are not answered yet; ask again when they are`;
      return this.#refuse(request, run, new ObjectKeyError("too_many", words));
    }
    run.requests += 1;
    try {
      const answer = await grant(request, run);
      this.#deps.onEvent({ kind: "granted", what: KINDS[request.case] });
      return answer;
    } catch (error) {
      return this.#refuse(request, run, error);
    } finally {
      run.requests -= 1;
    }
  }

  #refuse(request: GrantRequest, run: ActiveRun | undefined, error: unknown): Envelope {
    const { activityId, runId } = request.value;
    const context = {
      activity_id: activityId.slice(0, LONGEST_ID),
      run_id: runId.slice(0, LONGEST_ID),
      object: showName(subjectOf(request)),
    };
    if (error instanceof ObjectKeyError) {
      const { reason, isRetryable, message } = error;
      this.#deps.onEvent({ kind: "refused", reason });
      this.#logRefusal(run, { ...context, request: KINDS[request.case], reason, error: message });
      return toDenial(request, { error: message, retryable: isRetryable });
    }
    this.#deps.onEvent({ kind: "failed" });
    this.#logFailure(run, { ...context, request: KINDS[request.case], err: error });
    if (error instanceof StorageError) {
      // The operator's settings and files are nothing to a partner's code.
      const words = error.code === "UNAUTHENTICATED" ? NO_ACCESS : error.message;
      return toDenial(request, { error: words, retryable: error.isRetryable });
    }
    return toDenial(request, { error: "the node could not answer; its log says why", retryable: true });
  }

  /** Bounded as well: a WEP can ask for what is not there, like parts of uploads that never were. */
  #logFailure(run: ActiveRun | undefined, line: Readonly<Record<string, unknown>>): void {
    if (run !== undefined && (run.failures += 1) > MOST_LOGGED) return;
    this.#deps.logger.warn(
      line,
      run?.failures === MOST_LOGGED
        ? "storage did not give what a run asked for, the last time that is logged of this run"
        : "storage did not give what a run asked for; the run is told, and may ask again (when it stays, check [storage] with wcp doctor)",
    );
  }

  #logRefusal(run: ActiveRun | undefined, line: Readonly<Record<string, unknown>>): void {
    const count = run === undefined ? (this.#strangers += 1) : (run.refusals += 1);
    if (count > MOST_LOGGED) return;
    this.#deps.logger.warn(
      line,
      count === MOST_LOGGED
        ? "request for an object refused, the last that is logged of these; wcp_storage_refusals_total counts on"
        : "request for an object refused",
    );
  }
}

async function grant(request: GrantRequest, { listener }: ActiveRun): Promise<Envelope> {
  const { requestId } = request.value;
  switch (request.case) {
    case "uploadRequest":
      return toUploadGrant(requestId, await listener.upload(toUploadWish(request.value)));
    case "downloadRequest": {
      const { objectKey } = request.value;
      return toDownloadGrant(requestId, objectKey, await listener.download(objectKey));
    }
    default: {
      const step = toMultipartStep(request.value);
      if (step === undefined) {
        throw new ObjectKeyError("bad_request", "the request has no step: create, part, complete or abort");
      }
      return toMultipartGrant(requestId, await listener.multipart(step));
    }
  }
}

function noRun(runId: string): ObjectKeyError {
  return new ObjectKeyError(
    "no_run",
    `run ${showName(runId)} is not assigned here, so it may not have objects`,
  );
}
