from collections.abc import Iterator
from typing import Any

from rtslib_fb import utils as utils
from rtslib_fb.node import CFSNode

class RTSRoot(CFSNode):
    _preferred_dbroot: str
    dbroot: str
    def restore(self, config: dict[str, Any], *, clear_existing: bool = ...) -> list[str]: ...
    def clear_existing(self, *, confirm: bool = ...) -> None: ...

class FabricModule(CFSNode):
    discovery_enable_auth: bool
    discovery_userid: str
    discovery_password: str
    discovery_mutual_userid: str
    discovery_mutual_password: str
    def __init__(self, name: str) -> None: ...

class Target(CFSNode):
    fabric_module: CFSNode
    wwn: str
    wwn_type: str
    def __init__(self, fabric_module: CFSNode, wwn: str | None = None, mode: str = "any") -> None: ...

class TPG(CFSNode):
    enable: bool
    def __init__(self, parent_target: Target, tag: int | None = None, mode: str = "any") -> None: ...
    @property
    def luns(self) -> Iterator[LUN]: ...

class LUN(CFSNode):
    def __init__(
        self,
        parent_tpg: TPG,
        lun: int | None = None,
        storage_object: CFSNode | None = None,
        alias: str | None = None,
    ) -> None: ...

class NodeACL(CFSNode):
    _parent_tpg: TPG
    _node_wwn: str
    wwn_type: str
    chap_userid: str
    chap_password: str
    chap_mutual_userid: str
    chap_mutual_password: str
    def __init__(self, parent_tpg: TPG, node_wwn: str, mode: str = "any") -> None: ...

class MappedLUN(CFSNode):
    write_protect: bool
    def __init__(
        self,
        parent_nodeacl: NodeACL,
        mapped_lun: int,
        tpg_lun: LUN | int | None = None,
        write_protect: bool | None = None,
        alias: str | None = None,
    ) -> None: ...
