import queue
import threading
from collections.abc import Callable
from typing import Any

class KazooTimeoutError(Exception): ...

class SequentialThreadingHandler:
    callback_queue: queue.Queue[object]
    def __init__(self) -> None: ...
    def spawn(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> threading.Thread: ...
