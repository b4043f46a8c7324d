/** A key or a password that cannot be used. No message contains either. */
export class KeystoreError extends Error {
  override readonly name = "KeystoreError";
  readonly code: "CANNOT_READ" | "CANNOT_WRITE" | "NO_KEYSTORE" | "NO_PASSWORD" | "WRONG_PASSWORD" | "NO_KEY";

  constructor(code: KeystoreError["code"], message: string) {
    super(`[${code}] ${message}`);
    this.code = code;
  }
}
