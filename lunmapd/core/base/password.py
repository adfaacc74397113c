"""A password in the clear. It stands apart from secrets.py, so that the worker can carry one without the memory that AES takes."""

from typing import Any

from msgspec import Struct


class Secret(Struct, frozen=True):
    """A password in the clear. It never shows itself; `text` is read only where it is sealed or handed to the kernel."""

    text: str

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("text", "***")]
