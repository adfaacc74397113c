"""Settings of LIO that no map chooses: those of all TPGs, and those of Luns with a read-only map."""

from collections.abc import Mapping

from lunmapd.core.node import lio_objects

MARK = "lunmapd"
"""The TargetAlias of each of lunmapd's TPGs: it distinguishes them from those of other tools."""

PORT_ID = "rtpi"
"""The kernel feature of a settable relative target port id: each TPG has a file of this name."""

TPG_ATTRIBUTES: lio_objects.AttributeValues = (
    # Whether logins need CHAP; replaced by the value for the target's authentication.
    ("authentication", "0"),
    ("cache_dynamic_acls", "0"),
    # Discovery answers only initiators with an ACL, and a login does not create an ACL.
    ("demo_mode_discovery", "0"),
    ("demo_mode_write_protect", "1"),
    ("generate_node_acls", "0"),
    # A mapped LUN is read-only from its symlink until its own write protection is written.
    ("prod_mode_write_protect", "1"),
    # Discovery lists the portals of a TPG only while it is enabled, unless this is 0.
    ("tpg_enabled_sendtargets", "1"),
)

TPG_PARAMETERS: lio_objects.AttributeValues = (("TargetAlias", MARK),)

ADMITTING_ATTRIBUTES = frozenset(name for name, _ in TPG_ATTRIBUTES) - {"tpg_enabled_sendtargets"}
"""The attributes of a TPG that decide which initiators get access, and whether they may write."""

READ_ONLY_ATTRIBUTES: Mapping[str, str] = {"emulate_3pc": "0", "max_write_same_len": "0"}
"""EXTENDED COPY and WRITE SAME are off for a Lun with a read-only map.

LIO checks the write protection of a mapping by the direction of the data, when the command arrives
(transport_lookup_cmd_lun in drivers/target/target_core_device.c).
"""
