"""The runs of this process, over all its streams: who may start, and who is still owed a completion.

A run outlives the stream it was assigned on. Its completion is kept until the WCP has acknowledged it,
and sent again whenever the same run is assigned again. One lock guards all of it; handlers run outside.
"""

import threading
import time

from .gen import pb
from .handlers import HANDLERS, Cancelled, Code, Context, TaskError
from .log import log
from .storage import InputFile, Transient
from .values import from_wire, to_wire

#: How often the watch looks: progress that waits, deadlines, heartbeats.
TICK_S = 0.2
#: How long a handler that was told to stop may take; its run then ends without it.
ABORT_GRACE_S = 5
ACK_WAIT_S = 2
KEPT_COMPLETIONS = 1_000
KEPT_FOR_S = 600
MAX_ERROR_CHARS = 4_096
MAX_CHECKPOINT_CHARS = 64 * 1024

WORDS = {
    "requested": "it was cancelled",
    "deadline": "its time was over",
    "lease_lost": "its lease was lost",
    "drain": "the worker is shutting down",
    "superseded": "a newer run of the same activity replaced it",
}


class Run:
    """One execution of a task."""

    def __init__(self, assign, node_id, handler, table):
        self.assign = assign
        self.node_id = node_id
        self.handler = handler
        self.workflow_inputs = {}
        self.stopped = threading.Event()
        self.stop_reason = ""
        self.stopped_at = 0.0
        self.started_at = self.ended_at = time.monotonic()
        self.has_thread = True
        #: Its completion is stored elsewhere; it is here only until its handler returns.
        self.is_forgotten = False
        self.session = None
        self.completion = None
        self.percent, self.message, self.checkpoint = 0, "", ""
        self.sent_checkpoint = ""
        self.has_news = True  # the first report says that it has begun
        self.reported_at = 0.0
        self._table = table

    @property
    def is_open(self) -> bool:
        return self.completion is None

    def report(self, percent, message, checkpoint) -> None:
        self.percent = min(100, max(0, round(percent)))
        self.message = message
        if len(checkpoint) > MAX_CHECKPOINT_CHARS:
            self.log("checkpoint is too long and was left out", chars=len(checkpoint))
        elif checkpoint:
            self.checkpoint = checkpoint
        self.has_news = True

    def request_upload(self, name, media_type, size, timeout_s):
        """The WCP's answer. Raises Transient when there is no stream, or no answer on it."""
        deadline = time.monotonic() + timeout_s
        while self.session is None and time.monotonic() < deadline and not self.stopped.is_set():
            time.sleep(TICK_S)
        session = self.session
        if session is None:
            raise Transient("no WCP is connected")
        if not session.has_additions:
            raise TaskError(Code.PERMISSION_DENIED, "this WCP speaks 1.0.0, which knows no uploads")
        ask = pb.UploadRequest(
            activity_id=self.assign.activity_id,
            run_id=self.assign.run_id,
            name=name,
            media_type=media_type,
            size_bytes=size,
        )
        return session.request_upload(ask, self.stopped, timeout_s)

    def log(self, message, **fields) -> None:
        log(message, activity_id=self.assign.activity_id, run_id=self.assign.run_id, **fields)

    def work(self) -> None:
        """Runs the handler; on a thread of its own."""
        context = Context(self)

        def open_file(descriptor):
            return InputFile(descriptor, context)

        try:
            context.workflow_inputs = {
                each.name: from_wire(each, open_file) for each in self.assign.workflow_inputs
            }
            inputs = {each.name: from_wire(each, open_file) for each in self.assign.inputs}
            result = to_wire(self.handler.run(inputs, context))
            # Work that was finished all the same is not thrown away.
            completion = pb.Completion(status="SUCCESS", result_inline=result)
        except Cancelled:
            completion = cancelled(self.stop_reason)
        except BaseException as error:  # whatever a handler does, its run ends with an answer
            completion = cancelled(self.stop_reason) if self.stopped.is_set() else failed(error)
        self._table.settle(self, completion, from_thread=True)


def failed(error: BaseException):
    if isinstance(error, TaskError):
        text, code, retryable = str(error), error.code, error.retryable
    else:
        text, code, retryable = f"{type(error).__name__}: {error}", Code.EXECUTION_FAILED, False
    return pb.Completion(
        status="ERROR",
        error=text[:MAX_ERROR_CHARS],
        error_code=code,
        retryable=retryable,
        retry_after_ms=round(getattr(error, "retry_after_s", 0) * 1000),
    )


