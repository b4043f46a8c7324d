import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encryptKeystoreJsonSync, Wallet } from "ethers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exposureOf, readKeystore, readPassword, writeSecret } from "../src/adapters/keystore/key-files.ts";
import {
  decryptKeystore,
  encryptKeystore,
  generateKey,
  keystoreAddress,
  parseKey,
} from "../src/adapters/keystore/keystore.ts";

const PASSWORD = "correct horse";
const KEY = parseKey("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318");
const NAME = "keystore.json";
/** Cheap to decrypt, so that tests of refusals are quick. */
const QUICK = encryptKeystoreJsonSync(KEY, PASSWORD, { scrypt: { N: 2, r: 8, p: 1 } });

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "keystore-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const file = (name: string, text: string, mode = 0o600) => {
  const path = join(dir, name);
  writeFileSync(path, text, { mode });
  chmodSync(path, mode);
  return path;
};

describe("a keystore", () => {
  it("gives the key back for its password, here and in any wallet, and hides it otherwise", async () => {
    const json = await encryptKeystore(KEY, PASSWORD);
    expect(json).not.toContain(KEY.privateKey.slice(2));
    expect(JSON.parse(json)).toMatchObject({
      version: 3,
      Crypto: { kdf: "scrypt", kdfparams: { n: 131_072 } },
    });
    expect(keystoreAddress(json, NAME)?.toLowerCase()).toBe(KEY.address.toLowerCase());
    expect(await decryptKeystore(json, { name: NAME, password: PASSWORD })).toEqual(KEY);
    expect((await Wallet.fromEncryptedJson(json, PASSWORD)).privateKey).toBe(KEY.privateKey);
  });

  it("refuses another password, without repeating it", async () => {
    const refused = decryptKeystore(QUICK, { name: NAME, password: "wrong horse" });
    await expect(refused).rejects.toThrow(`[WRONG_PASSWORD] the password does not open ${NAME}`);
    await expect(refused).rejects.not.toThrow("wrong horse");
    await expect(refused).rejects.not.toHaveProperty("cause");
  });

  it.each([
    ["no JSON", "hello"],
    ["another JSON", '{"a": 1}'],
    ["a list", "[]"],
    ["another version", QUICK.replace('"version":3', '"version":1')],
  ])("is refused when it is %s", async (_, json) => {
    await expect(decryptKeystore(json, { name: NAME, password: PASSWORD })).rejects.toThrow(
      `[NO_KEYSTORE] ${NAME} is no JSON keystore of version 3; make one with \`wcp keys new\``,
    );
  });

  it("is refused when it is damaged", async () => {
    const damaged = QUICK.replace(/"kdf":"scrypt"/, '"kdf":"magic"');
    await expect(decryptKeystore(damaged, { name: NAME, password: PASSWORD })).rejects.toThrow(
      `[NO_KEYSTORE] ${NAME} cannot be decrypted`,
    );
  });
});

describe("a raw key", () => {
  it("is new each time", () => {
    expect(generateKey().privateKey).not.toBe(generateKey().privateKey);
  });

  it("is read with and without 0x, and with the newline of a pipe", () => {
    expect(parseKey(`${KEY.privateKey}\n`)).toEqual(KEY);
    expect(parseKey(KEY.privateKey.slice(2).toUpperCase())).toEqual(KEY);
  });

  it.each([
    ["too short", "ab12cd"],
    ["zero", "0".repeat(64)],
    ["beyond the curve's order", "f".repeat(64)],
  ])("that is %s is refused without being repeated", (_, text) => {
    expect(() => parseKey(text)).toThrow("[NO_KEY]");
    expect(() => parseKey(text)).not.toThrow(text);
  });
});

describe("the files of a key", () => {
  it("the password is the first line, whatever ends it", () => {
    expect(readPassword(file("unix", "secret words\n"))).toBe("secret words");
    expect(readPassword(file("windows", "secret words\r\nmore"))).toBe("secret words");
    expect(readPassword(file("bare", "secret words"))).toBe("secret words");
    expect(() => readPassword(file("empty", "\nsecond line"))).toThrow("[NO_PASSWORD] the first line of");
    expect(() => readPassword(join(dir, "missing"))).toThrow(
      "[CANNOT_READ] the password file cannot be read",
    );
    expect(() => readKeystore(join(dir, "missing"))).toThrow("[CANNOT_READ] the keystore cannot be read");
  });

  it("a keystore is written for its owner only, in a folder of its owner only", () => {
    const path = join(dir, "keys", "new.json");
    writeSecret(path, "{}");
    expect(readFileSync(path, "utf8")).toBe("{}\n");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, "keys")).mode & 0o777).toBe(0o700);
  });

  it("a keystore that is there is never overwritten, nor removed", () => {
    const path = file("old.json", "precious");
    expect(() => writeSecret(path, "{}")).toThrow("is there already and is not overwritten");
    expect(readFileSync(path, "utf8")).toBe("precious");
    expect(() => writeSecret(join(path, "below"), "{}")).toThrow("[CANNOT_WRITE] it cannot be written");
  });

  it("a file that everybody may read is told of, one of a group is not", () => {
    expect(exposureOf(file("private", ""))).toBeUndefined();
    expect(exposureOf(file("group", "", 0o640))).toBeUndefined();
    const open = file("open", "", 0o644);
    expect(exposureOf(open)).toBe(
      `${open} is open to every user of this machine (mode 0644); run: chmod 600 ${open}`,
    );
    const link = join(dir, "link");
    symlinkSync(open, link);
    expect(exposureOf(link)).toContain("mode 0644");
  });
});
