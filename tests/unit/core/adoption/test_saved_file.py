"""The structure of saveconfig.json."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import structs

from lunmapd.core.adoption.foreign import ForeignConfiguration
from lunmapd.core.adoption.saved_file import SavedFile
from support.saveconfigs import HOST, A
from support.saved_settings import acl_of, found, item_of, tpg_of, usual

CHAP = {
    "chap_userid": "bob",
    "chap_password": "secret-one",
    "chap_mutual_userid": "san",
    "chap_mutual_password": "secret-two",
}
FILE = {
    "storage_objects": [],
    "targets": [
        {
            "wwn": "iqn.2026-01.org.example:t",
            "fabric": "iscsi",
            "tpgs": [{"tag": 1, "node_acls": [{"node_wwn": "iqn.2026-01.org.example:h", **CHAP}], **CHAP}],
        }
    ],
    "fabric_modules": [
        {"name": "iscsi", "discovery_password": "secret-three", "discovery_mutual_password": "secret-four"}
    ],
}


def test_no_password_is_in_a_repr() -> None:
    """The representation of a file names neither the passwords of ACLs and TPGs nor those of discovery."""
    file = msgspec.convert(FILE, SavedFile)
    (acl,) = file.targets[0].tpgs[0].node_acls
    assert acl.credentials().password.text == CHAP["chap_password"]
    for item in (file, acl, file.targets[0].tpgs[0], file.fabric_modules[0]):
        assert "secret" not in repr(item)
        assert "secret" not in str(item)
        assert "secret" not in str(list(item.__rich_repr__()))


SAME: dict[str, Callable[[dict[str, Any]], object]] = {
    "a TPG without tag": lambda file: tpg_of(file).pop("tag"),
    "a port as text": lambda file: tpg_of(file)["portals"][0].update(port="3260"),
    "numbers for truth": lambda file: (tpg_of(file).update(enable=1), acl_of(file)["mapped_luns"][0].update(write_protect=0)),
    "nulls": lambda file: (item_of(file).update(alua_tpgs=None), file.update(fabric_modules=None)),
    "names in capitals": lambda file: (file["targets"][0].update(wwn=A.upper()), acl_of(file).update(node_wwn=f"{HOST.upper()} ")),
}  # fmt: skip


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_odd_values_are_read_as_rtslib_reads_them(change: Callable[[dict[str, Any]], object]) -> None:
    """A file that targetctl restores like the usual one is read like it."""
    file = usual()
    change(file)
    assert found(file) == found(usual())


SKIPPED: dict[str, Callable[[dict[str, Any]], list[Any]]] = {
    "storage_objects[1] has no name": lambda file: file["storage_objects"],
    "targets[2] has no wwn": lambda file: file["targets"],
    "fabric_modules[0] has no name": lambda file: file["fabric_modules"],
    "targets[0].tpgs[0].luns[1] has no index": lambda file: tpg_of(file)["luns"],
    "targets[0].tpgs[0].node_acls[1] has no node_wwn": lambda file: tpg_of(file)["node_acls"],
    "targets[0].tpgs[0].node_acls[0].mapped_luns[1] has no index": lambda file: acl_of(file)["mapped_luns"],
    "targets[0].tpgs[0].portals[1] has no ip_address": lambda file: tpg_of(file)["portals"],
}


@pytest.mark.parametrize(("note", "where"), SKIPPED.items(), ids=SKIPPED)
def test_an_object_that_rtslib_skips_is_named(
    note: str, where: Callable[[dict[str, Any]], list[Any]]
) -> None:
    """It is not in LIO after targetctl has restored the file, so it is not in the map."""
    file = usual()
    where(file).append({"secret": "word"})
    read = found(file)
    assert structs.replace(read, notes=()) == found(usual())
    assert read.notes == (f"{note}: targetctl skips it, and so it is not in the map",)


def test_parts_of_a_file_may_be_absent() -> None:
    """A file without targets, or without storage objects, is a file of targetcli."""
    assert found({"targets": []}) == found({"storage_objects": []}) == ForeignConfiguration()
    file = usual()
    file["targets"][0]["tpgs"].append(tpg_of(file) | {"tag": None})
    assert [tpg.tag for tpg in found(file).tpgs] == [1, 2]
