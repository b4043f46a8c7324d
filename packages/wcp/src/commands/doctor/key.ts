import { existsSync } from "node:fs";
import { exposureOf, readKeystore } from "../../adapters/keystore/key-files.ts";
import { keystoreAddress } from "../../adapters/keystore/keystore.ts";
import { type KeySource, keySourceOf, keyWarnings, openKey } from "../../open.ts";
import { fail, ok, type Outcome, warn } from "./check.ts";
import type { Patient } from "./patient.ts";

/** The key, its files, and which wallet this is. */
export async function examineKey(patient: Patient): Promise<void> {
  const { exam, config } = patient;
  const source = keySourceOf(config);
  void exam.check({ id: "key.source", group: "key", title: "source", run: () => lookAtSource(source) });
  if (source.kind === "keystore") {
    void exam.check({ id: "key.files", group: "key", title: "key files", run: () => lookAtFiles(source) });
  }
  await exam.check({
    id: "key.opens",
    group: "key",
    title: "opens",
    needs: ["key.source"],
    onError:
      source.kind === "keystore"
        ? "correct ethereum.keystore_file or the password in ethereum.keystore_password_file"
        : "set WCP__ETHEREUM__WALLET_PRIVATE_KEY to 64 hex digits, or use a keystore",
    run: async () => {
      const { address } = await openKey(config);
      patient.wallet = address;
      return ok("the key can be read");
    },
  });
  await exam.check({
    id: "key.address",
    group: "key",
    title: "address",
    run: () => lookAtAddress(patient, source),
  });
}

function lookAtSource(source: KeySource): Outcome {
  switch (source.kind) {
    case "none":
      return fail(
        source.problem,
        "wcp keys new --out wallet.json --password-file wallet.password makes a key",
      );
    case "environment":
      return warn(
        "the raw key is in the environment",
        "programs of the same user and crash reports can read it there: wcp keys import --from-env WCP__ETHEREUM__WALLET_PRIVATE_KEY --out wallet.json --password-file wallet.password",
      );
    default:
      return ok(`keystore ${source.file}`);
  }
}

function lookAtFiles(source: Extract<KeySource, { kind: "keystore" }>): Outcome {
  const missing = [source.file, source.passwordFile].filter((path) => !existsSync(path));
  if (missing.length > 0) {
    return fail(
      `${missing.join(" and ")} not found`,
      "paths are relative to the configuration file; correct ethereum.keystore_file and ethereum.keystore_password_file",
    );
  }
  const [problem, ...more] = keyWarnings(source);
  if (problem === undefined) return ok("readable by their owner only, or by a group");
  const paths = [source.file, source.passwordFile].filter((path) => exposureOf(path) !== undefined);
  return warn(
    [problem, ...more].map((text) => text.replace(/; run: .*/, "")).join("; "),
    `anybody with an account here can take the wallet: chmod 600 ${paths.join(" ")}`,
  );
}

/** A wallet can be looked at without its key. */
function lookAtAddress(patient: Patient, source: KeySource): Outcome {
  if (patient.wallet !== undefined) return ok(patient.wallet);
  const claimed = claimedAddress(patient, source);
  if (claimed === undefined) {
    return fail(
      "unknown",
      "repair the key first; or set ethereum.wallet_address, and the wallet is looked at all the same",
    );
  }
  patient.wallet = claimed;
  return warn(`${claimed}, as the files say`, "not proven while the key does not open");
}

function claimedAddress({ config }: Patient, source: KeySource): string | undefined {
  const configured = config.ethereum.wallet_address;
  if (configured !== "") return configured;
  if (source.kind !== "keystore") return undefined;
  try {
    return keystoreAddress(readKeystore(source.file), source.file);
  } catch {
    return undefined; // what is wrong with the file is told by the check that opens it
  }
}
