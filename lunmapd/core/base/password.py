"""A password in the clear.

It has a module of its own so that the worker, which carries passwords, does not load AES (secrets/aes.py).
"""

from typing import Any

from msgspec import Struct


class Secret(Struct, frozen=True):
    """A password in the clear. Its repr hides it; `text` is read only to seal it or to write it to LIO."""

    text: str

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("text", "***")]
