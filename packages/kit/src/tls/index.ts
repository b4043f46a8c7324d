export { explainCertificate, explainHandshake } from "./explain.ts";
export { farewellText, hangUpAfter, sayFarewell } from "./farewell.ts";
export { keepTls, type TlsKeeper, type TlsKeeperDeps } from "./keeper.ts";
export { isLoopback } from "./loopback.ts";
export {
  loadTls,
  nameOf,
  namesOf,
  parseCertificates,
  type TlsFiles,
  type TlsIdentity,
  type TlsMaterial,
} from "./material.ts";
export { type PeerRule, refusalOf } from "./peer.ts";
export { TlsError, type TlsErrorCode } from "./tls-error.ts";
