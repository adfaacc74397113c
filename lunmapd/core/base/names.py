"""Names and identifiers: which values are valid, and their canonical spelling.

Each checker returns None for a valid value, otherwise a sentence about the problem: the rules collect all
problems.
"""

import ipaddress
import re
from functools import lru_cache

DEFAULT_PORT = 3260
MAX_LUN_NUMBER = 16383
MAX_TAG = 65535
MAX_SIZE = (1 << 63) - 1
"""Maximum size of a Lun in bytes: the largest offset in a file or device (loff_t)."""
MAX_VENDOR = 8
MAX_PRODUCT = 16
MAX_PATH = 255
"""Maximum length in bytes of a path or of the configuration of a tcmu program; the kernel cuts longer ones.

FD_MAX_DEV_NAME in drivers/target/target_core_file.h, TCMU_CONFIG_LEN in drivers/target/target_core_user.c:
256 bytes with the NUL at the end.
"""
MAX_CHAP = 255
"""Maximum length of a CHAP user name or password.

MAX_USER_LEN and MAX_PASS_LEN in drivers/target/iscsi/iscsi_target_core.h.
"""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# rtslib lower-cases names and refuses '_' and spaces; '/' would split a znode path and a configfs path.
# LIO checks no date, and rtslib takes any month from 00 to 19 (utils.py, normalize_wwn).
_IQN = re.compile(r"iqn\.[0-9]{4}-[01][0-9]\.[a-z0-9-]+(\.[a-z0-9-]+)*(:[a-z0-9.:-]+)?")
_EUI = re.compile(r"eui\.[0-9a-f]{16}")
_NAA = re.compile(r"naa\.([0-9a-f]{16}|[0-9a-f]{32})")
_MAX_ISCSI_NAME = 223  # RFC 7143, section 4.2.7.2
_NAA_DIGITS = 25
_PORTALS_KEPT = 1024
_MAX_DESCRIPTOR = 255  # its length is one byte (SPC-4, section 7.8.6)
_SERIAL = re.compile(r"[0-9A-Za-z._-]{1,253}")
_HEX_DIGIT = re.compile(r"[0-9A-Fa-f]")
_NO_HEX_DIGIT = re.compile(r"[^0-9a-f]")
# LIO splits its control string at ',' (drivers/target/target_core_file.c, fd_set_configfs_dev_params).
_WORD = re.compile(r"[!-~]{1,255}")
_USER_CONFIG = re.compile(r"[A-Za-z0-9_-]+/[^\s,:\0]+")
_PORT = re.compile(r"[0-9]{1,5}")
_EVERY_IPV4, _EVERY_IPV6 = "0.0.0.0:", "[::]:"
_PATH = re.compile(r"/[^\s,\0]+")

NAME_PATTERN = f"^{_NAME.pattern}$"
"""The names that `check_name` accepts, and those that `check_iscsi_name` does, for the JSON Schema."""
ISCSI_NAME_PATTERN = f"^({_IQN.pattern}|{_EUI.pattern}|{_NAA.pattern})$"


def check_name(text: str) -> str | None:
    """Check the name of a Lun or node: 1-64 plain characters, since it names a znode and a storage object."""
    if _NAME.fullmatch(text):
        return None
    return (
        f"{text!r} is not a name: use 1 to 64 letters, digits, '.', '_' or '-', starting with a letter or "
        "digit"
    )


def check_iscsi_name(text: str) -> str | None:
    """Check an iSCSI name (RFC 7143, section 4.2.7): IQN, EUI-64 or NAA, in lower case as in LIO."""
    if len(text) <= _MAX_ISCSI_NAME and any(form.fullmatch(text) for form in (_IQN, _EUI, _NAA)):
        return None
    if len(text) > _MAX_ISCSI_NAME:
        return f"{text!r} has {len(text)} characters: an iSCSI name has at most {_MAX_ISCSI_NAME}"
    if text != text.lower():
        return (
            f"{text!r} has upper-case letters: write iSCSI names in lower case, as in LIO, also in the "
            "configuration of the host: discovery lists nothing to a host whose name has capitals"
        )
    return (
        f"{text!r} is not an iSCSI name: expected iqn.YYYY-MM.reversed.domain:name, eui.<16 hex> or "
        "naa.<16 or 32 hex>"
    )


def check_path(text: str) -> str | None:
    """Check the path of a device or file: absolute, at most 255 bytes, without LIO's separators."""
    if _PATH.fullmatch(text):
        return _check_length(text)
    return f"{text!r} is not a usable path: it must be absolute, without spaces or commas"


def check_path_prefix(text: str) -> str | None:
    """Check a path prefix that a node rewrites: absolute, without LIO's separators."""
    return None if text == "/" else check_path(text)


def check_user_config(text: str) -> str | None:
    """Check the configuration of a tcmu program: its name, '/', the rest, at most 255 bytes in all.

    rtslib refuses ':', and ',' is a separator of LIO.
    """
    if _USER_CONFIG.fullmatch(text):
        return _check_length(text)
    return (
        f"{text!r} is not a configuration: expected the program's name, '/' and the rest, without spaces, "
        "',' or ':'"
    )


def _check_length(text: str) -> str | None:
    """Check the length in bytes; half of a surrogate pair, which UTF-8 lacks, counts as three bytes."""
    length = len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
    if length <= MAX_PATH:
        return None
    return (
        f"{text!r} has {length} bytes, and the kernel would cut it: use at most {MAX_PATH} bytes (letters "
        "outside ASCII have several)"
    )


