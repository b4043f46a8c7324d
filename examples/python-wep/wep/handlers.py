"""What the author of a handler meets: the decorator, the context, and the errors."""

import enum
from dataclasses import dataclass
from typing import Callable, Dict, Tuple


class Code(enum.IntEnum):
    """Why a task failed: 1xxx validation, 2xxx execution, 3xxx network, 4xxx system, 5xxx cancellation."""

    INVALID_INPUT = 1001
    MISSING_REQUIRED_FIELD = 1002
    INVALID_FORMAT = 1003
    EXECUTION_FAILED = 2001
    RESOURCE_UNAVAILABLE = 2002
    PERMISSION_DENIED = 2003
    QUOTA_EXCEEDED = 2004
    NETWORK_ERROR = 3001
    CONNECTION_TIMEOUT = 3002
    HTTP_ERROR = 3003
    INTERNAL_ERROR = 4001
    SYSTEM_OVERLOAD = 4002
    CANCELLED_BY_USER = 5001
    CANCELLED_BY_TIMEOUT = 5002


RETRYABLE = frozenset(
    {Code.RESOURCE_UNAVAILABLE, Code.NETWORK_ERROR, Code.CONNECTION_TIMEOUT, Code.SYSTEM_OVERLOAD}
)


class TaskError(Exception):
    """Ends a run. The message reaches whoever asked for the work: say what is wrong with what they sent.

    `retryable` says whether running again may help; by default the code decides.
    """

    def __init__(self, code: Code, message: str, *, retryable: bool = None, retry_after_s: float = 0):
        super().__init__(f"[{code.name}] {message}")
        self.code = code
        self.retryable = code in RETRYABLE if retryable is None else retryable
        self.retry_after_s = retry_after_s


class Cancelled(Exception):
    """The run was told to stop. Let it pass through: the run then counts as cancelled.

    `reason` is requested, deadline, lease_lost, drain or superseded.
    """

    def __init__(self, reason: str):
        super().__init__(f"the run was stopped ({reason})")
        self.reason = reason


@dataclass(frozen=True)
class Handler:
    kind: str
    version: str
    run: Callable


HANDLERS: Dict[Tuple[str, str], Handler] = {}


def handler(kind: str, version: str):
    """Makes a function the handler of a kind of task. It gets the inputs by name and a `Context`,
    and returns the outputs by name."""

    def register(function: Callable) -> Callable:
        if (kind, version) in HANDLERS:
            raise ValueError(f"two handlers are named {kind} {version}; change the kind or version of one")
        HANDLERS[kind, version] = Handler(kind, version, function)
        return function

    return register


class Context:
    """What a handler can do besides returning. Its methods raise `Cancelled` once the run is to stop."""

    def __init__(self, run):
        self._run = run
        assign = run.assign
        self.activity_id: str = assign.activity_id
        self.run_id: str = assign.run_id
        #: 1 for the first attempt of this activity.
        self.attempt: int = assign.attempt or 1
        #: What an attempt before this one gave to `progress` as its last checkpoint; "" for none.
        self.checkpoint: str = assign.checkpoint_ref
        #: What the whole workflow was started with, by name.
        self.workflow_inputs: dict = run.workflow_inputs
        #: Trace context and correlation ids.
        self.metadata: dict = dict(assign.metadata)

    def progress(self, percent: float, message: str = "", checkpoint: str = "") -> None:
        """Says how far the run is, 0 to 100. Costs nothing: reports are sent a few times a second at most.

        From `checkpoint`, a text of your own of at most some KB, another attempt could go on.
        """
        self.check()
        self._run.report(percent, message, checkpoint)

    def check(self) -> None:
        """Raises `Cancelled` if the run is to stop. Call it in long loops."""
        if self._run.stopped.is_set():
            raise Cancelled(self._run.stop_reason)

    def wait(self, seconds: float) -> None:
        """Sleeps; wakes to raise `Cancelled`."""
        self._run.stopped.wait(seconds)
        self.check()

    def upload(self, name: str, data, media_type: str = "application/octet-stream") -> str:
        """Stores bytes, a text, or the file at a `pathlib.Path` as an object of this run; returns its key."""
        from .storage import upload

        return upload(self, self._run, name, data, media_type)

    def log(self, message: str, **fields) -> None:
        self._run.log(message, **fields)
