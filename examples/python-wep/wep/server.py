"""The process: command line, port, signals."""

import argparse
import os
import pathlib
import signal
import sys
import threading
from concurrent import futures

import grpc

from .gen import health_pb_grpc, pb_grpc
from .handlers import HANDLERS
from .health import MAX_WATCHES, Health
from .log import log
from .runs import RunTable
from .stream import Execution

#: Each takes a thread; one WCP has one stream.
MAX_STREAMS = 32

SIGNAL_LOOK_S = 0.5

OPTIONS = [
    ("grpc.so_reuseport", 0),  # or two processes could share the port without knowing
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
]

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def main(argv=None) -> None:
    """Serves the handlers until SIGTERM or SIGINT, then drains. Ends the process with 0."""
    args = _arguments(argv)
    if not HANDLERS:
        sys.exit("no handlers: put @handler(...) before a function")
    table = RunTable(args.max_concurrency, args.handler_timeout_s)
    pool = futures.ThreadPoolExecutor(max_workers=MAX_STREAMS + MAX_WATCHES, thread_name_prefix="stream")
    server = grpc.server(pool, options=OPTIONS)
    pb_grpc.add_ExecutionServicer_to_server(Execution(table, args.tag), server)
    health_pb_grpc.add_HealthServicer_to_server(Health(table), server)
    port = _listen(server, args)
    server.start()
    ended = threading.Event()

    def on_signal(number, _frame):
        if ended.is_set():
            os._exit(1)  # the second one: now
        ended.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    kinds = ", ".join(" ".join(name) for name in HANDLERS)
    log("wep listening", host=args.host, port=port, kinds=kinds, max_concurrency=args.max_concurrency)
    # Not for ever: a signal that comes as a wait begins is heard only when that wait is over.
    while not ended.wait(SIGNAL_LOOK_S):
        pass
    table.drain(args.grace_s)
    server.stop(1).wait()
    log("wep stopped")
    # A handler that does not stop would hold the process for ever.
    sys.stdout.flush()
    os._exit(0)


def _listen(server, args) -> int:
    address = f"[{args.host}]:{args.port}" if ":" in args.host else f"{args.host}:{args.port}"
    port = 0
    try:
        if args.tls_cert is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, _credentials(args))
    except RuntimeError as error:
        log("cannot listen", level="error", reason=str(error))
    if port == 0:
        log(f"{address} is not to be had; give another --port, or end what holds it", level="fatal")
        sys.exit(75)
    return port


def _credentials(args):
    """The WCP must show a certificate of the same authority."""
    pair = (args.tls_key.read_bytes(), args.tls_cert.read_bytes())
    return grpc.ssl_server_credentials([pair], args.tls_ca.read_bytes(), require_client_auth=True)


def _arguments(argv):
    parser = argparse.ArgumentParser(description="Runs handlers for a WCP.")
    parser.add_argument("--host", default="127.0.0.1", help="default 127.0.0.1")
    parser.add_argument("--port", type=int, default=7070, help="default 7070; 0 picks a free one")
    parser.add_argument("--max-concurrency", type=int, default=os.cpu_count() or 1, help="runs at once")
    parser.add_argument("--handler-timeout-s", type=float, default=600, help="default 600")
    parser.add_argument("--grace-s", type=float, default=15, help="for runs, after SIGTERM; default 15")
    parser.add_argument("--tag", action="append", default=[], help="told to the WCP; may be repeated")
    for name in ("cert", "key", "ca"):
        parser.add_argument(f"--tls-{name}", type=pathlib.Path, help="PEM file, for mutual TLS")
    args = parser.parse_args(argv)
    tls = [args.tls_cert, args.tls_key, args.tls_ca]
    if any(tls) and not all(tls):
        parser.error("--tls-cert, --tls-key and --tls-ca go together")
    if not any(tls) and args.host not in LOOPBACK:
        parser.error(f"plain text is for loopback only: to listen on {args.host}, give the --tls files")
    if args.max_concurrency < 1:
        parser.error("--max-concurrency must be at least 1")
    return args