def check_inquiry(text: str, length: int) -> str | None:
    """Check an INQUIRY field: printable ASCII (SPC-4, section 4.3.1). LIO strips spaces at both ends."""
    if len(text) <= length and text == text.strip() and all(" " <= letter <= "~" for letter in text):
        return None
    return (
        f"{text!r} can't be shown to initiators: use at most {length} ASCII letters, none of them a space "
        "at an end"
    )


def check_chap_user(text: str) -> str | None:
    """Check a CHAP user name: printable ASCII. A value that starts with NULL clears LIO's field."""
    if _WORD.fullmatch(text) and not text.startswith("NULL"):
        return None
    return (
        f"{text!r} is not a CHAP user: use 1 to {MAX_CHAP} ASCII letters without spaces, not starting with "
        "NULL"
    )


def check_serial(text: str) -> str | None:
    """Check a unit serial: 1 to 253 letters, digits, '-', '_' or '.', with a hex digit for LIO's NAA.

    INQUIRY shows it as it is written (target_wwn_vpd_unit_serial_store in
    drivers/target/target_core_configfs.c). A serial without any hex digit has the NAA of every other such
    serial of every cluster. LIO names the file of persistent reservations after the serial, so '/' is
    refused (__core_scsi3_write_aptpl_to_file in drivers/target/target_core_pr.c).
    """
    if _SERIAL.fullmatch(text) and _HEX_DIGIT.search(text):
        return None
    return (
        f"{text!r} is not a serial: use 1 to 253 letters, digits, '-', '_' or '.', with at least one hex "
        "digit; best omit it, and a UUID is made"
    )


def check_serial_length(serial: str, product: str) -> str | None:
    """Check that the serial fits into the descriptors that initiators read, beside a product.

    Vendor (8), product and serial share a T10 descriptor of at most 255 bytes with two more. LIO writes its
    length modulo 256, so everything behind it is lost: initiators then find no target port group, and ALUA is
    off (spc_emulate_evpd_83 in drivers/target/target_core_spc.c).
    """
    longest = _MAX_DESCRIPTOR - MAX_VENDOR - len(product) - 2
    if len(serial) <= longest:
        return None
    return (
        f"{serial[:20]!r}... has {len(serial)} characters: use at most {longest} beside the product "
        f"{product!r}, or initiators find no ALUA states, since LIO cuts the descriptor that has both"
    )


def naa(serial: str) -> str:
    """Return the NAA identifier (32 hex digits) that LIO derives from a unit serial.

    It is `6`, the company id 001405, then the first 25 hex digits of the serial, padded with zeros. Other
    characters are skipped (drivers/target/target_core_spc.c, spc_gen_naa_6h_vendor_specific).
    """
    digits = _NO_HEX_DIGIT.sub("", serial.lower())[:_NAA_DIGITS]
    return "6001405" + digits.ljust(_NAA_DIGITS, "0")


@lru_cache(_PORTALS_KEPT)
def parse_portal(text: str) -> str:
    """Return the one spelling of a portal, `address:port` or `[address]:port`; the default port is 3260.

    An IPv4 address that is mapped into IPv6 is refused: LIO listens on the IPv4 address
    (iscsi_target_configfs.c and iscsit_add_np), and versions of Python spell the mapped one differently.
    Raises ValueError with a sentence for the admin.
    """
    address, port = _split_portal(text)
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a portal: expected an IP address, '10.0.0.1:3260' or '[fd00::1]:3260'"
        ) from None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        raise ValueError(f"{text!r} is not a portal: it is an IPv4 address; write {ip.ipv4_mapped}:{port}")
    if ip.is_multicast:
        raise ValueError(f"{text!r} is not a portal: give the address of the node")
    if ip.version == 6 and (ip.is_link_local or "%" in address):  # noqa: PLR2004
        raise ValueError(
            f"{text!r} is not a portal: a link-local address needs an interface, which discovery can't "
            "report; "
            "give another address of the node, without '%'"
        )
    if not (_PORT.fullmatch(port) and 0 < int(port) <= MAX_TAG):
        raise ValueError(f"{text!r} is not a portal: the port must be a number from 1 to 65535")
    return f"[{ip}]:{int(port)}" if ip.version == 6 else f"{ip}:{int(port)}"  # noqa: PLR2004


def is_every_address(portal: str) -> bool:
    """Return whether a portal, in the spelling of `parse_portal`, listens on all addresses of its node."""
    return portal.startswith((_EVERY_IPV4, _EVERY_IPV6))


def excludes(one: str, other: str) -> bool:
    """Return whether LIO can't listen on both of two different portals, in the spelling of `parse_portal`.

    `0.0.0.0` takes the port on every IPv4 address, and `[::]` on every address of both kinds, since LIO does
    not set IPV6_V6ONLY (iscsit_setup_np in iscsi_target_login.c).
    """
    if one.rpartition(":")[2] != other.rpartition(":")[2]:
        return False
    if one.startswith(_EVERY_IPV6) or other.startswith(_EVERY_IPV6):
        return True
    is_ipv4 = not (one.startswith("[") or other.startswith("["))
    return is_ipv4 and (one.startswith(_EVERY_IPV4) or other.startswith(_EVERY_IPV4))


def _split_portal(text: str) -> tuple[str, str]:
    if match := re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text):
        return match[1], match[2] or str(DEFAULT_PORT)
    if text.count(":") == 1:
        address, port = text.split(":")
        return address, port
    return text, str(DEFAULT_PORT)
