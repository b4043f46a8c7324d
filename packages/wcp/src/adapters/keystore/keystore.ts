import {
  computeAddress,
  decryptKeystoreJson,
  encryptKeystoreJson,
  getAddress,
  hexlify,
  randomBytes,
  SigningKey,
} from "ethers";
import { KeystoreError } from "./keystore-error.ts";

/** What geth writes by default: about a second and 128 MiB for each guess at the password. */
const SCRYPT = { N: 131_072, r: 8, p: 1 };

export interface WalletKey {
  readonly address: string;
  /** 0x and 64 hex digits. */
  readonly privateKey: string;
}

/** A key that nobody had before. */
export function generateKey(): WalletKey {
  return parseKey(hexlify(randomBytes(32)));
}

/**
 * Reads a raw key, with or without 0x.
 *
 * @throws {KeystoreError} NO_KEY; the message never contains it
 */
export function parseKey(text: string): WalletKey {
  const hex = text.trim().replace(/^0x/, "");
  if (!/^[0-9a-fA-F]{64}$/.test(hex)) {
    throw new KeystoreError(
      "NO_KEY",
      "a private key is 64 hex digits, with or without 0x; this is something else",
    );
  }
  const privateKey = `0x${hex.toLowerCase()}`;
  try {
    return { privateKey, address: computeAddress(new SigningKey(privateKey).publicKey) };
  } catch {
    // What a library says about a bad key may contain it.
    throw new KeystoreError(
      "NO_KEY",
      "these 64 hex digits are no private key: zero, or beyond the curve's order",
    );
  }
}

/** Encrypts a key as a JSON keystore, version 3, which geth and every wallet reads. */
export function encryptKeystore(key: WalletKey, password: string): Promise<string> {
  return encryptKeystoreJson({ address: key.address, privateKey: key.privateKey }, password, {
    scrypt: SCRYPT,
  });
}

/**
 * Decrypts a keystore; takes about a second.
 *
 * @param name of the file, for messages
 * @throws {KeystoreError} NO_KEYSTORE, WRONG_PASSWORD
 */
export async function decryptKeystore(
  json: string,
  { name, password }: { readonly name: string; readonly password: string },
): Promise<WalletKey> {
  keystoreAddress(json, name);
  try {
    const { address, privateKey } = await decryptKeystoreJson(json, password);
    return { address, privateKey };
  } catch (error) {
    // Neither the message nor the cause: ethers puts its arguments into both.
    const isWrong = error instanceof Error && /incorrect password/i.test(error.message);
    throw isWrong
      ? new KeystoreError(
          "WRONG_PASSWORD",
          `the password does not open ${name}; point ethereum.keystore_password_file at the file with its password (its first line counts)`,
        )
      : new KeystoreError(
          "NO_KEYSTORE",
          `${name} cannot be decrypted: its parameters or its data are damaged; restore it from a backup`,
        );
  }
}

/**
 * The address a keystore says it is for; `undefined` when it does not say. Not proven before it is decrypted.
 *
 * @throws {KeystoreError} NO_KEYSTORE
 */
export function keystoreAddress(json: string, name: string): string | undefined {
  const { version, crypto, address } = parseObject(json);
  if (version !== 3 || typeof crypto !== "object" || crypto === null) {
    throw new KeystoreError(
      "NO_KEYSTORE",
      `${name} is no JSON keystore of version 3; make one with \`wcp keys new\` or \`wcp keys import\``,
    );
  }
  const hex = typeof address === "string" ? address.replace(/^0x/, "") : "";
  return /^[0-9a-fA-F]{40}$/.test(hex) ? getAddress(`0x${hex.toLowerCase()}`) : undefined;
}

/** Keys in lower case: old wallets wrote `Crypto`. Empty when it is no JSON object. */
function parseObject(json: string): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(json) as unknown;
    if (typeof value !== "object" || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key.toLowerCase(), inner as unknown]),
    );
  } catch {
    return {}; // the caller says what is expected instead
  }
}
