import "reflect-metadata"; // @peculiar/x509 asks for it first
import { KeyObject, webcrypto } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";

const HOUR_MS = 60 * 60 * 1_000;
const KEY = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;

/** A certificate for a test, which states only what it varies. */
export interface CertificateSpec {
  /** DNS names and IP addresses. Default `localhost` and `127.0.0.1`. */
  readonly names?: readonly string[];
  /** Default an hour ago. */
  readonly validFromMs?: number;
  /** Default in an hour. */
  readonly validToMs?: number;
  /** Sides of a connection it is for. Default both. */
  readonly purposes?: readonly ("client" | "server")[];
}

/** PEM texts. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Where {@link writeCertificate} put things, under the names that TLS options have. */
export interface TlsFilePaths {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority that signs whatever a test asks for, bad or good. */
export class TestAuthority {
  /** PEM. */
  readonly cert: string;
  readonly #name: string;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(cert: string, name: string, keys: webcrypto.CryptoKeyPair) {
    this.cert = cert;
    this.#name = name;
    this.#keys = keys;
  }

  static async create(
    name = "test authority",
    spec: Pick<CertificateSpec, "validFromMs" | "validToMs"> = {},
  ): Promise<TestAuthority> {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned(
      {
        ...datesOf(spec),
        name: `CN=${name}`,
        keys,
        signingAlgorithm: SIGNATURE,
        extensions: [
          new x509.BasicConstraintsExtension(true, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        ],
      },
      webcrypto,
    );
    return new TestAuthority(certificate.toString("pem"), name, keys);
  }

  async issue(spec: CertificateSpec = {}): Promise<TestCertificate> {
    const { names = ["localhost", "127.0.0.1"], purposes = ["client", "server"] } = spec;
    const keys = await newKeys();
    const usages = purposes.map((side) =>
      side === "client" ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth,
    );
    const certificate = await x509.X509CertificateGenerator.create(
      {
        ...datesOf(spec),
        subject: `CN=${names[0] ?? "nobody"}`,
        issuer: `CN=${this.#name}`,
        publicKey: keys.publicKey,
        signingKey: this.#keys.privateKey,
        signingAlgorithm: SIGNATURE,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.ExtendedKeyUsageExtension(usages),
          new x509.SubjectAlternativeNameExtension(
            names.map((value) => ({ type: /^[\d.]+$|:/.test(value) ? "ip" : "dns", value })),
          ),
        ],
      },
      webcrypto,
    );
    return { cert: certificate.toString("pem"), key: pemOf(keys.privateKey) };
  }
}

/** Writes `NAME.crt`, `NAME.key` and `NAME-ca.crt` into a folder, over what is there. */
export function writeCertificate(
  dir: string,
  name: string,
  { cert, key, ca }: TestCertificate & { readonly ca: string },
): TlsFilePaths {
  mkdirSync(dir, { recursive: true });
  const paths = {
    caFile: join(dir, `${name}-ca.crt`),
    certFile: join(dir, `${name}.crt`),
    keyFile: join(dir, `${name}.key`),
  };
  writeFileSync(paths.caFile, ca);
  writeFileSync(paths.certFile, cert);
  writeFileSync(paths.keyFile, key, { mode: 0o600 });
  return paths;
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
}

function datesOf({ validFromMs, validToMs }: Pick<CertificateSpec, "validFromMs" | "validToMs">) {
  return {
    notBefore: new Date(validFromMs ?? Date.now() - HOUR_MS),
    notAfter: new Date(validToMs ?? Date.now() + HOUR_MS),
  };
}

function pemOf(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: "pkcs8", format: "pem" }).toString();
}
