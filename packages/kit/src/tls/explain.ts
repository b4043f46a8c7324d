/** Why a certificate of the other side is refused, by OpenSSL's code for it. */
const CERTIFICATE_REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet; compare the clocks of the two machines",
  CERT_REVOKED: "its certificate was revoked",
  INVALID_PURPOSE: "its certificate is not for this side of a connection (extended key usage)",
  CERT_SIGNATURE_FAILURE: "wrong CA: its certificate was not signed by the authority it names",
};

const WRONG_CA = "wrong CA: its certificate was signed by none of the authorities in ";

/** Why the other side's certificate is not accepted. `caFile` is where our authorities stand. */
export function explainCertificate(code: string, caFile: string): string {
  const reason = CERTIFICATE_REASONS[code];
  if (reason !== undefined) return reason;
  // Self-signed, issuer not found, and the like: all say that none of ours signed it.
  if (/SELF_SIGNED|ISSUER|VERIFY|INVALID_CA|CHAIN|UNTRUSTED/.test(code))
    return `${WRONG_CA}${caFile} (${code})`;
  return `its certificate cannot be verified (${code})`;
}

/** What an error of the TLS layer means; the first pattern that fits its code. */
const HANDSHAKE_REASONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [
    /WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE|BAD_RECORD_TYPE/,
    "the other side speaks plain text, not TLS",
  ],
  [
    /UNSUPPORTED_PROTOCOL|ALERT_PROTOCOL_VERSION|UNSUPPORTED_SSL_VERSION|VERSION_TOO_LOW/,
    "TLS version too old: only TLS 1.3 is spoken here, and the other side offers less",
  ],
  [
    /CERTIFICATE_REQUIRED|PEER_DID_NOT_RETURN_A_CERTIFICATE/,
    "no client certificate: the WEP asks for one, and none was shown",
  ],
  [/ALERT_UNKNOWN_CA/, "wrong CA: the other side knows no authority that signed our certificate"],
  [/ALERT_CERTIFICATE_EXPIRED/, "the other side says that our certificate has expired"],
  [/ALERT_CERTIFICATE_REVOKED/, "the other side says that our certificate was revoked"],
  [
    /ALERT_(BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED|DECRYPT_ERROR)/,
    "the other side does not accept our certificate",
  ],
  [/NO_APPLICATION_PROTOCOL/, "the two sides share no application protocol: gRPC needs HTTP/2 (ALPN h2)"],
  [
    /ALERT_HANDSHAKE_FAILURE|NO_SHARED_CIPHER/,
    "the two sides agree on no cipher or key type, or the other side asks for a client certificate",
  ],
  [
    /^(ECONNRESET|EPIPE|ECONNABORTED)$/,
    "the other side hung up during the TLS handshake; its log may say why",
  ],
];

/**
 * What a failed TLS handshake means, in plain words.
 *
 * @returns `undefined` for errors that are not of the TLS layer
 */
export function explainHandshake(error: unknown): string | undefined {
  const { code, reason } = (error ?? {}) as { readonly code?: unknown; readonly reason?: unknown };
  if (typeof code !== "string") return undefined;
  const known = HANDSHAKE_REASONS.find(([pattern]) => pattern.test(code));
  if (known !== undefined) return /^E[A-Z]+$/.test(code) ? known[1] : `${known[1]} (${code})`;
  return code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_")
    ? `the TLS handshake failed: ${typeof reason === "string" ? reason : code}`
    : undefined;
}