def cancelled(reason: str):
    code = Code.CANCELLED_BY_TIMEOUT if reason == "deadline" else Code.CANCELLED_BY_USER
    return pb.Completion(
        status="ERROR",
        error=f"[{code.name}] the run was stopped because {WORDS[reason]} ({reason})",
        error_code=code,
        retryable=reason == "drain",  # nothing is wrong with a run that only lost its worker
    )


class RunTable:
    def __init__(self, max_concurrency: int, handler_timeout_s: float):
        self.max_concurrency = max_concurrency
        self.is_draining = False
        self._handler_timeout_s = handler_timeout_s
        self._runs = {}
        self._sessions = set()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._announced = max_concurrency
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    # ---- what streams tell

    def attach(self, session) -> None:
        """A new stream: it is told what is free and what is here of its node."""
        with self._lock:
            self._sessions.add(session)
            session.send_capacity(self._free())
            session.send_inventory(
                [
                    run
                    for run in self._runs.values()
                    if run.node_id == session.node_id and not run.is_forgotten
                ]
            )
            if self.is_draining:
                session.send_drain()

    def detach(self, session) -> None:
        """The stream is gone; its runs go on."""
        with self._lock:
            self._sessions.discard(session)
            for run in self._runs.values():
                if run.session is session:
                    run.session = None

    def assign(self, assign, session) -> None:
        with self._lock:
            key = (assign.activity_id, assign.run_id)
            run = self._runs.get(key)
            if run is not None and run.stop_reason != "superseded":
                run.is_forgotten = False
                session.send_ack(assign)
                run.session = session
                run.has_news = run.is_open
                run.log("run re-attached")
                self._send_completion(run)
                return
            refusal = self._refusal(assign, session)
            if refusal is not None:
                log("assignment refused", activity_id=key[0], run_id=key[1], reason=refusal[1])
                session.send_refusal(assign, *refusal)
                return
            session.send_ack(assign)
            handler = HANDLERS[assign.task_kind, assign.task_version]
            run = self._runs[key] = Run(assign, session.node_id, handler, self)
            run.session = session
            run.log("run started", kind=handler.kind, attempt=assign.attempt, resumes=bool(assign.checkpoint_ref))
            threading.Thread(target=run.work, name=f"run {assign.run_id}", daemon=True).start()
            self._announce()

    def cancel(self, cancel, session) -> None:
        """Stops the runs of an activity, or the one that is named. One that has ended says so once more."""
        reason = cancel.reason if cancel.reason in WORDS else "requested"
        with self._lock:
            for run in self._of_activity(cancel.activity_id, session.node_id):
                if cancel.run_id not in ("", run.assign.run_id):
                    continue
                run.session = session
                self._stop(run, reason)
                self._send_completion(run)

    def acknowledge(self, ack) -> None:
        """The WCP has stored the completion."""
        with self._lock:
            run = self._runs.get((ack.activity_id, ack.run_id))
            if run is not None and not run.is_open:
                self._forget(run)

    def open_runs_of(self, session) -> int:
        with self._lock:
            return sum(run.is_open and run.session is session for run in self._runs.values())

    # ---- what runs tell

    def settle(self, run, completion, from_thread=False) -> None:
        with self._lock:
            run.has_thread = run.has_thread and not from_thread
            if run.is_open:
                run.ended_at = time.monotonic()
                self._send_progress(run, only_news=True)
                completion.activity_id = run.assign.activity_id
                completion.run_id = run.assign.run_id
                completion.latency_ms = round((run.ended_at - run.started_at) * 1000)
                run.completion = completion
                run.log(
                    "run ended",
                    status=Code(completion.error_code).name if completion.error_code else completion.status,
                    error=completion.error or None,
                    latency_ms=completion.latency_ms,
                )
                if run.stop_reason == "superseded":
                    self._forget(run)  # nobody waits for it
                else:
                    self._send_completion(run)
                    self._drop_excess()
            elif run.is_forgotten:
                self._forget(run)  # a handler that returned at last
            self._announce()

    # ---- the end

    def drain(self, grace_s: float) -> None:
        """Takes nothing new, lets runs end for so long, then stops them; returns when all is said."""
        with self._lock:
            self.is_draining = True
            for session in self._sessions:
                session.send_drain()
            self._announce()
            log("draining", grace_s=grace_s, running=sum(run.is_open for run in self._runs.values()))

            def is_quiet():
                return not any(run.is_open for run in self._runs.values())

            if not self._changed.wait_for(is_quiet, grace_s):
                for run in list(self._runs.values()):
                    self._stop(run, "drain")
                self._changed.wait_for(is_quiet, ABORT_GRACE_S + 1)
            self._changed.wait_for(lambda: not any(run.session for run in self._runs.values()), ACK_WAIT_S)
            log("drained", unacknowledged=len(self._runs))

    def wait_for_drain(self, timeout_s: float) -> None:
        """Returns when a drain has begun, or the time is over."""
        with self._lock:
            self._changed.wait_for(lambda: self.is_draining, timeout_s)

    # ---- with the lock held

    def _refusal(self, assign, session):
        if not assign.activity_id:
            return Code.MISSING_REQUIRED_FIELD, "the assignment has no activity_id"
        if (assign.task_kind, assign.task_version) not in HANDLERS:
            known = ", ".join(" ".join(name) for name in HANDLERS) or "none"
            return (
                Code.INVALID_INPUT,
                f"no handler for {assign.task_kind} {assign.task_version} here; there is: {known}",
            )
        if self.is_draining:
            return Code.SYSTEM_OVERLOAD, "this worker is draining; assign elsewhere"
        for older in self._of_activity(assign.activity_id, session.node_id):
            self._stop(older, "superseded")
        if (assign.activity_id, assign.run_id) in self._runs:
            return Code.SYSTEM_OVERLOAD, "this very run was superseded and still stops; assign a new run_id"
        if self._free() == 0:
            return Code.SYSTEM_OVERLOAD, f"all {self.max_concurrency} slots are busy; wait for capacity"
        return None

    def _of_activity(self, activity_id, node_id):
        return [
            run
            for run in self._runs.values()
            if run.assign.activity_id == activity_id and run.node_id == node_id
        ]

    def _free(self) -> int:
        busy = sum(run.has_thread for run in self._runs.values())
        return 0 if self.is_draining else max(0, self.max_concurrency - busy)

    def _announce(self) -> None:
        free = self._free()
        if free != self._announced:
            self._announced = free
            for session in self._sessions:
                session.send_capacity(free)
        self._changed.notify_all()

    def _stop(self, run, reason: str) -> None:
        if run.is_open and not run.stopped.is_set():
            run.log("run stopping", reason=reason)
            run.stop_reason, run.stopped_at = reason, time.monotonic()
            run.stopped.set()

    def _send_progress(self, run, only_news=False) -> None:
        if run.session is not None and (run.has_news or not only_news):
            run.has_news, run.reported_at = False, time.monotonic()
            run.session.send_progress(run)
            if run.checkpoint != run.sent_checkpoint:
                run.sent_checkpoint = run.checkpoint
                run.log("checkpoint sent", percent=run.percent, chars=len(run.checkpoint))

    def _send_completion(self, run) -> None:
        if run.completion is not None and run.session is not None:
            run.session.send_completion(run.completion)
            # 1.0.0 knows no acknowledgement: what the stream took has to count.
            if not run.session.has_additions:
                self._forget(run)

    def _forget(self, run) -> None:
        run.session, run.is_forgotten = None, True
        if not run.has_thread:
            self._runs.pop((run.assign.activity_id, run.assign.run_id), None)
        self._changed.notify_all()

    def _drop_excess(self) -> None:
        ended = [run for run in self._runs.values() if not run.is_open and not run.has_thread]
        for run in ended[: max(0, len(ended) - KEPT_COMPLETIONS)]:
            run.log("completion dropped: too many are kept that no WCP acknowledged")
            self._forget(run)

    def _watch(self) -> None:
        while True:
            time.sleep(TICK_S)
            with self._lock:
                now = time.monotonic()
                for run in list(self._runs.values()):
                    self._look_after(run, now)

    def _look_after(self, run, now: float) -> None:
        if not run.is_open:
            if not run.has_thread and now - run.ended_at > KEPT_FOR_S:
                run.log("completion dropped: no WCP acknowledged it")
                self._forget(run)
            return
        deadline_ms = run.assign.deadline_unix_ms
        if now - run.started_at > self._handler_timeout_s or 0 < deadline_ms <= time.time() * 1000:
            self._stop(run, "deadline")
        if run.stopped.is_set() and now - run.stopped_at > ABORT_GRACE_S:
            run.log("handler does not stop: the run ends without it, its slot stays taken until it returns")
            self.settle(run, cancelled(run.stop_reason))
            return
        # At least as often as the WCP asks for; twice, since a message may be late.
        every_s = run.assign.heartbeat_interval_s / 2
        self._send_progress(run, only_news=every_s == 0 or now - run.reported_at < every_s)
