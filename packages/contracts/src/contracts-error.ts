/** What a ContractsError is about. */
export type ContractsErrorCode =
  | "ANVIL_NOT_FOUND"
  | "ANVIL_PORT_TAKEN"
  | "ANVIL_EXITED"
  | "ANVIL_TIMEOUT"
  | "BAD_ANSWER"
  | "DEPLOY_REVERTED"
  | "DEPLOY_TIMEOUT";

/** Every error this package throws on purpose. The message starts with `[CODE]` and says what to do next. */
export class ContractsError extends Error {
  override readonly name = "ContractsError";
  readonly code: ContractsErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ContractsErrorCode,
    message: string,
    options: ErrorOptions & { readonly details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(`[${code}] ${message}`, options);
    this.code = code;
    this.details = options.details ?? {};
  }
}
