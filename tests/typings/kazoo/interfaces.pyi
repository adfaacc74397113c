from collections.abc import Callable
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")

class IAsyncResult(Generic[_T]):
    @property
    def exception(self) -> BaseException | None: ...
    def rawlink(self, callback: Callable[[Any], None]) -> None: ...
    def get(self, block: bool = ..., timeout: float | None = ...) -> _T: ...
