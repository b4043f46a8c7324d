import { createPrivateKey, type X509Certificate } from "node:crypto";
import { chmodSync, existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { isIP } from "node:net";
import { dirname, join, resolve } from "node:path";
import { EXIT, StartupError } from "@subnet-worker/kit";
import { nameOf, namesOf, parseCertificates, TlsError } from "@subnet-worker/kit/tls";
import { writeSecret } from "../adapters/keystore/key-files.ts";
import { type Invocation, requiredOption, type RunCommand, textOption } from "./command.ts";
import { formatFields } from "./table.ts";
import {
  createAuthority,
  DAY_MS,
  type IssuedCertificate,
  issueCertificate,
  type TlsSide,
} from "./tls-authority.ts";

const DEFAULT_DAYS = "365";
/** No secret: both sides show them to whoever connects. */
const CERTIFICATE_MODE = 0o644;
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

/** `wcp tls init`: a private authority, and a certificate for each side. */
export const initTls: RunCommand = async (invocation) => {
  const { io } = invocation;
  const dir = resolve(io.cwd, requiredOption(invocation, "dir"));
  const wepNames = requiredOption(invocation, "wep-name").split(",").map(checkedName);
  const wcpName = checkedName(textOption(invocation, "wcp-name") ?? "wcp");
  const days = daysOption(invocation);
  const taken = ["ca", "wep", "wcp"]
    .flatMap((stem) => [certFile(dir, stem), keyFile(dir, stem)])
    .find(existsSync);
  if (taken !== undefined) {
    throw new StartupError(
      EXIT.badConfig,
      `${taken} is there already and is not overwritten; give another --dir, or renew what is there with wcp tls renew`,
    );
  }
  const nowMs = io.clock.nowMs();
  const authority = await createAuthority(nowMs);
  const wep = await issueCertificate(authority, { side: "wep", names: wepNames, days, nowMs });
  const wcp = await issueCertificate(authority, { side: "wcp", names: [wcpName], days, nowMs });
  writePair(dir, "ca", authority);
  writePair(dir, "wep", wep);
  writePair(dir, "wcp", wcp);
  io.out(whatIsWhere(dir, { wepNames, wcpName }));
  return EXIT.ok;
};

/** `wcp tls show`: what a certificate file holds. */
export const showTls: RunCommand = async ({ args, io }) => {
  const file = resolve(io.cwd, args[0] ?? "");
  const certificates = readCertificates(file);
  const shown = certificates.map((certificate) => formatFields(fieldsOf(certificate, io.clock.nowMs())));
  io.out(shown.join("\n"));
  return EXIT.ok;
};

/** `wcp tls renew`: the same certificate anew, with a new key, from the same authority. */
export const renewTls: RunCommand = async (invocation) => {
  const { io, args } = invocation;
  const file = resolve(io.cwd, args[0] ?? "");
  const [old] = readCertificates(file);
  if (old.ca)
    throw new StartupError(EXIT.badConfig, `${file} is an authority; name the certificate to renew`);
  const dir = resolve(io.cwd, textOption(invocation, "dir") ?? dirname(file));
  const authority = readAuthority(dir);
  const request = {
    side: sideOf(old),
    names: namesOf(old),
    days: daysOption(invocation),
    nowMs: io.clock.nowMs(),
  };
  const renewed = await issueCertificate(authority, request);
  const stem = file.replace(/\.(crt|pem|cer)$/, "");
  replacePair({ certFile: file, keyFile: `${stem}.key` }, renewed);
  const [certificate] = readCertificates(file);
  io.out(formatFields(fieldsOf(certificate, io.clock.nowMs())));
  io.out(
    `\nThe certificate and key before are in ${file}.old and ${stem}.key.old.\nCopy ${file} and ${stem}.key to where they are used: the process there takes them up by itself within seconds,\nand connections under way go on.\n`,
  );
  return EXIT.ok;
};

const certFile = (dir: string, stem: string) => join(dir, `${stem}.crt`);
const keyFile = (dir: string, stem: string) => join(dir, `${stem}.key`);

function writePair(dir: string, stem: string, { cert, key }: IssuedCertificate): void {
  writeSecret(keyFile(dir, stem), key);
  writeSecret(certFile(dir, stem), cert);
  chmodSync(certFile(dir, stem), CERTIFICATE_MODE);
}

/** Whole files change places, so that a process that looks sees one or the other; what was there is kept. */
function replacePair(
  files: { readonly certFile: string; readonly keyFile: string },
  { cert, key }: IssuedCertificate,
): void {
  const replace = (file: string, text: string) => {
    rmSync(`${file}.new`, { force: true });
    writeSecret(`${file}.new`, text);
    if (existsSync(file)) renameSync(file, `${file}.old`);
    renameSync(`${file}.new`, file);
  };
  replace(files.keyFile, key);
  replace(files.certFile, cert);
  chmodSync(files.certFile, CERTIFICATE_MODE);
}

function readAuthority(dir: string): IssuedCertificate {
  const cert = readText(certFile(dir, "ca"));
  const key = readText(keyFile(dir, "ca"));
  const [authority] = readCertificates(certFile(dir, "ca"));
  if (isKeyOf(authority, key)) return { cert, key };
  throw new StartupError(
    EXIT.badConfig,
    `${keyFile(dir, "ca")} is not the key of ${certFile(dir, "ca")}; use the two that wcp tls init made together`,
  );
}

function isKeyOf(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false; // no key at all, which is told as any other that does not fit
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(
      EXIT.badConfig,
      `${file} cannot be read: ${reason}; name the folder that holds it with --dir`,
    );
  }
}

