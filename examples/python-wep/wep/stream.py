"""One stream with one WCP. A thread reads it, the thread that grpcio gives us writes it, and neither
ever waits for a handler.

Messages numbered 20 and above go only to a peer that speaks 1.1.0.
"""

import random
import threading
import time
import uuid
from collections import deque

import grpc

from .gen import pb, pb_grpc
from .handlers import HANDLERS
from .log import log
from .storage import Transient

RANGE = ("1.0.0", "1.1.0")
AGENT = "python-wep/0.1.0"
INSTANCE_ID = str(uuid.uuid4())

HELLO_TIMEOUT_S = 10
PING_INTERVAL_S = 5
SILENCE_S = 15
#: A WCP that lets more than this wait for it gets no more of its messages read.
OUTBOX_LENGTH = 1_024
#: Messages that we take in one.
MAX_BATCH = 64


def triple(version: str):
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise ValueError(f'"{version}" is not a version; write it as 1.2.3')
    return tuple(int(part) for part in parts)


def negotiate(theirs) -> str:
    """The highest version in both ranges. Raises ValueError where there is none."""
    highest = min(RANGE[1], theirs.max, key=triple)
    if triple(highest) < max(triple(RANGE[0]), triple(theirs.min)):
        raise ValueError(
            f"we speak {RANGE[0]} to {RANGE[1]}, the peer {theirs.min} to {theirs.max}; "
            "upgrade the side with the lower range"
        )
    return highest


class Outbox:
    """What waits to be written. A message with a key takes the place of one that still waits."""

    def __init__(self):
        self._ready = threading.Condition()
        self._slots = deque()
        self._by_key = {}
        self.is_over = False

    def put(self, message, key=None) -> None:
        with self._ready:
            if self.is_over:
                return
            slot = self._by_key.get(key)
            if slot is not None:
                slot[1] = message
                return
            slot = [key, message]
            self._slots.append(slot)
            if key is not None:
                self._by_key[key] = slot
            self._ready.notify_all()

    def take(self, timeout_s: float, most: int):
        """The next ones, at most so many; none when there are none in time, or never will be."""
        with self._ready:
            self._ready.wait_for(lambda: self._slots or self.is_over, timeout_s)
            taken = [self._slots.popleft() for _ in range(min(most, len(self._slots)))]
            for key, _message in taken:
                self._by_key.pop(key, None)
            self._ready.notify_all()
            return [message for _key, message in taken]

    def wait_for_room(self) -> None:
        with self._ready:
            self._ready.wait_for(lambda: len(self._slots) < OUTBOX_LENGTH or self.is_over)

    def wait_until_empty(self) -> None:
        with self._ready:
            self._ready.wait_for(lambda: not self._slots or self.is_over)

    def end(self) -> None:
        with self._ready:
            self.is_over = True
            self._ready.notify_all()


