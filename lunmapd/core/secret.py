"""Text that must not be shown."""

from typing import Final


class Secret:
    """A secret text. Neither its `str` nor its `repr` shows it, so it can't reach a log or a message by mistake."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: Final = text

    def reveal(self) -> str:
        """Return the text, for those who must have it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"
