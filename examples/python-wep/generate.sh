#!/bin/sh
# Writes gen/ from proto/. Needs protoc 3.21 and grpc_python_plugin (Debian: protobuf-compiler,
# protobuf-compiler-grpc), whose code runs with every later protobuf and grpcio.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/gen}
proto=$here/../../proto
mkdir -p "$out"
generate() {
  protoc -I "$1" --python_out="$out" --pyi_out="$out" --grpc_python_out="$out" \
    --plugin=protoc-gen-grpc_python="$(command -v grpc_python_plugin)" "$2"
}
generate "$proto" execution/v1/execution.proto
# In the place that grpcio-health-checking has: one named grpc would be hidden by the package grpc.
generate "grpc_health=$proto/grpc/health" grpc_health/v1/health.proto
