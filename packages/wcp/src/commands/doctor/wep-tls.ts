import { loadTls } from "@subnet-worker/kit/tls";
import { tlsFilesOf } from "../../open-wep.ts";
import { fail, ok, type Outcome, reasonOf, warn } from "./check.ts";
import type { Patient } from "./patient.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;
const SOON_DAYS = 14;

/** The certificates that WEPs are met with, where there are any. */
export function examineCertificates({ exam, config, io }: Patient): void {
  if (config.wep_tls.ca_file === "") return;
  void exam.check({
    id: "wep.certificates",
    group: "wep",
    title: "certificates",
    run: () => lookAt(config.wep_tls, io.clock.nowMs()),
  });
}

function lookAt(settings: Patient["config"]["wep_tls"], nowMs: number): Outcome {
  try {
    const { identity } = loadTls(tlsFilesOf(settings), nowMs);
    if (identity === undefined) {
      return warn(
        "this node has no certificate to show",
        "WEPs of ours ask for one: set wep_tls.cert_file and wep_tls.key_file (wcp tls init makes them)",
      );
    }
    const days = Math.floor((identity.expiresAtMs - nowMs) / DAY_MS);
    const detail = `${identity.names.join(", ")}, ${days} days left`;
    return days < SOON_DAYS
      ? warn(detail, `renew it before WEPs refuse it: wcp tls renew ${settings.cert_file}`)
      : ok(detail);
  } catch (error) {
    return fail(reasonOf(error), "the node does not start with these: correct wep_tls");
  }
}
