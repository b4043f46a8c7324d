"""The messages, which protoc wrote into ../gen (see generate.sh)."""

import pathlib
import sys

# Generated code imports itself from the top.
sys.path.insert(0, str(pathlib.Path(__file__).parent.with_name("gen")))

from execution.v1 import execution_pb2 as pb  # noqa: E402
from execution.v1 import execution_pb2_grpc as pb_grpc  # noqa: E402

__all__ = ["pb", "pb_grpc"]
