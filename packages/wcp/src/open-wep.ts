import { EXIT, StartupError } from "@subnet-worker/kit";
import { TlsError, type TlsFiles } from "@subnet-worker/kit/tls";
import { openTransport, type TransportDeps, type WepTransport } from "./adapters/wep/transport.ts";
import type { Config } from "./config.ts";

/**
 * The ways to WEPs that `wep_tls` describes. Dispose it to stop watching the certificates.
 *
 * @throws {StartupError} exit code 78 for certificates that cannot be used
 */
export function openWepTransport({ wep_tls: tls }: Config, deps: TransportDeps): WepTransport {
  const { ca_file: caFile, server_name: serverName } = tls;
  const files = tlsFilesOf(tls);
  try {
    return openTransport(
      {
        tls: caFile === "" ? undefined : { files, serverName: serverName === "" ? undefined : serverName },
        allowPlaintext: tls.allow_plaintext,
      },
      deps,
    );
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
    throw new StartupError(EXIT.badConfig, `wep_tls: ${error.message}`, { cause: error });
  }
}

/** The files that `wep_tls` names. */
export function tlsFilesOf(tls: Config["wep_tls"]): TlsFiles {
  const { ca_file: caFile, cert_file: certFile, key_file: keyFile } = tls;
  return { caFile, ...(certFile === "" ? {} : { certFile, keyFile }) };
}
