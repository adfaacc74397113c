"""The settings of a found configuration that a map can't express, each as a sentence for the admin. Pure.

A setting at the kernel's default is no loss: lunmapd's own object has the same. The defaults are those of
Linux 6.12: drivers/target/target_core_device.c (attributes of storage objects), target_core_alua.c (the group
of id 0), target_core_user.c, drivers/target/iscsi/iscsi_target_core.h (ACLs) and iscsi_target_tpg.c. The
aliases of LUNs and mapped LUNs are names of links; no initiator sees them, and they are not kept.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from lunmapd.core.base.attributes import PARAMETERS, STORAGE, TPG, TPG_ELSEWHERE
from lunmapd.core.base.backings import PLUGINS, PluginName
from lunmapd.core.node.governed import MARK

_NO_MAP = "a map can't express that"
_MAX_DIGITS = 10  # of a number of 32 bits

# Attributes that a kernel ignores when they are written, or that kernels before 6.12 had.
_WITHOUT_EFFECT = {"emulate_dpo", "emulate_fua_read", "fabric_max_sectors", "netif_timeout"}
# They repeat the backing and the size of a program's device.
_REPEATED = {"dev_config", "dev_size"}
_OFF = frozenset({"0"})
_STORAGE: Mapping[tuple[str, str], AbstractSet[str]] = {
    # The kernel refuses a write cache of a block device, so a 1 that a file has for it has no effect.
    (PluginName.IBLOCK, "emulate_write_cache"): frozenset({"0", "1"}),
    **{(plugin, name): frozenset({"1"}) for plugin in PLUGINS for name in ("alua_support", "pgr_support")},
    (PluginName.PSCSI, "alua_support"): _OFF,
    (PluginName.PSCSI, "pgr_support"): _OFF,
    # It is 1 once the program has answered (tcmu_configure_device).
    (PluginName.USER, "nl_reply_supported"): frozenset({"0", "1"}),
    # A time of -1 reads so: the time of cmd_time_out is used.
    (PluginName.USER, "qfull_time_out"): frozenset({"-1"}),
}
_GROUP: Mapping[str, AbstractSet[str]] = {
    "alua_access_state": _OFF,
    "alua_access_status": frozenset({"0", "None"}),
    # lunmapd makes the group implicit, and sets that in place in an adopted storage object.
    "alua_access_type": frozenset({"1", "3", "Implicit", "Implicit and Explicit"}),
    "alua_support_active_nonoptimized": frozenset({"1"}),
    "alua_support_active_optimized": frozenset({"1"}),
    "alua_support_lba_dependent": _OFF,
    "alua_support_offline": frozenset({"1"}),
    "alua_support_standby": frozenset({"1"}),
    "alua_support_transitioning": frozenset({"1"}),
    "alua_support_unavailable": frozenset({"1"}),
    "alua_write_metadata": _OFF,
    "implicit_trans_secs": _OFF,
    "nonop_delay_msecs": frozenset({"100"}),
    "preferred": _OFF,
    "trans_delay_msecs": _OFF,
}
GROUP_SETTINGS = frozenset(_GROUP)
"""The settings of the kernel's own target port group."""
PORT_SETTINGS = ("alua_tg_pt_offline", "alua_tg_pt_status", "alua_tg_pt_write_md")
"""The settings of a LUN."""

_AS_THE_TPG = "-1"
_ACL: Mapping[str, str] = {
    "dataout_timeout": "3",
    "dataout_timeout_retries": "5",
    "nopin_response_timeout": "30",
    "nopin_timeout": "15",
}
_CONTROL = {
    "max_data_area_mb": "1024",
    "hw_block_size": "512",
    "data_pages_per_blk": "1",
    "hw_max_sectors": "128",
}
_COMPANY, _REVISION = "0x001405", "4.0"
_IN_MAP = {"vpd_unit_serial", "vendor_id", "product_id", "company_id", "revision"}
# Markers are obsolete (RFC 7143, section 13.25), but parameters of kernels up to 6.1 at least.
_INTERVALS = ("Reject", "2048~65535")
_USUAL_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "IFMarkInt": _INTERVALS,
    "IFMarker": ("No",),
    "OFMarkInt": _INTERVALS,
    "OFMarker": ("No",),
    "TargetAlias": ("LIO Target", MARK, ""),
}


def is_number(text: str) -> bool:
    """Return whether the text is a whole number that an attribute can have."""
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS


def storage_losses(plugin: str, attributes: Mapping[str, str]) -> Iterator[str]:
    """Yield the attributes of a storage object that a map can't express."""
    governed = (
        {*PLUGINS[plugin].governed, "emulate_caw", "emulate_model_alias"} if plugin in PLUGINS else set()
    )
    governed |= _REPEATED | _WITHOUT_EFFECT
    for name, value in sorted(attributes.items()):
        usual = _STORAGE.get((plugin, name), _OFF)
        if name in governed or name.startswith("hw_") or value in usual:
            continue
        if (plugin, name) not in STORAGE or not is_number(value):
            yield _loss(f"attribute {name}", value, min(usual))


