"""The attributes and parameters of LIO that a map may set: their values, defaults, and when they can be set.

Sources: drivers/target/target_core_configfs.c (storage attributes, and those that are refused while the
device is exported), target_core_user.c, drivers/target/iscsi/iscsi_target_tpg.c and
iscsi_target_parameters.c. The defaults are those of Linux 6.12.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from lunmapd.core.base.backings import PLUGINS, PluginName

MAX_U32 = (1 << 32) - 1
_MAX_SEGMENT = (1 << 24) - 1
_MAX_U16 = (1 << 16) - 1
# The kernel keeps the text as written: 0512 would not read back as 512. No valid number has more than 10
# digits, and int() refuses more than 4300.
_WHOLE = re.compile(r"0|[1-9][0-9]{0,9}")


class When(StrEnum):
    """When the kernel accepts a new value: before a target exports the storage object, or at any time."""

    BEFORE_EXPORT = "before export"
    LIVE = "live"


class Range(Struct, frozen=True):
    """The valid whole numbers: `choices`, or from `minimum` to `maximum` if it is empty."""

    minimum: int = 0
    maximum: int = 1
    choices: tuple[int, ...] = ()

    def check(self, value: int) -> str | None:
        """Return None for a valid value, otherwise a sentence about it."""
        if self.choices:
            good, wanted = value in self.choices, "one of " + ", ".join(map(str, self.choices))
        else:
            good, wanted = self.minimum <= value <= self.maximum, f"{self.minimum} to {self.maximum}"
        return None if good else f"{value} is not valid: use {wanted}"


class StorageAttribute(Struct, frozen=True):
    """An attribute of storage objects. `default` is None if the kernel derives it from the device."""

    name: str
    plugins: tuple[str, ...]
    range: Range
    when: When
    default: int | None


class TpgAttribute(Struct, frozen=True):
    """An attribute of TPGs. It can be set at any time and is effective from the next login."""

    name: str
    range: Range
    default: int


class Parameter(Struct, frozen=True):
    """An iSCSI parameter (RFC 7143, section 13) with its valid numbers or words."""

    name: str
    default: str
    range: Range | None = None
    words: tuple[str, ...] = ()

    def check(self, text: str) -> str | None:
        """Return None for a valid value, otherwise a sentence about it."""
        if self.range is None:
            return (
                None if text in self.words else f"{text!r} is not valid: use one of {', '.join(self.words)}"
            )
        if _WHOLE.fullmatch(text) is None:
            return f"{text!r} is not a whole number of at most 10 digits"
        return self.range.check(int(text))


_SBC = tuple(sorted(plugin.name for plugin in PLUGINS.values() if plugin.emulated))
_DISCARDING = tuple(sorted(plugin.name for plugin in PLUGINS.values() if plugin.discards))
_RESERVING = tuple(sorted(plugin.name for plugin in PLUGINS.values() if plugin.reserves))
_FLAG = Range()
_NUMBER = Range(0, MAX_U32)

_STORAGE = (
    StorageAttribute("block_size", _SBC, Range(choices=(512, 1024, 2048, 4096)), When.BEFORE_EXPORT, None),
    # 0 is no limit (tcmu_setup_cmd_timer): a command that the program never answers then keeps the login
    # thread of the portal in the kernel, and nobody can log in there.
    StorageAttribute("cmd_time_out", (PluginName.USER,), Range(1, MAX_U32 // 1000), When.BEFORE_EXPORT, 30),
    StorageAttribute("emulate_fua_write", _SBC, _FLAG, When.LIVE, 1),
    StorageAttribute("emulate_rsoc", _SBC, _FLAG, When.LIVE, 1),
    StorageAttribute("emulate_tas", _SBC, _FLAG, When.BEFORE_EXPORT, 1),
    StorageAttribute("emulate_tpu", _DISCARDING, _FLAG, When.LIVE, 0),
    StorageAttribute("emulate_tpws", _DISCARDING, _FLAG, When.LIVE, 0),
    StorageAttribute("emulate_ua_intlck_ctrl", _SBC, Range(0, 2), When.BEFORE_EXPORT, 0),
    StorageAttribute("enforce_pr_isids", _RESERVING, _FLAG, When.LIVE, 1),
    StorageAttribute("force_pr_aptpl", _RESERVING, _FLAG, When.BEFORE_EXPORT, 0),
    StorageAttribute("is_nonrot", _SBC, _FLAG, When.LIVE, None),
    StorageAttribute("max_unmap_block_desc_count", _DISCARDING, _NUMBER, When.LIVE, None),
    StorageAttribute("max_unmap_lba_count", _DISCARDING, _NUMBER, When.LIVE, None),
    StorageAttribute("max_write_same_len", _SBC, _NUMBER, When.LIVE, None),
    StorageAttribute("optimal_sectors", _SBC, _NUMBER, When.BEFORE_EXPORT, None),
    StorageAttribute("qfull_time_out", (PluginName.USER,), Range(0, MAX_U32 // 2000), When.LIVE, None),
    # FD_DEVICE_QUEUE_DEPTH and RD_DEVICE_QUEUE_DEPTH; that of a block device is its request queue's.
    StorageAttribute(
        "queue_depth", (PluginName.FILEIO, PluginName.RD_MCP), Range(1, 128), When.BEFORE_EXPORT, 128
    ),
    StorageAttribute("queue_depth", (PluginName.IBLOCK,), Range(1, MAX_U32), When.BEFORE_EXPORT, None),
    StorageAttribute("submit_type", _RESERVING, Range(0, 2), When.LIVE, 0),
    StorageAttribute("unmap_granularity", _DISCARDING, _NUMBER, When.LIVE, None),
    StorageAttribute("unmap_granularity_alignment", _DISCARDING, _NUMBER, When.LIVE, None),
    StorageAttribute("unmap_zeroes_data", _DISCARDING, _FLAG, When.BEFORE_EXPORT, None),
)

STORAGE: Mapping[tuple[str, str], StorageAttribute] = {
    (plugin, row.name): row for row in _STORAGE for plugin in row.plugins
}
"""The storage attributes by plugin and name."""

STORAGE_ELSEWHERE: Mapping[str, str] = {
    "emulate_3pc": "it depends on the nodes that report the Lun",
    "emulate_caw": "use 'shared'",
    "emulate_model_alias": "use 'product'",
    "emulate_pr": "use 'shared'",
    "emulate_write_cache": "lunmapd always writes through, since a node's cache is lost with the node",
    "pgr_support": "use 'shared'",
}
"""The storage attributes that lunmapd governs itself, with a sentence about each."""

TPG: Mapping[str, TpgAttribute] = {
    row.name: row
    for row in (
        TpgAttribute("default_cmdsn_depth", Range(1, 512), 64),
        TpgAttribute("default_erl", Range(0, 2), 0),
        TpgAttribute("fabric_prot_type", Range(choices=(0, 1, 3)), 0),
        TpgAttribute("login_keys_workaround", _FLAG, 1),
        TpgAttribute("login_timeout", Range(5, 30), 15),
        TpgAttribute("t10_pi", _FLAG, 0),
    )
}

_NOBODY = "only mapped initiators can log in"
TPG_ELSEWHERE: Mapping[str, str] = {
    "authentication": "use the target's 'authentication'",
    "cache_dynamic_acls": _NOBODY,
    "demo_mode_discovery": _NOBODY,
    "demo_mode_login_only": _NOBODY,
    "demo_mode_write_protect": _NOBODY,
    "generate_node_acls": _NOBODY,
    "prod_mode_write_protect": "use the 'access' of the maps",
    "tpg_enabled_sendtargets": "it depends on the nodes of the target",
}

_DIGESTS = ("None", "CRC32C", "CRC32C,None", "None,CRC32C")
_YES_NO = ("Yes", "No")
_LENGTH = Range(512, _MAX_SEGMENT)
_COUNT = Range(1, _MAX_U16)
_SECONDS = Range(0, 3600)

PARAMETERS: Mapping[str, Parameter] = {
    row.name: row
    for row in (
        Parameter("DataDigest", "CRC32C,None", words=_DIGESTS),
        Parameter("DataPDUInOrder", "Yes", words=_YES_NO),
        Parameter("DataSequenceInOrder", "Yes", words=_YES_NO),
        Parameter("DefaultTime2Retain", "20", _SECONDS),
        Parameter("DefaultTime2Wait", "2", _SECONDS),
        Parameter("ErrorRecoveryLevel", "0", Range(0, 2)),
        Parameter("FirstBurstLength", "65536", _LENGTH),
        Parameter("HeaderDigest", "CRC32C,None", words=_DIGESTS),
        Parameter("ImmediateData", "Yes", words=_YES_NO),
        Parameter("InitialR2T", "Yes", words=_YES_NO),
        Parameter("MaxBurstLength", "262144", _LENGTH),
        Parameter("MaxConnections", "1", _COUNT),
        Parameter("MaxOutstandingR2T", "1", _COUNT),
        Parameter("MaxRecvDataSegmentLength", "8192", _LENGTH),
        Parameter("MaxXmitDataSegmentLength", "262144", _LENGTH),
    )
}


AUTH_METHOD = "AuthMethod"


def auth_method(authentication: str) -> str:
    """Return the parameter AuthMethod that LIO sets with the attribute `authentication` ("0" or "1").

    Source: iscsit_ta_authentication in drivers/target/iscsi/iscsi_target_tpg.c.
    """
    return "CHAP,None" if authentication == "0" else "CHAP"


PARAMETERS_ELSEWHERE: Mapping[str, str] = {
    AUTH_METHOD: "use the target's 'authentication'",
    "TargetAlias": "it is the mark by which lunmapd knows its own targets",
}
