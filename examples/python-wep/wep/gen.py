"""The messages, which protoc wrote into ../gen (see generate.sh)."""

import pathlib
import sys

# Generated code imports itself from the top.
sys.path.insert(0, str(pathlib.Path(__file__).parent.with_name("gen")))

from execution.v1 import execution_pb2 as pb  # noqa: E402
from execution.v1 import execution_pb2_grpc as pb_grpc  # noqa: E402
from grpc_health.v1 import health_pb2 as health_pb  # noqa: E402
from grpc_health.v1 import health_pb2_grpc as health_pb_grpc  # noqa: E402

__all__ = ["health_pb", "health_pb_grpc", "pb", "pb_grpc"]
