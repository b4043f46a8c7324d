/** The database cannot be used, or holds something else than was expected. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: "CONFLICT" | "SCHEMA_VERSION" | "OTHER_IDENTITY" | "CANNOT_OPEN" | "IN_USE";

  constructor(code: StoreError["code"], message: string, options?: ErrorOptions) {
    super(`[${code}] ${message}`, options);
    this.code = code;
  }
}
