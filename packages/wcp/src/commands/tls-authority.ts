import "reflect-metadata"; // @peculiar/x509 asks for it first
import { createPrivateKey, KeyObject, randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";

const HOUR_MS = 60 * 60 * 1_000;
export const DAY_MS: number = 24 * HOUR_MS;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;
const AUTHORITY_DAYS = 3_650;

/** Which side of a connection a certificate is for. */
export type TlsSide = "wep" | "wcp";

/** PEM texts. The key is a secret. */
export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateRequest {
  readonly side: TlsSide;
  /** DNS names and IP addresses; at least one. */
  readonly names: readonly string[];
  readonly days: number;
  readonly nowMs: number;
}

/** A new private authority, good for ten years. Two are never called the same. */
export async function createAuthority(nowMs: number): Promise<IssuedCertificate> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      // OpenSSL looks for issuers by name: of two with the same name it may take the wrong one.
      name: `CN=subnet-worker private CA ${randomBytes(4).toString("hex")}`,
      keys,
      ...validity(nowMs, AUTHORITY_DAYS),
      signingAlgorithm: SIGNATURE,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return { cert: pemOfCertificate(certificate), key: pemOfKey(keys.privateKey) };
}

/** A certificate with a new key, signed by the authority; never longer valid than that. */
export async function issueCertificate(
  authority: IssuedCertificate,
  { side, names, days, nowMs }: CertificateRequest,
): Promise<IssuedCertificate> {
  const issuer = new x509.X509Certificate(authority.cert);
  const signingKey = createPrivateKey(authority.key).toCryptoKey(ALGORITHM, false, ["sign"]);
  const keys = await newKeys();
  const { notBefore, notAfter } = validity(nowMs, days);
  const purpose = side === "wep" ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth;
  const certificate = await x509.X509CertificateGenerator.create(
    {
      subject: new x509.Name([{ CN: [names[0] ?? side] }]).toString(),
      issuer: issuer.subject,
      publicKey: keys.publicKey,
      signingKey,
      notBefore,
      notAfter: notAfter > issuer.notAfter ? issuer.notAfter : notAfter,
      signingAlgorithm: SIGNATURE,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([purpose]),
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value })),
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return { cert: pemOfCertificate(certificate), key: pemOfKey(keys.privateKey) };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

/** From an hour ago: the clocks of two machines are never quite the same. */
function validity(nowMs: number, days: number): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(nowMs - HOUR_MS), notAfter: new Date(nowMs + days * DAY_MS) };
}

function pemOfCertificate(certificate: x509.X509Certificate): string {
  return certificate.toString("pem");
}

function pemOfKey(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: "pkcs8", format: "pem" }).toString().trimEnd();
}