def group_losses(group: Mapping[str, str]) -> Iterator[str]:
    """Yield the settings of the kernel's own target port group that a map can't express."""
    for name, value in sorted(group.items()):
        usual = _GROUP.get(name, _OFF)
        if value not in usual:
            yield _loss(f"default_tg_pt_gp/{name}", value, min(usual))


def control_losses(control: Mapping[str, str]) -> Iterator[str]:
    """Yield the settings of a program's device (tcmu) that a map can't express."""
    for name, value in sorted(control.items()):
        usual = _CONTROL.get(name)
        if value != usual:
            remedy = (
                "keep it with its tool, since hosts would find other blocks"
                if name == "hw_block_size"
                else "make it anew so; that interrupts its I/O"
            )
            made = usual or "no such setting"
            yield f"{name} is {value}, and lunmapd makes it with {made}: {_NO_MAP}; {remedy}"


def target_losses(parameters: Mapping[str, str]) -> Iterator[str]:
    """Yield the parameters of a whole target that a map can't express; -1 leaves the choice to the kernel."""
    for name, value in sorted(parameters.items()):
        if value != "-1":
            yield _loss(f"parameter {name}", value, "-1")


def tpg_losses(attributes: Mapping[str, str], parameters: Mapping[str, str]) -> Iterator[str]:
    """Yield the attributes and parameters of a TPG that a map can't express."""
    for name, value in sorted(attributes.items()):
        known = name in TPG and is_number(value)
        if not (known or name in TPG_ELSEWHERE or name in _WITHOUT_EFFECT or value == "0"):
            yield _loss(f"attribute {name}", value, str(TPG[name].default) if name in TPG else "0")
    for name, value in sorted(parameters.items()):
        usual = _usual_parameter(name, attributes)
        if name not in PARAMETERS and value not in usual:
            yield _loss(f"parameter {name}", value, usual[0])


def _usual_parameter(name: str, attributes: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values that need no map, the default first. LIO sets AuthMethod with `authentication`."""
    if name == "AuthMethod":
        asks = attributes.get("authentication", "1") != "0"
        return ("CHAP", "CHAP,None") if asks else ("CHAP,None",)
    return _USUAL_PARAMETERS.get(name, ("",))


def port_losses(settings: Mapping[str, str]) -> Iterator[str]:
    """Yield the settings of a LUN that a map can't express."""
    for name, value in sorted(settings.items()):
        if value != "0":
            yield _loss(f"setting {name}", value, "0")


def identity_losses(plugin: str, settings: Mapping[str, str]) -> Iterator[str]:
    """Yield the identity of a storage object that a map can't express.

    `settings` are the files of its directory `wwn`. An unknown one, such as `pd_text_id_info` of Linux 7
    (REPORT IDENTIFYING INFORMATION), counts as a setting unless it is empty.
    """
    if not PLUGINS[plugin].emulated:
        return
    company, revision = settings.get("company_id", _COMPANY), settings.get("revision", _REVISION)
    if company != _COMPANY:
        yield (
            f"its company_id is {company}, so initiators see another WWID than lunmapd's disk would have: "
            "leave it with its tool"
        )
    if revision != _REVISION:
        yield f"its revision is {revision!r}, and lunmapd's disks have {_REVISION!r}: {_NO_MAP}"
    for name, value in sorted(settings.items()):
        if name not in _IN_MAP and value:
            yield _loss(f"wwn/{name}", value, "")


def depth_losses(depth: str | None, tpg: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence if the command window of an ACL is not its TPG's; None is absent in the kernel."""
    usual = tpg.get("default_cmdsn_depth", depth)
    if depth not in {None, usual}:
        yield (
            f"its cmdsn_depth is {depth}, and its TPG's default_cmdsn_depth {usual}; a map has one for all "
            "ACLs of a target: set the attribute of the TPG to the depth of its ACLs"
        )


def overrides_authentication(attributes: Mapping[str, str]) -> bool:
    """Return whether an ACL has a setting for CHAP of its own; lunmapd leaves that to the TPG."""
    return attributes.get("authentication", _AS_THE_TPG) != _AS_THE_TPG


def acl_losses(attributes: Mapping[str, str], tpg: Mapping[str, str]) -> Iterator[str]:
    """Yield the attributes of an ACL that a map can't express; `tpg` are the attributes of its TPG."""
    usual = {**_ACL, "default_erl": tpg.get("default_erl", "0")}
    for name, value in sorted(attributes.items()):
        if name == "authentication" and value not in {_AS_THE_TPG, tpg.get(name, "1")}:
            yield "it has another setting for CHAP than its TPG: set its attribute authentication to -1"
        elif name != "authentication" and value != usual.get(name, "0"):
            yield _loss(f"attribute {name}", value, usual.get(name, "0"))


def _loss(name: str, value: str, usual: str) -> str:
    return f"its {name} is {value!r}, and {_NO_MAP}: set it to {usual!r} first"
