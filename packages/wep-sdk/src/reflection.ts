import {
  create,
  createRegistry,
  type DescFile,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import {
  type ServerReflection,
  type ServerReflectionAlpha,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "@subnet-worker/protocol/grpc";

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;
type AlphaService = typeof ServerReflectionAlpha;

/** grpc.reflection.v1: tells standard gRPC tools what is served here. */
export function createReflection(services: readonly DescService[]): ServiceImpl<typeof ServerReflection> {
  const catalog = onceAsked(services);
  return {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        yield {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answer(catalog(), request),
        };
      }
    },
  };
}

/** The same under the older name. The messages of both are the same on the wire. */
export function createReflectionAlpha(
  services: readonly DescService[],
  { method }: AlphaService,
): ServiceImpl<AlphaService> {
  const catalog = onceAsked(services);
  const { input, output } = method.serverReflectionInfo;
  return {
    async *serverReflectionInfo(requests) {
      for await (const alpha of requests) {
        const originalRequest = fromBinary(ServerReflectionRequestSchema, toBinary(input, alpha));
        const messageResponse = answer(catalog(), originalRequest);
        const response = create(ServerReflectionResponseSchema, {
          validHost: alpha.host,
          originalRequest,
          messageResponse,
        });
        yield fromBinary(output, toBinary(ServerReflectionResponseSchema, response));
      }
    },
  };
}

interface Catalog {
  readonly services: readonly string[];
  readonly files: ReadonlyMap<string, DescFile>;
  readonly symbols: Registry;
}

/** Made for the first who asks: most servers are never asked. */
function onceAsked(services: readonly DescService[]): () => Catalog {
  let catalog: Catalog | undefined;
  return () => (catalog ??= catalogOf(services));
}

function catalogOf(services: readonly DescService[]): Catalog {
  const files = services.flatMap(({ file }) => withImports(file));
  return {
    services: services.map(({ typeName }) => typeName),
    files: new Map(files.map((file) => [file.proto.name, file])),
    symbols: createRegistry(...files),
  };
}

function withImports(file: DescFile): DescFile[] {
  const files = [file, ...file.dependencies.flatMap((imported) => withImports(imported))];
  return [...new Set(files)];
}

function answer(catalog: Catalog, { messageRequest }: ServerReflectionRequest): Answer {
  switch (messageRequest.case) {
    case "listServices": {
      const service = catalog.services.map((name) => ({ name }));
      return { case: "listServicesResponse", value: { service } };
    }
    case "fileByFilename":
      return fileAnswer(catalog.files.get(messageRequest.value), messageRequest.value);
    case "fileContainingSymbol":
      return fileAnswer(fileOf(catalog, messageRequest.value), messageRequest.value);
    case "allExtensionNumbersOfType": {
      const baseTypeName = messageRequest.value;
      // No message here can be extended.
      if (catalog.symbols.getMessage(baseTypeName) === undefined) return notFound(baseTypeName);
      return { case: "allExtensionNumbersResponse", value: { baseTypeName, extensionNumber: [] } };
    }
    case "fileContainingExtension":
      return notFound(`extension ${messageRequest.value.extensionNumber}`);
    case undefined:
      return failure(Code.InvalidArgument, "the request asks for nothing");
    default:
      return messageRequest satisfies never;
  }
}

/** The file of a type, a service, or of a method, field or value inside one. */
function fileOf({ symbols }: Catalog, symbol: string): DescFile | undefined {
  const outer = symbol.slice(0, Math.max(0, symbol.lastIndexOf(".")));
  return (symbols.get(symbol) ?? symbols.get(outer))?.file;
}

function fileAnswer(file: DescFile | undefined, asked: string): Answer {
  if (file === undefined) return notFound(asked);
  const fileDescriptorProto = withImports(file).map(({ proto }) =>
    toBinary(FileDescriptorProtoSchema, proto),
  );
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function notFound(asked: string): Answer {
  return failure(Code.NotFound, `${asked} is not known here; list the services first`);
}

function failure(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
