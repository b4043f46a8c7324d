export { addressKind, type AddressKind, type Network, parseNetwork } from "./address.ts";
export {
  createEgress,
  type Egress,
  type EgressDeps,
  type EgressRequest,
  type EgressResponse,
  type ResolvedAddress,
} from "./egress.ts";
export { EgressError, type EgressErrorCode } from "./egress-error.ts";
export type { EgressPolicy } from "./policy.ts";
