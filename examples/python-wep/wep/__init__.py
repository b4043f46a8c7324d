"""A worker execution process (WEP) in Python, on plain grpcio.

Write functions with the `handler` decorator, then call `main()`.
"""

from .handlers import Cancelled, Code, Context, TaskError, handler
from .server import main
from .storage import InputFile

__all__ = ["Cancelled", "Code", "Context", "InputFile", "TaskError", "handler", "main"]
