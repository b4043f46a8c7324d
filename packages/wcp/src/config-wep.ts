import { isLoopback } from "@subnet-worker/kit/tls";

/** What of the configuration says how WEPs are reached. */
export interface WepSettings {
  readonly wep_grpc_endpoint: readonly string[];
  readonly wep_tls: {
    readonly ca_file: string;
    readonly cert_file: string;
    readonly key_file: string;
    readonly allow_plaintext: boolean;
  };
}

/** What is wrong with how WEPs are to be reached, as sentences for the operator. */
export function wepProblems({ wep_grpc_endpoint: urls, wep_tls: tls }: WepSettings): readonly string[] {
  const rule = { hasTls: tls.ca_file !== "", allowPlaintext: tls.allow_plaintext };
  const endpoints = urls
    .filter((url) => URL.canParse(url))
    .map((url) => endpointProblem(url, rule))
    .filter((problem) => problem !== undefined);
  return [
    ...endpoints.map((problem) => `wep_grpc_endpoint: ${problem}`),
    ...((tls.cert_file === "") === (tls.key_file === "")
      ? []
      : ["wep_tls: cert_file and key_file belong together; set both, or neither"]),
    ...(tls.cert_file !== "" && tls.ca_file === ""
      ? ["wep_tls.ca_file: name the authority that signed the WEPs' certificates; without it none is trusted"]
      : []),
  ];
}

/** Why an endpoint may not be used as it is written; `undefined` when it may. */
export function endpointProblem(
  url: string,
  { hasTls, allowPlaintext }: { readonly hasTls: boolean; readonly allowPlaintext: boolean },
): string | undefined {
  const { protocol, hostname } = new URL(url);
  if (protocol === "https:") {
    return hasTls
      ? undefined
      : `${url} needs wep_tls.ca_file, and wep_tls.cert_file and wep_tls.key_file with it; wcp tls init makes all three`;
  }
  if (allowPlaintext || isLoopback(hostname)) return undefined;
  return `${url} is plain text to another host, where whoever is on the way can read and change the work; write https:// and set wep_tls, or allow it with wep_tls.allow_plaintext = true`;
}
