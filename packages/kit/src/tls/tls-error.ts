/** What is wrong with a certificate, a key or an authority on disk. */
export type TlsErrorCode =
  | "TLS_FILE_MISSING"
  | "TLS_FILE_UNREADABLE"
  | "TLS_NOT_PEM"
  | "TLS_KEY_MISMATCH"
  | "TLS_EXPIRED"
  | "TLS_NOT_YET_VALID"
  | "TLS_NOT_A_CA";

/** Certificate files that cannot be used; the message says which, and what to do. */
export class TlsError extends Error {
  override readonly name = "TlsError";
  readonly code: TlsErrorCode;
  /** Absolute path, as configured. */
  readonly file: string;

  constructor(code: TlsErrorCode, file: string, message: string) {
    super(`[${code}] ${message}`);
    this.code = code;
    this.file = file;
  }
}