function readCertificates(file: string): readonly [X509Certificate, ...X509Certificate[]] {
  try {
    return parseCertificates(readText(file), file);
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
    throw new StartupError(EXIT.badConfig, error.message, { cause: error });
  }
}

function sideOf({ keyUsage }: X509Certificate): TlsSide {
  // Node's types have no undefined there; a certificate without the extension has.
  const purposes = (keyUsage as readonly string[] | undefined) ?? [];
  return purposes.includes(CLIENT_AUTH) && !purposes.includes(SERVER_AUTH) ? "wcp" : "wep";
}

function fieldsOf(certificate: X509Certificate, nowMs: number): readonly (readonly [string, string])[] {
  const { validFromDate, validToDate, ca, fingerprint256, issuer } = certificate;
  const leftDays = Math.floor((validToDate.getTime() - nowMs) / DAY_MS);
  const state =
    nowMs < validFromDate.getTime() ? "not valid yet" : leftDays < 0 ? "EXPIRED" : `${leftDays} days left`;
  return [
    ["subject", nameOf(certificate)],
    ["names", namesOf(certificate).join(", ") || "none"],
    ["for", ca ? "an authority" : sideOf(certificate) === "wep" ? "a WEP (server)" : "a WCP (client)"],
    // As with a subject, a certificate may have none.
    ["issuer", (issuer as string | undefined)?.replaceAll("\n", ", ") ?? "none"],
    ["valid", `${validFromDate.toISOString()} to ${validToDate.toISOString()} (${state})`],
    ["sha256", fingerprint256],
  ];
}

function checkedName(name: string): string {
  const trimmed = name.trim();
  const isHost = /^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i.test(
    trimmed,
  );
  if (isHost || isIP(trimmed) !== 0) return trimmed;
  throw new StartupError(
    EXIT.badConfig,
    `"${trimmed}" is neither a host name nor an IP address; several are separated by commas, without ports`,
  );
}

function daysOption(invocation: Invocation): number {
  const text = textOption(invocation, "days") ?? DEFAULT_DAYS;
  const days = Number(text);
  if (Number.isSafeInteger(days) && days >= 1 && days <= 3_650) return days;
  throw new StartupError(EXIT.badConfig, `--days: "${text}" must be a whole number from 1 to 3650`);
}

interface Names {
  readonly wepNames: readonly string[];
  readonly wcpName: string;
}

function whatIsWhere(dir: string, { wepNames, wcpName }: Names): string {
  const url = (name: string) => JSON.stringify(`https://${isIP(name) === 6 ? `[${name}]` : name}:7070`);
  const at = (name: string) => JSON.stringify(join(dir, name));
  return `Made in ${dir}:
  ca.crt            the authority: goes to both sides
  ca.key            its key: signs further certificates (wcp tls renew). Keep it here or offline, on neither side
  wep.crt, wep.key  of the WEP: ${wepNames.join(", ")}
  wcp.crt, wcp.key  of the WCP: ${wcpName}

On the WEP's host, in wep.yaml, with the paths that the files have there:

server:
  host: 0.0.0.0
  tls:
    enabled: true
    cert_file: ${at("wep.crt")}
    key_file: ${at("wep.key")}
    ca_cert_file: ${at("ca.crt")}
    client_names: [${JSON.stringify(wcpName)}]

On the WCP's host, in its TOML:

wep_grpc_endpoint = [${wepNames.map(url).join(", ")}]

[wep_tls]
ca_file = ${at("ca.crt")}
cert_file = ${at("wcp.crt")}
key_file = ${at("wcp.key")}
`;
}
