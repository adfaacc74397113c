"""Names and identifiers."""

import pytest

from lunmapd.core.base import names


@pytest.mark.parametrize("text", ["db1", "vm-7.disk_0", "9", "a" * 64])
def test_good_names(text: str) -> None:
    """Plain names of 1 to 64 characters are accepted."""
    assert names.check_name(text) is None


@pytest.mark.parametrize("text", ["", ".hidden", "a b", "a/b", "é", "a" * 65, "a\n"])
def test_bad_names(text: str) -> None:
    """A name that is invalid for a znode or a storage object is refused with a message that repeats it."""
    assert repr(text) in str(names.check_name(text))


@pytest.mark.parametrize(
    "text",
    [
        "iqn.2026-01.org.example",
        "iqn.2022-00.org.example:a",
        "iqn.2022-19.org.example:a",
        "iqn.2026-01.org.example:a.b-c:d",
        "eui.0123456789abcdef",
        "naa." + "6" * 32,
    ],
)
def test_good_iscsi_names(text: str) -> None:
    """IQN, EUI-64 and NAA names are accepted."""
    assert names.check_iscsi_name(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "iqn.2026-20.org.example:a",
        "iqn.26-01.org:a",
        "iqn.2026-01.org.example:a_b",
        "iqn.2026-01.org:a/b",
        "eui.1",
        "host1",
    ],
)
def test_bad_iscsi_names(text: str) -> None:
    """A malformed name is refused, and the sentence shows the right forms."""
    assert "expected iqn.YYYY-MM" in str(names.check_iscsi_name(text))


def test_upper_case_iscsi_name() -> None:
    """A name in upper case is refused with the hint that LIO keeps lower case."""
    assert "lower case" in str(names.check_iscsi_name("iqn.2026-01.org.example:DB"))


def test_a_long_iscsi_name() -> None:
    """More than the 223 bytes of RFC 7143 are refused."""
    assert names.check_iscsi_name("iqn.2026-01.org.example:" + "a" * 200)


@pytest.mark.parametrize("text", ["relative", "/with space", "/a,b", "/" + "a" * 255, "/a\nb"])
def test_bad_paths(text: str) -> None:
    """Paths that LIO's control string would cut are refused."""
    assert names.check_path(text)
    assert names.check_path("/dev/disk/by-id/wwn-0x5000") is None


# 127 letters of two bytes each, and '/': 255 bytes.
LONGEST = "/" + "\u00e9" * 127


def test_a_path_is_counted_in_bytes() -> None:
    """The kernel keeps 255 bytes of a path: a longer one in letters of several bytes is refused."""
    assert names.check_path(LONGEST) is None
    assert names.check_path("/" + "a" * 254) is None
    for text in (LONGEST + "a", "/" + "\u20ac" * 85, "/" + "a" * 255):
        assert f"has {len(text.encode())} bytes" in str(names.check_path(text))
        assert "at most 255 bytes" in str(names.check_path_prefix(text))


def test_a_configuration_is_counted_in_bytes() -> None:
    """The kernel keeps 255 bytes of a tcmu configuration, the program's name included."""
    assert names.check_user_config("rbd" + LONGEST[:-2] + "a") is None
    assert names.check_user_config("r" * 100 + "/" + "a" * 154) is None
    for text in ("rbd" + LONGEST, "r" * 100 + "/" + "a" * 155):
        assert f"has {len(text.encode())} bytes" in str(names.check_user_config(text))


def test_a_half_letter_is_counted_too() -> None:
    """Half of a surrogate pair, which no file name in UTF-8 has, is counted without an error."""
    assert names.check_path("/" + "\ud800" * 100)


