"""Which format a file has, and the conversion of files of several formats."""

import msgspec
import pytest

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.conversion.conversion import Choices, NotConvertibleError, RemarkKind, SourceText
from lunmapd.core.conversion.formats import (
    SourceFormat,
    convert_files,
    format_of,
    ignored_choices,
    open_problems,
)
from lunmapd.core.map.mapfile import show_map
from support.foreign_files import CIB, CRM, H1, IQN, PCS, REACTOR, ceph_document
from support.saveconfigs import DISK, FILE, HOST, A, acl, saved, target

SAVED = saved(target(A, {1: "block/db1"}, acl(HOST, (1, 1))))


def json(value: object) -> str:
    """Return a value as JSON."""
    return msgspec.json.encode(value).decode()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (CRM, SourceFormat.PACEMAKER),
        (PCS, SourceFormat.PACEMAKER),
        (CIB, SourceFormat.PACEMAKER),
        (REACTOR, SourceFormat.LINSTOR_GATEWAY),
        (json(SAVED), SourceFormat.SAVECONFIG),
        (json(ceph_document(1)), SourceFormat.CEPH_ISCSI),
        (json(ceph_document(11)), SourceFormat.CEPH_ISCSI),
        (show_map(Lunmap()), SourceFormat.MAP),
    ],
)
def test_the_format_is_seen(text: str, found: SourceFormat) -> None:
    """Each format is known by its form, whatever the name of the file."""
    assert format_of(SourceText("file", text)) is found


def test_an_unknown_format_is_refused() -> None:
    """The refusal names the option and the formats."""
    with pytest.raises(NotConvertibleError, match=r"name one with --from: ceph-iscsi, .*saveconfig"):
        format_of(SourceText("file", "hello"))


def test_saved_files_of_two_nodes_become_one_map() -> None:
    """Two saveconfig.json give two nodes, named by the user or by their place."""
    sources = [SourceText("a.json", json(SAVED), "n1"), SourceText("b.json", json(SAVED))]
    lunmap = convert_files(sources, Choices()).conversion.lunmap
    assert set(lunmap.nodes) == {"n1", "node2"}
    # Both have the one portal 0.0.0.0, which a target of two nodes can't have.
    assert {problem.place[0] for problem in open_problems(lunmap)} == {"targets"}


def test_the_notes_of_an_adoption_are_in_the_report() -> None:
    """A part that targetctl skips is named."""
    file = saved(target(A, {1: "block/db1"}, acl(HOST, (1, 1))), storage=(DISK, {"plugin": "block"}))
    made = convert_files([SourceText("a.json", json(file), "n1")], Choices()).conversion
    assert any("storage_objects[1] has no name" in remark.text for remark in made.remarks)


def test_a_saved_target_that_no_map_can_describe_is_lost() -> None:
    """The reasons of `lunmapd adopt` are in the report, and the passwords of the rest are kept apart."""
    chap = {
        "chap_userid": "bob",
        "chap_password": "secret-one",
        "chap_mutual_userid": "san",
        "chap_mutual_password": "x",
    }
    asks = {"attributes": {"authentication": 1}}
    file = saved(
        target(A, {1: "block/db1"}, acl(HOST, (1, 1), **chap), **asks),
        target(IQN, {2: "fileio/logs"}, acl(HOST, (2, 2)), attributes={"generate_node_acls": 1}),
        storage=(DISK, FILE),
    )
    file["fabric_modules"] = [
        {
            "name": "iscsi",
            "discovery_enable_auth": True,
            "discovery_userid": "eve",
            "discovery_password": "secret-two",
        }
    ]
    conversion = convert_files([SourceText("a.json", json(file), "n1")], Choices()).conversion
    assert any(each.kind is RemarkKind.LOST and IQN in each.place for each in conversion.remarks)
    assert {key: secret.text for key, secret in conversion.passwords.items()} == {
        (f"initiators/{HOST}", "chap"): "secret-one",
        (f"initiators/{HOST}", "mutual_chap"): "x",
        ("nodes/n1", "discovery.chap"): "secret-two",
    }


def test_files_of_several_formats_are_joined() -> None:
    """A map, a cluster and a gateway.conf become one map; files of one LINSTOR Gateway are read together."""
    sources = [
        SourceText("map.yaml", "nodes: {n9: {tpg_tag: 9, portals: [10.9.9.9]}}"),
        SourceText("t1.toml", REACTOR),
        SourceText("t2.toml", REACTOR.replace("t1", "t2").replace("1a2b", "2a2b")),
        SourceText("gateway.conf", json(ceph_document(11))),
    ]
    lunmap = convert_files(sources, Choices(krbd=True)).conversion.lunmap
    assert set(lunmap.nodes) == {"n9", "node1", "gw1", "gw2"}
    assert {"lu1_t1", "lu1_t2"} <= set(lunmap.luns)


@pytest.mark.parametrize("text", [CRM, PCS, CIB])
def test_each_text_of_a_cluster_is_read(text: str) -> None:
    """A CIB, and what crm and pcs print, each give the target."""
    assert set(convert_files([SourceText("file", text)], Choices()).conversion.lunmap.targets) == {IQN}


def test_two_texts_of_one_cluster_are_read_together() -> None:
    """Resources and nodes of Pacemaker may come from several commands."""
    given = [SourceText("nodes", "node n7\n"), SourceText("resources", CRM)]
    lunmap = convert_files(given, Choices(), SourceFormat.PACEMAKER).conversion.lunmap
    assert set(lunmap.nodes) == {"n1", "n2", "n7"}


def test_a_saved_file_lacks_port_ids() -> None:
    """A file with a target is named as one that has no port ids; one without a target has nothing to name."""
    remarks = convert_files([SourceText("a.json", json(SAVED))], Choices()).conversion.remarks
    assert any("it has no port ids" in each.text for each in remarks if each.kind is RemarkKind.CHANGED)
    assert convert_files([SourceText("a.json", json(saved()))], Choices()).conversion.lunmap == Lunmap()


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        (Choices(krbd=True), "--krbd is for files of ceph-iscsi"),
        (Choices(initiators=(H1,)), "--initiator is for targets that admit every initiator"),
        (Choices(sizes={"lun9": 1 << 30}), "--size lun9: the files have no Lun of this name"),
        (Choices(nodes=("n1",)), ""),
    ],
)
def test_a_choice_without_effect_is_named(choices: Choices, text: str) -> None:
    """Otherwise a misspelt name, or an option of another format, would be ignored."""
    found = tuple(ignored_choices([SourceText("f", CRM)], choices))
    assert [each[: len(text)] for each in found] == ([text] if text else [])


def test_choices_of_clusters_are_named_for_other_files() -> None:
    """A node in front of a file is one of these, too; choices with an effect are not named."""
    source = SourceText("f", json(ceph_document(11)), "n1")
    choices = Choices({"n1": ("10.0.0.1",)}, nodes=("n1",), krbd=True, sizes={"rbd.disk_1": 1 << 30})
    assert tuple(ignored_choices([source], choices)) == (
        "--portal and --node are for files of Pacemaker and LINSTOR Gateway",
        "n1=f: a node is named so for a saveconfig.json alone",
    )
