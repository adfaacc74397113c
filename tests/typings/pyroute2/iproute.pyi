from collections.abc import Iterable
from typing import Any

class IPRoute:
    def get_links(self) -> Iterable[Any]: ...
    def get_addr(self) -> Iterable[Any]: ...
    def addr(
        self,
        command: str,
        *,
        index: int,
        address: str,
        prefixlen: int,
        **rest: object,
    ) -> object: ...
    def close(self) -> None: ...