@pytest.mark.parametrize("text", ["", "G" * 32, "-" * 30, "a/b", "a b", "a" * 254, "\u0661"])
def test_bad_serials(text: str) -> None:
    """A serial that LIO can't show, or that says nothing in the NAA, is refused."""
    assert names.check_serial(text)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("3f1d6c1e-58a4-4f0b-9f3e-111122223333", "3f1d6c1e58a44f0b9f3e11112"),
        ("1a2b3c4d", "1a2b3c4d" + "0" * 17),
        ("3F1D6C1E-58A4-4F0B-9F3E-111122223333", "3f1d6c1e58a44f0b9f3e11112"),
        ("disk_7.x", "d7" + "0" * 23),
    ],
)
def test_serials_of_other_tools(text: str, digits: str) -> None:
    """A short serial, one in capitals and one with other letters are kept; LIO's NAA has their hex digits."""
    assert names.check_serial(text) is None
    assert names.naa(text) == "6001405" + digits


@pytest.mark.parametrize(
    ("text", "portal"),
    [
        ("10.0.0.1", "10.0.0.1:3260"),
        ("10.0.0.1:03261", "10.0.0.1:3261"),
        ("[FD00:0::1]", "[fd00::1]:3260"),
        ("[fd00::1]:860", "[fd00::1]:860"),
        ("fd00::1", "[fd00::1]:3260"),
        ("[::0]:3260", "[::]:3260"),
        ("[2001:DB8:0::1]", "[2001:db8::1]:3260"),
    ],
)
def test_portals_are_normalised(text: str, portal: str) -> None:
    """A portal has one spelling, with the port."""
    assert names.parse_portal(text) == portal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host:3260",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "10.0.0.1:x",
        "[fd00::1",
        "10.0.0.1:²",
        "10.0.0.1:" + "9" * 5000,
    ],
)
def test_bad_portals(text: str) -> None:
    """A text that is no address and port raises ValueError with a message."""
    with pytest.raises(ValueError, match="is not a portal"):
        names.parse_portal(text)


@pytest.mark.parametrize("text", ["::ffff:10.0.0.1", "[::FFFF:a00:1]", "[::ffff:10.0.0.1]:3260"])
def test_an_ipv4_address_is_not_written_as_ipv6(text: str) -> None:
    """Versions of Python spell such an address differently, and LIO takes it for the IPv4 address."""
    with pytest.raises(ValueError, match=r"write 10\.0\.0\.1:3260"):
        names.parse_portal(text)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("0.0.0.0:3260", "[::]:3260", True),
        ("0.0.0.0:3260", "10.0.0.1:3260", True),
        ("[::]:3260", "10.0.0.1:3260", True),
        ("[::]:3260", "[fd00::1]:3260", True),
        ("0.0.0.0:3260", "[fd00::1]:3260", False),
        ("10.0.0.1:3260", "10.0.0.2:3260", False),
        ("[fd00::1]:3260", "10.0.0.2:3260", False),
        ("[::]:3260", "10.0.0.1:3261", False),
    ],
)
def test_portals_exclude_each_other(one: str, other: str, *, expected: bool) -> None:
    """An address that stands for all takes the port on each of them; `[::]` also on those of IPv4."""
    assert (names.excludes(one, other), names.excludes(other, one)) == (expected, expected)


@pytest.mark.parametrize("text", ["[fe80::1%eth0]:3260", "[fe80::1]", "fe80::1%2", "[fd00::1%eth0]:3260"])
def test_a_portal_has_no_interface(text: str) -> None:
    """A link-local address is refused with a valid alternative."""
    with pytest.raises(ValueError, match="give another address of the node, without '%'"):
        names.parse_portal(text)


def test_a_name_that_is_too_long_is_said_to_be() -> None:
    """RFC 7143 and the kernel have a limit of 223 bytes."""
    name = "iqn.2026-01.org.example:".ljust(224, "x")
    assert names.check_iscsi_name(name[:223]) is None
    assert "has 224 characters: an iSCSI name has at most 223" in str(names.check_iscsi_name(name))


@pytest.mark.parametrize(("product", "longest"), [("x" * 16, 229), ("RAMDISK-MCP", 234), ("FILEIO", 239)])
def test_a_serial_leaves_room_for_the_other_descriptors(product: str, longest: int) -> None:
    """The limits at which a kernel was seen to cut the descriptor."""
    assert names.check_serial_length("a" * longest, product) is None
    assert f"use at most {longest}" in str(names.check_serial_length("a" * (longest + 1), product))
