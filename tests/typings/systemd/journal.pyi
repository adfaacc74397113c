import logging
from collections.abc import Callable

def send(MESSAGE: str, **fields: object) -> None: ...

class JournalHandler(logging.Handler):
    def __init__(
        self, level: int = ..., sender_function: Callable[..., None] = ..., **fields: object
    ) -> None: ...
