"""grpc.health.v1, which standard gRPC tools, load balancers and Kubernetes ask: NOT_SERVING while
this process drains.
"""

import threading

import grpc

from .gen import health_pb, health_pb_grpc

#: Each takes a thread for as long as it watches.
MAX_WATCHES = 8

#: The server as a whole, and the one service that has a health of its own.
SERVICES = ("", "execution.v1.Execution")

#: How soon a watch that its client has left is noticed.
LOOK_EVERY_S = 1

Status = health_pb.HealthCheckResponse


class Health(health_pb_grpc.HealthServicer):
    def __init__(self, table):
        self._table = table
        self._watches = threading.BoundedSemaphore(MAX_WATCHES)

    def Check(self, request, context):
        if request.service not in SERVICES:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service} here; ask for {SERVICES[1]}")
        return Status(status=self._status(request.service))

    def Watch(self, request, context):
        if not self._watches.acquire(blocking=False):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{MAX_WATCHES} watch already; use Check")
        ended = threading.Event()
        try:
            if not context.add_callback(ended.set):
                return  # it has ended
            status = self._status(request.service)
            yield Status(status=status)
            while status == Status.SERVING and not ended.is_set():
                self._table.wait_for_drain(LOOK_EVERY_S)
                status = self._status(request.service)
                if status != Status.SERVING:
                    yield Status(status=status)
            ended.wait()  # nothing changes any more, and only the client or the server ends a watch
        finally:
            self._watches.release()

    def _status(self, service: str):
        if service not in SERVICES:
            return Status.SERVICE_UNKNOWN
        return Status.NOT_SERVING if self._table.is_draining else Status.SERVING
