import { err, type GuestHost, Resource, withoutInherited } from "../guest-host.ts";

/** A resource that no function gives: components name it, and never hold one. */
export class NeverGiven {
  readonly $kind = "never given";
}
withoutInherited(NeverGiven);

class Network extends Resource {}

/** `wasi:filesystem`: there is not a single folder to begin at. */
export function filesystemInterfaces(guest: GuestHost): Readonly<Record<string, object>> {
  return {
    "wasi:filesystem/preopens": {
      getDirectories: () => {
        guest.enter();
        return [];
      },
    },
    "wasi:filesystem/types": {
      Descriptor: NeverGiven,
      DirectoryEntryStream: NeverGiven,
      filesystemErrorCode: () => {
        guest.enter();
        return undefined;
      },
    },
  };
}

/** `wasi:sockets`: a network that lets nothing through. */
export function socketInterfaces(guest: GuestHost): Readonly<Record<string, object>> {
  const denied = () => {
    guest.enter();
    return err("access-denied");
  };
  return {
    "wasi:sockets/instance-network": {
      instanceNetwork: () => {
        guest.enter();
        return new Network(guest);
      },
    },
    "wasi:sockets/network": {
      Network,
      networkErrorCode: () => {
        guest.enter();
        return undefined;
      },
    },
    "wasi:sockets/ip-name-lookup": { resolveAddresses: denied, ResolveAddressStream: NeverGiven },
    "wasi:sockets/tcp": { TcpSocket: NeverGiven },
    "wasi:sockets/tcp-create-socket": { createTcpSocket: denied },
    "wasi:sockets/udp": {
      UdpSocket: NeverGiven,
      IncomingDatagramStream: NeverGiven,
      OutgoingDatagramStream: NeverGiven,
    },
    "wasi:sockets/udp-create-socket": { createUdpSocket: denied },
  };
}
