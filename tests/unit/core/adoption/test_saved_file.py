"""The structure of saveconfig.json."""

import msgspec

from lunmapd.core.adoption.saved_file import SavedFile

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
