import type { Task, TaskState } from "../../domain/task.ts";

/** The database cannot be used, or holds something else than was expected. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code:
    | "CONFLICT"
    | "INVALID"
    | "SCHEMA_VERSION"
    | "OTHER_IDENTITY"
    | "CANNOT_OPEN"
    | "IN_USE"
    | "NOT_DURABLE"
    | "UNREADABLE";

  constructor(code: StoreError["code"], message: string, options?: ErrorOptions) {
    super(`[${code}] ${message}`, options);
    this.code = code;
  }

  /** A task is not in the state that it was last seen in. */
  static conflict(task: Task, from: TaskState["kind"] | "new"): StoreError {
    return new StoreError(
      "CONFLICT",
      `task ${task.id} is not stored in state "${from}", so it cannot become "${task.state.kind}"; see the error before this one, or whether another process uses this database`,
    );
  }
}
