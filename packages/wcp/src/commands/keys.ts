import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { EXIT, StartupError } from "@subnet-worker/kit";
import { exposureOf, readKeystore, readPassword, writeSecret } from "../adapters/keystore/key-files.ts";
import {
  encryptKeystore,
  generateKey,
  keystoreAddress,
  parseKey,
  type WalletKey,
} from "../adapters/keystore/keystore.ts";
import { keySourceOf, openKey } from "../open.ts";
import {
  type Invocation,
  loadCommandConfig,
  requiredOption,
  type RunCommand,
  textOption,
} from "./command.ts";
import { formatFields } from "./table.ts";

/** `wcp keys new`: a key that nobody had before, as a keystore. */
export const newKey: RunCommand = async (invocation) => storeKey(invocation, generateKey());

/** `wcp keys import`: a key that exists, from standard input or a variable, as a keystore. */
export const importKey: RunCommand = async (invocation) => storeKey(invocation, await givenKey(invocation));

/** `wcp keys address`: the address of the configured key, or of a keystore file. */
export const keyAddress: RunCommand = async (invocation) => {
  const { io } = invocation;
  const file = textOption(invocation, "keystore");
  if (file !== undefined) {
    const path = resolve(io.cwd, file);
    const address = keystoreAddress(readKeystore(path), path);
    if (address === undefined) {
      throw new StartupError(
        EXIT.badConfig,
        `${path} does not say its address; set ethereum.keystore_file to it and run wcp keys address, which decrypts it`,
      );
    }
    io.out(`${address}\n`);
    return EXIT.ok;
  }
  const config = loadCommandConfig(invocation);
  const source = keySourceOf(config);
  if (source.kind === "none") throw new StartupError(EXIT.badConfig, source.problem);
  io.out(`${(await openKey(config)).address}\n`);
  return EXIT.ok;
};

async function givenKey(invocation: Invocation): Promise<WalletKey> {
  const { io } = invocation;
  const variable = textOption(invocation, "from-env");
  if (variable !== undefined) {
    const value = io.env[variable];
    if (value === undefined || value === "") {
      throw new StartupError(
        EXIT.badConfig,
        `${variable} is not set in the environment; export it, or pipe the key in`,
      );
    }
    return parseKey(value);
  }
  const text = await io.stdin();
  if (text === undefined) {
    throw new StartupError(
      EXIT.badConfig,
      "the key is read from standard input, so that it shows in no list of processes; pipe it in (wcp keys import ... < FILE), or name a variable that holds it with --from-env NAME",
    );
  }
  return parseKey(text);
}

async function storeKey(invocation: Invocation, key: WalletKey): Promise<number> {
  const { io } = invocation;
  const keystore = resolve(io.cwd, requiredOption(invocation, "out"));
  const passwordFile = resolve(io.cwd, requiredOption(invocation, "password-file"));
  if (existsSync(keystore)) {
    throw new StartupError(
      EXIT.badConfig,
      `${keystore} is there already and is not overwritten, since it may be the only copy of a key; give another name with --out`,
    );
  }
  const hasPassword = existsSync(passwordFile);
  if (!hasPassword) writeSecret(passwordFile, randomBytes(24).toString("base64url"));
  const exposure = exposureOf(passwordFile);
  writeSecret(keystore, await encryptKeystore(key, readPassword(passwordFile)));
  io.out(
    formatFields([
      ["address", key.address],
      ["keystore", keystore],
      ["password", `${passwordFile}${hasPassword ? "" : " (made just now, at random)"}`],
    ]),
  );
  io.out(nextSteps(keystore, passwordFile));
  if (exposure !== undefined) io.err(`wcp: warning: ${exposure}\n`);
  return EXIT.ok;
}

function nextSteps(keystore: string, passwordFile: string): string {
  return `
Next:
  1. Copy both files to a safe place, apart from each other. Nobody can restore the key without them.
  2. In the configuration, under [ethereum]:
       keystore_file = ${JSON.stringify(keystore)}
       keystore_password_file = ${JSON.stringify(passwordFile)}
  3. Send some of the chain's coin to the address, for gas.
  4. wcp register      registers it as a worker
  5. wcp doctor        looks whether all is well
`;
}
