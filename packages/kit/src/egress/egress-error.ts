/** Why a request of an untrusted program was not made, or came to nothing. */
export type EgressErrorCode =
  /** A URL, a header or a method that is none. */
  | "BAD_REQUEST"
  | "SCHEME_REFUSED"
  | "METHOD_REFUSED"
  /** The host is not on the list. */
  | "HOST_REFUSED"
  | "PORT_REFUSED"
  /** The host is, and its address is one that programs may not reach. */
  | "ADDRESS_REFUSED"
  | "NAME_NOT_FOUND"
  | "CONNECT_FAILED"
  | "TOO_MANY_REDIRECTS"
  | "REQUEST_TOO_LARGE"
  | "RESPONSE_TOO_LARGE"
  /** What came is no HTTP, or ended early. */
  | "BAD_RESPONSE"
  | "TIMED_OUT"
  | "CANCELLED";

/** The same request may succeed when it is sent again. */
const RETRYABLE: ReadonlySet<EgressErrorCode> = new Set([
  "NAME_NOT_FOUND",
  "CONNECT_FAILED",
  "BAD_RESPONSE",
  "TIMED_OUT",
]);

/** What `Egress.send` rejects with. The message starts with the code and says what to do next. */
export class EgressError extends Error {
  override readonly name = "EgressError";
  /** What kind of reason it was. */
  readonly code: EgressErrorCode;
  /** Whether the same request may succeed when it is sent again. */
  readonly isRetryable: boolean;
  /** The URL that it was about, without what follows `?`: after a redirect the last one. */
  readonly url: string;

  constructor(
    code: EgressErrorCode,
    about: { readonly url: string; readonly message: string; readonly cause?: unknown },
  ) {
    super(`[EGRESS_${code}] ${about.message}`, { cause: about.cause });
    this.code = code;
    this.isRetryable = RETRYABLE.has(code);
    this.url = about.url;
  }
}
