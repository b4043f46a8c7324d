import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import { explainCertificate } from "./explain.ts";
import { namesOf } from "./material.ts";

/** Who may be at the other end. */
export interface PeerRule {
  /** DNS names or IP addresses of which the certificate must have one; `undefined`: any that an authority signed. */
  readonly names: readonly string[] | undefined;
  /** Where our authorities stand, for the message. */
  readonly caFile: string;
  readonly nowMs: number;
}

/**
 * Why the peer of a finished handshake is refused; `undefined` when it is who it must be.
 *
 * For sockets made with `rejectUnauthorized: false`: Node hangs up on a bad
 * certificate without telling either log or peer why, so the decision is made here.
 */
export function refusalOf(socket: TLSSocket, { names, caFile, nowMs }: PeerRule): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return "no client certificate was shown";
  if (!socket.authorized) {
    const error: unknown = socket.authorizationError;
    return explainCertificate(error instanceof Error ? error.message : String(error), caFile);
  }
  // A resumed connection is not verified anew, and certificates expire in between.
  if (certificate.validToDate.getTime() < nowMs) return explainCertificate("CERT_HAS_EXPIRED", caFile);
  if (names === undefined || names.some((name) => isFor(certificate, name))) return undefined;
  const has = namesOf(certificate).join(", ") || "no name at all";
  return `wrong name: its certificate is for ${has}, and ${names.join(" or ")} is expected`;
}

function isFor(certificate: X509Certificate, name: string): boolean {
  return isIP(name) === 0
    ? certificate.checkHost(name, { subject: "never" }) !== undefined
    : certificate.checkIP(name) !== undefined;
}
