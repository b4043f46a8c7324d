import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { TlsError } from "./tls-error.ts";

/** PEM files of one side. */
export interface TlsFiles {
  /** Authorities that the other side's certificate is verified against. */
  readonly caFile: string;
  /** This side's certificate first, then those between it and the authority. Only together with the key. */
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** This side's own certificate. */
export interface TlsIdentity {
  /** PEM, as it stands in the file. */
  readonly cert: string;
  /** PEM. A secret. */
  readonly key: string;
  /** DNS names and IP addresses it is for. */
  readonly names: readonly string[];
  readonly expiresAtMs: number;
  /** SHA-256, as `openssl x509 -fingerprint -sha256` prints it. */
  readonly fingerprint: string;
}

/** What a TLS connection is made with. */
export interface TlsMaterial {
  /** PEM of the authorities. */
  readonly ca: string;
  /** `undefined` where no certificate is configured. */
  readonly identity: TlsIdentity | undefined;
}

/** The texts of the files, as they are at one moment. */
export interface TlsTexts {
  readonly ca: string;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/**
 * Reads and checks the files.
 *
 * @throws {TlsError} for the first file that cannot be used
 */
export function loadTls(files: TlsFiles, nowMs: number): TlsMaterial {
  return checkTls(readTls(files), files, nowMs);
}

/** @throws {TlsError} TLS_FILE_MISSING or TLS_FILE_UNREADABLE */
export function readTls({ caFile, certFile, keyFile }: TlsFiles): TlsTexts {
  return {
    ca: readText(caFile, "authorities"),
    cert: certFile === undefined ? undefined : readText(certFile, "certificate"),
    key: keyFile === undefined ? undefined : readText(keyFile, "key"),
  };
}

/** @throws {TlsError} for what is wrong with the texts */
export function checkTls({ ca, cert, key }: TlsTexts, files: TlsFiles, nowMs: number): TlsMaterial {
  checkAuthorities(parseCertificates(ca, files.caFile), files.caFile, nowMs);
  const { certFile, keyFile } = files;
  if (cert === undefined || key === undefined || certFile === undefined || keyFile === undefined)
    return { ca, identity: undefined };
  const [leaf] = parseCertificates(cert, certFile);
  const privateKey = parseKey(key, keyFile);
  if (!leaf.checkPrivateKey(privateKey)) {
    throw new TlsError(
      "TLS_KEY_MISMATCH",
      keyFile,
      `the key in ${keyFile} does not belong to the certificate in ${certFile}; use the two files that were made together`,
    );
  }
  checkDates(leaf, certFile, nowMs);
  return {
    ca,
    identity: {
      cert,
      key,
      names: namesOf(leaf),
      expiresAtMs: leaf.validToDate.getTime(),
      fingerprint: leaf.fingerprint256,
    },
  };
}

/** DNS names and IP addresses of a certificate. */
export function namesOf({ subjectAltName }: X509Certificate): string[] {
  const entries = (subjectAltName ?? "").split(", ");
  return entries
    .filter((entry) => /^(DNS|IP Address):/.test(entry))
    .map((entry) => entry.slice(entry.indexOf(":") + 1).replace(/^"(.*)"$/, "$1"));
}

/**
 * Every certificate in a PEM file, in their order; at least one.
 *
 * @throws {TlsError} TLS_NOT_PEM
 */
export function parseCertificates(text: string, file: string): [X509Certificate, ...X509Certificate[]] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const [first, ...others] = blocks.map((block) => parseCertificate(block, file));
  if (first !== undefined) return [first, ...others];
  const advice = "write it as PEM, with BEGIN CERTIFICATE and END CERTIFICATE lines";
  throw new TlsError("TLS_NOT_PEM", file, `${file} holds no certificate, or half of one; ${advice}`);
}

function parseCertificate(block: string, file: string): X509Certificate {
  try {
    return new X509Certificate(block);
  } catch (error) {
    throw new TlsError(
      "TLS_NOT_PEM",
      file,
      `${file} holds a damaged certificate (${wordsOf(error)}); copy it again, or make a new one`,
    );
  }
}

function parseKey(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    // What a library says about a key may contain some of it.
    const advice = "it must be one unencrypted private key as PEM";
    throw new TlsError("TLS_NOT_PEM", file, `${file} holds no key that can be used; ${advice}`);
  }
}

function checkAuthorities(authorities: readonly X509Certificate[], file: string, nowMs: number): void {
  const foreign = authorities.find((certificate) => !certificate.ca);
  if (foreign !== undefined) {
    throw new TlsError(
      "TLS_NOT_A_CA",
      file,
      `${file}: ${nameOf(foreign)} is no authority: it lacks the CA flag, so no certificate can be verified against it; name the file of the authority that signed the other side's certificate`,
    );
  }
  const [first] = authorities;
  // While one is replaced by another, both stand in the file for a time.
  const isUsable = (authority: X509Certificate) => {
    return authority.validFromDate.getTime() <= nowMs && nowMs <= authority.validToDate.getTime();
  };
  if (first !== undefined && !authorities.some(isUsable)) checkDates(first, file, nowMs);
}

function checkDates(certificate: X509Certificate, file: string, nowMs: number): void {
  const { validFromDate, validToDate } = certificate;
  const what = `${file}: the certificate of ${nameOf(certificate)}`;
  if (nowMs > validToDate.getTime()) {
    throw new TlsError(
      "TLS_EXPIRED",
      file,
      `${what} expired on ${validToDate.toISOString()}; renew it (wcp tls renew), or set this machine's clock right`,
    );
  }
  if (nowMs < validFromDate.getTime()) {
    throw new TlsError(
      "TLS_NOT_YET_VALID",
      file,
      `${what} is valid only from ${validFromDate.toISOString()}; set this machine's clock right, or wait`,
    );
  }
}

/** What to call a certificate in a message. */
export function nameOf(certificate: X509Certificate): string {
  // Node's types have no undefined there; a certificate without a subject has.
  const subject = certificate.subject as string | undefined;
  const words = (subject ?? "").replaceAll("\n", ", ");
  return words === "" ? (namesOf(certificate)[0] ?? certificate.serialNumber) : words;
}

function readText(file: string, what: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new TlsError(
        "TLS_FILE_MISSING",
        file,
        `the ${what} file ${file} does not exist; correct the path, or make it (wcp tls init)`,
      );
    }
    throw new TlsError(
      "TLS_FILE_UNREADABLE",
      file,
      `the ${what} file ${file} cannot be read (${wordsOf(error)}); give this process's user leave to read it`,
    );
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
