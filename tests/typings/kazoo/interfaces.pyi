from typing import Generic, TypeVar

_T = TypeVar("_T")

class IAsyncResult(Generic[_T]):
    def get(self, block: bool = ..., timeout: float | None = ...) -> _T: ...
