from rtslib_fb.node import CFSNode

class StorageObject(CFSNode):
    def _config_pr_aptpl(self) -> None: ...

class FileIOStorageObject(StorageObject):
    def __init__(
        self,
        name: str,
        dev: str | None = None,
        size: int | None = None,
        wwn: str | None = None,
        write_back: bool = False,
        aio: bool = False,
        index: int | None = None,
    ) -> None: ...

class RDMCPStorageObject(StorageObject):
    def __init__(
        self,
        name: str,
        size: int | None = None,
        wwn: str | None = None,
        nullio: bool = False,
        index: int | None = None,
    ) -> None: ...

class PSCSIStorageObject(StorageObject):
    def __init__(self, name: str, dev: str | None = None, index: int | None = None) -> None: ...

class UserBackedStorageObject(StorageObject):
    def __init__(
        self,
        name: str,
        config: str | None = None,
        size: int | None = None,
        wwn: str | None = None,
        hw_max_sectors: int | None = None,
        control: str | None = None,
        index: int | None = None,
    ) -> None: ...

class BlockStorageObject(StorageObject):
    def __init__(
        self,
        name: str,
        dev: str | None = None,
        wwn: str | None = None,
        readonly: bool = False,
        write_back: bool = False,
        index: int | None = None,
    ) -> None: ...