class Session:
    def __init__(self, table, context, tags=()):
        self.has_additions = False
        self.node_id = ""
        self._max_batch = 1
        self._table = table
        self._context = context
        self._tags = tags
        self._outbox = Outbox()
        self._is_open = False
        self._is_peer_done = False
        self._heard_at = time.monotonic()
        self._failure = None
        self._grants = {}
        self._grants_lock = threading.Lock()
        self._next_request_id = 1

    def serve(self, requests):
        """All that we say on this stream."""
        if not self._context.add_callback(self._close):
            return
        threading.Thread(target=self._read, args=(requests,), name="stream reader", daemon=True).start()
        ping_at = time.monotonic() + PING_INTERVAL_S
        try:
            while True:
                messages = self._outbox.take(1, self._max_batch)
                if len(messages) > 1:
                    yield pb.Envelope(batch=pb.Batch(envelopes=messages))
                elif messages:
                    yield messages[0]
                elif self._outbox.is_over:
                    break
                now = time.monotonic()
                self._check_silence(now)
                if self.has_additions and now >= ping_at:
                    ping_at = now + PING_INTERVAL_S
                    yield pb.Envelope(ping=pb.Ping(nonce=random.getrandbits(47)))
                if self._is_peer_done and self._table.open_runs_of(self) == 0:
                    self._outbox.end()
        finally:
            self._close()
        if self._failure is not None:
            self._context.abort(*self._failure)

    # ---- what runs have to say

    def send_ack(self, assign) -> None:
        self._send(ack=pb.Ack(activity_id=assign.activity_id, run_id=assign.run_id))

    def send_refusal(self, assign, code, reason) -> None:
        ids = {"activity_id": assign.activity_id, "run_id": assign.run_id}
        text = f"[{code.name}] {reason}"
        if self.has_additions:
            self._send(rejection=pb.Rejection(**ids, error_code=code, reason=text))
        else:
            self._send(completion=pb.Completion(**ids, status="ERROR", error=text))

    def send_progress(self, run) -> None:
        ids = {"activity_id": run.assign.activity_id, "run_id": run.assign.run_id}
        progress = pb.Progress(
            **ids, percent=run.percent, message=run.message, checkpoint_ref=run.checkpoint
        )
        self._send(key=("progress", *ids.values()), progress=progress)

    def send_completion(self, completion) -> None:
        self._send(completion=completion)

    def send_capacity(self, slots: int) -> None:
        self._send(key="capacity", capacity=pb.CapacityUpdate(available_slots=slots))

    def send_inventory(self, runs) -> None:
        if not self.has_additions:
            return
        statuses = [
            pb.RunStatus(
                activity_id=run.assign.activity_id,
                run_id=run.assign.run_id,
                state="running" if run.is_open else "finished",
                percent=run.percent,
                checkpoint_ref=run.checkpoint,
            )
            for run in runs
        ]
        self._send(inventory=pb.Inventory(runs=statuses))

    def send_drain(self) -> None:
        self._send(key="drain", drain=pb.Drain(reason="the worker is shutting down"))

    def request_upload(self, ask, stopped, timeout_s: float):
        with self._grants_lock:
            ask.request_id = self._next_request_id
            self._next_request_id += 1
            waiting = self._grants[ask.request_id] = [threading.Event(), None]
        self._send(upload_request=ask)
        deadline = time.monotonic() + timeout_s
        try:
            while not waiting[0].wait(0.1):
                if stopped.is_set() or self._outbox.is_over or time.monotonic() > deadline:
                    raise Transient("the WCP did not answer")
            return waiting[1]
        finally:
            with self._grants_lock:
                del self._grants[ask.request_id]

    # ---- what the peer says

    def _read(self, requests) -> None:
        try:
            for request in requests:
                self._heard_at = time.monotonic()
                self._receive(request)
                self._outbox.wait_for_room()
            self._is_peer_done = True
        except grpc.RpcError:
            pass  # the stream is gone; _close hears of it
        except Exception as error:  # a defect of ours must not leave a stream that nobody reads
            log("message could not be handled; stream ended", level="error", error=repr(error))
            self._fail(grpc.StatusCode.INTERNAL, "internal error; see the log of the worker")

    def _receive(self, request) -> None:
        kind = request.WhichOneof("msg")
        if not self._is_open:
            self._hello(request, kind)
        elif kind == "assign":
            self._table.assign(request.assign, self)
        elif kind == "cancel":
            cancel = request.cancel
            log("cancel received", activity_id=cancel.activity_id, run_id=cancel.run_id, reason=cancel.reason)
            self._table.cancel(cancel, self)
        elif kind == "completion_ack":
            self._table.acknowledge(request.completion_ack)
        elif kind == "upload_grant":
            with self._grants_lock:
                waiting = self._grants.get(request.upload_grant.request_id)
            if waiting is not None:
                waiting[1] = request.upload_grant
                waiting[0].set()
        elif kind == "batch":
            for each in request.batch.envelopes:
                self._receive(each)
        elif kind == "ping":
            self._send(pong=pb.Pong(nonce=request.ping.nonce))
        # The rest, of this version or a later one, needs no answer.

    def _hello(self, request, kind) -> None:
        if kind != "hello":
            self._fail(grpc.StatusCode.INVALID_ARGUMENT, f"the first message must be hello, not {kind}")
            return
        hello = request.hello
        try:
            version = negotiate(hello)
        except ValueError as error:
            log("WCP refused", level="warn", agent=hello.agent, reason=str(error))
            self._fail(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            return
        self.has_additions = triple(version) >= (1, 1, 0)
        self.node_id = hello.node_id
        self._is_open = True
        log("WCP connected", protocol=version, agent=hello.agent, node_id=hello.node_id)
        ours = pb.Version(min=RANGE[0], max=RANGE[1])
        capabilities = pb.Capabilities(max_concurrency=self._table.max_concurrency, tags=self._tags)
        if self.has_additions:
            ours.instance_id, ours.agent, ours.max_batch = INSTANCE_ID, AGENT, MAX_BATCH
            capabilities.kinds.extend(pb.TaskKind(kind=kind, version=version) for kind, version in HANDLERS)
            capabilities.inventory_follows = True
        self._send(hello_ack=ours)
        # Nothing shares a message with it: the WCP learns from it whether we take batches at all.
        self._outbox.wait_until_empty()
        if self.has_additions:
            self._max_batch = max(1, min(hello.max_batch, OUTBOX_LENGTH))
        self._send(capabilities=capabilities)
        self._table.attach(self)
        if self._outbox.is_over:
            self._table.detach(self)  # the stream went meanwhile

    # ---- the end

    def _check_silence(self, now: float) -> None:
        silent_s = now - self._heard_at
        if not self._is_open and silent_s > HELLO_TIMEOUT_S:
            self._fail(grpc.StatusCode.DEADLINE_EXCEEDED, f"no hello within {HELLO_TIMEOUT_S} s")
        elif self.has_additions and silent_s > SILENCE_S and not self._is_peer_done:
            log("WCP is silent: stream dropped, its runs go on", level="warn", silent_s=round(silent_s))
            self._fail(grpc.StatusCode.UNAVAILABLE, f"nothing heard for {silent_s:.0f} s")

    def _send(self, key=None, **message) -> None:
        self._outbox.put(pb.Envelope(**message), key)

    def _fail(self, code, text: str) -> None:
        self._failure = self._failure or (code, text)
        self._outbox.end()

    def _close(self) -> None:
        self._outbox.end()
        self._table.detach(self)
        if self._is_open:
            self._is_open = False
            log("WCP disconnected")


class Execution(pb_grpc.ExecutionServicer):
    def __init__(self, table, tags=()):
        self._table = table
        self._tags = tags

    def TaskStream(self, requests, context):
        return Session(self._table, context, self._tags).serve(requests)
