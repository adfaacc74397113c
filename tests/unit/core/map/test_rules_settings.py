"""The rules of single fields, attributes and credentials, one broken at a time."""

import pytest

from lunmapd.core.base import attributes
from lunmapd.core.base.attributes import Range
from lunmapd.core.base.password import Secret
from lunmapd.core.map import rules
from lunmapd.core.map.mapfile import parse_map
from lunmapd.core.secrets.sealing import Vault, keyring
from support.valid_map import GOOD, H, T, edited, problems_of

FILE = "backing: {type: fileio, path: /srv/db1.img}"
DISK = "backing: {type: block, path: /dev/vg/db2}"
SIZE = "size: 64MiB"
SEALED = Vault("c", keyring([b"k" * 32])).seal("p", "f", Secret("password1234"), b"n" * 12)
CHAP = f"chap: {{user: bob, password: {SEALED}}}"
ALONE = f"  {T}: {{nodes: {{n1: {{port_id: 1}}}}}}"
BOTH = f"  {T}: {{nodes: {{n1: {{port_id: 1}}, n2: {{port_id: 2}}}}}}"

BROKEN = [
    # backings
    (FILE, "backing: {type: fileio, path: /srv/a, overrides: {n9: /x}}", "luns[db1].backing.overrides.n9", "no node 'n9'"),
    (FILE, "backing: {type: fileio, path: /srv/a, overrides: {n1: x}}", "luns[db1].backing.overrides.n1", "absolute"),
    (FILE, "backing: {type: user, config: rbd}", "luns[db1].backing.config", "program's name, '/' and the rest"),
    (FILE, 'backing: {type: user, config: rbd/a, overrides: {n1: "rbd/a:b"}}', "luns[db1].backing.overrides.n1", "without"),
    (FILE, "backing: {type: ramdisk}", "luns[db1].backing.volatile", "set 'volatile: true'"),
    (FILE, "backing: {type: ramdisk, volatile: true}", "luns[db1].backing", "name exactly one in 'nodes', not n1, n2"),
    (FILE, "backing: {type: pscsi, path: /dev/sg1}", "luns[db1].size", "size of its device"),
    (
        FILE,
        "backing: {type: fileio, path: /srv/a, overrides: {n1: /dev/vg/db2}}",
        "luns[db2].backing.overrides.n1",
        "on this node the same backing is already that of luns[db1]",
    ),
    # sizes
    (f"{SIZE}\n    {FILE}", "backing: {type: user, config: rbd/a}", "luns[db1].size", "user Lun needs a size"),
    (SIZE, "size: 65024\n    attributes: {block_size: 4096}", "luns[db1].size", "multiple of 4096"),
    (f"{SIZE}\n    {FILE}", "size: 512\n    backing: {type: ramdisk, volatile: true}", "luns[db1].size", "multiple of 4096"),
    # what INQUIRY shows
    (DISK, DISK + "\n    vendor: ninechars", "luns[db2].vendor", "at most 8"),
    (DISK, DISK + "\n    product: ümlaut", "luns[db2].product", "ASCII"),
    (DISK, DISK + "\n    product: ' x'", "luns[db2].product", "space at an end"),
    (DISK, "backing: {type: pscsi, path: /dev/sg1}\n    vendor: x", "luns[db2].vendor", "has the INQUIRY data of its device"),
    # attributes
    (DISK, DISK + "\n    attributes: {emulate_pr: 1}", "luns[db2].attributes.emulate_pr", "lunmapd's own: use 'shared'"),
    (DISK, DISK + "\n    attributes: {blocksize: 512}", "luns[db2].attributes.blocksize", "not an attribute that a iblock"),
    (DISK, DISK + "\n    attributes: {max_write_same_len: 9}", "luns[db2].attributes.max_write_same_len", "is 0 for a Lun with a map of"),
    (
        DISK,
        "backing: {type: user, config: a/b}\n    size: 64MiB\n    attributes: {cmd_time_out: 0}",
        "luns[db2].attributes.cmd_time_out",
        "0 is not valid: use 1 to 4294967",
    ),
    (DISK, DISK + "\n    attributes: {cmd_time_out: 9}", "luns[db2].attributes.cmd_time_out", "not an attribute"),
    (DISK, DISK + "\n    attributes: {block_size: 520}", "luns[db2].attributes.block_size", "one of 512, 1024, 2048, 4096"),
    (FILE, FILE + "\n    attributes: {queue_depth: 129}", "luns[db1].attributes.queue_depth", "use 1 to 128"),
    # who reports
    (DISK, DISK + "\n    nodes: [n1, n1]", "luns[db2].nodes[1]", "given twice"),
    (DISK, DISK + "\n    nodes: [n9]", "luns[db2].nodes[0]", "there is no node 'n9'"),
    (BOTH, ALONE, "luns[db2].nodes[0]", "serves no target of the Lun's maps"),
    (DISK, DISK + "\n    nodes: [n1]\n    preferred: n2", "luns[db2].preferred", "'n2' does not report the Lun"),
    ("    shared: {reservations: off, compare_and_write: off}\n", "", "luns[db1].shared", "several nodes report this Lun"),
    (DISK, "backing: {type: pscsi, path: /dev/sg1}\n    preferred: n1", "luns[db2].preferred", "come from the device or the tcmu program"),
    # targets
    ("{port_id: 1}", "{port_id: 1, portals: [10.0.0.9]}", f"targets[{T}].nodes.n1.portals[0]", "not a portal of node 'n1'"),
    ("{port_id: 1}", "{port_id: 1, portals: [10.0.0.1, 10.0.0.1]}", f"targets[{T}].nodes.n1.portals[1]", "given twice"),
    (BOTH, f"{ALONE[:-1]}, attributes: {{generate_node_acls: 1}}}}", f"targets[{T}].attributes.generate_node_acls", "only mapped initiators"),
    (BOTH, f"{ALONE[:-1]}, attributes: {{x: 1}}}}", f"targets[{T}].attributes.x", "not an attribute"),
    (BOTH, f"{ALONE[:-1]}, attributes: {{login_timeout: 31}}}}", f"targets[{T}].attributes.login_timeout", "5 to 30"),
    (BOTH, f"{ALONE[:-1]}, parameters: {{TargetAlias: x}}}}", f"targets[{T}].parameters.TargetAlias", "the mark"),
    (BOTH, f"{ALONE[:-1]}, parameters: {{X: x}}}}", f"targets[{T}].parameters.X", "not a parameter"),
    (BOTH, f"{ALONE[:-1]}, parameters: {{ImmediateData: no}}}}", f"targets[{T}].parameters.ImmediateData", "Yes, No"),
    (BOTH, f"{ALONE[:-1]}, parameters: {{MaxConnections: 01}}}}", f"targets[{T}].parameters.MaxConnections", "whole number"),
    (BOTH, f"{ALONE[:-1]}, parameters: {{MaxBurstLength: {'9' * 5000}}}}}", f"targets[{T}].parameters.MaxBurstLength", "10 digits"),
    (BOTH, f"{ALONE[:-1]}, parameters: {{MaxBurstLength: 512}}}}", f"targets[{T}].parameters.FirstBurstLength", "65536 is more"),
    # credentials
    (f"  {H}: {{}}", f"  {H}: {{chap: {{user: a}}}}", f"initiators[{H}].chap.password", "there is none yet"),
    (f"  {H}: {{}}", f"  {H}: {{chap: {{user: NULLx, password: {SEALED}}}}}", f"initiators[{H}].chap.user", "not a CHAP user"),
    (f"  {H}: {{}}", f"  {H}: {{mutual_chap: {{user: a, password: b}}}}", f"initiators[{H}].mutual_chap.password", "not a sealed"),
    (f"  {H}: {{}}", f"  {H}: {{mutual_{CHAP}}}", f"initiators[{H}].mutual_chap", "no effect without 'chap'"),
    (BOTH, f"{BOTH[:-1]}, authentication: chap}}", f"initiators[{H}].chap", f"lunmapctl secret set {H}"),
    (BOTH, f"{BOTH[:-1]}, authentication: mutual-chap}}", f"initiators[{H}].mutual_chap", f"secret set --mutual {H}"),
    # nodes
    ("tpg_tag: 1,", "tpg_tag: 1, labels: {'a b': c},", "nodes[n1].labels.a b", "is not a label"),
    ("tpg_tag: 1,", "tpg_tag: 1, labels: {a: -},", "nodes[n1].labels.a", "is not a label"),
    ("tpg_tag: 1,", "tpg_tag: 1, devices: {dev: /x},", "nodes[n1].devices.dev", "absolute"),
    ("tpg_tag: 1,", "tpg_tag: 1, devices: {/dev/: x},", "nodes[n1].devices./dev/", "absolute"),
    ("tpg_tag: 1,", "tpg_tag: 1, devices: {/dev: /x, /dev/: /y},", "nodes[n1].devices./dev/", "the same as '/dev'"),
    ("tpg_tag: 1,", "tpg_tag: 1, iser_portals: [10.0.0.1],", "nodes[n1].iser_portals[0]", "given twice"),
    ("tpg_tag: 2,", "tpg_tag: 2, iser_portals: [10.0.0.1],", "nodes[n2].iser_portals[0]", "already that of nodes[n1]"),
    ("[10.0.0.1]", "[0.0.0.0]", f"targets[{T}].nodes.n1", "give the node's own"),
    ("[10.0.0.1]", "[224.0.0.1]", "nodes[n1].portals[0]", "address of the node"),
    ("tpg_tag: 1,", "tpg_tag: 1, discovery: {chap: {user: a}},", "nodes[n1].discovery.chap.password", "none yet"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "place", "sentence"), BROKEN, ids=[f"{row[2]} {row[3]}" for row in BROKEN]
)
def test_a_broken_rule_is_one_problem_at_its_place(old: str, new: str, place: str, sentence: str) -> None:
    """Each broken rule names the object, the field and what to write instead."""
    text = edited(old, new)
    if place == "luns[db2].nodes[0]" and old == BOTH:
        text = text.replace(DISK, DISK + "\n    nodes: [n2]")
    found = problems_of(text)
    assert any(line.startswith(f"{place}: ") and sentence in line for line in found), found


GOOD_EDITS = [
    (FILE, "backing: {type: user, config: rbd/pool/a, overrides: {n2: rbd/pool/b}}"),
    (FILE, FILE + "\n    attributes: {block_size: 4096, emulate_tpu: 1}"),
    (f"{SIZE}\n    {FILE}", "backing: {type: pscsi, path: /dev/sg1}"),
    (FILE, "backing: {type: ramdisk, volatile: true}\n    nodes: [n2]\n    preferred: n2"),
    (DISK, DISK + "\n    vendor: ACME\n    product: Fast disk 16"),
    (DISK, DISK + "\n    nodes: [n1, n2]\n    preferred: n2\n    others: standby"),
    (f"  {H}: {{}}", f"  {H}: {{{CHAP}, mutual_{CHAP}}}"),
    (BOTH, f"{BOTH[:-1]}, attributes: {{fabric_prot_type: 3}}, parameters: {{MaxBurstLength: 1048576, DataDigest: None}}}}"),
    ("tpg_tag: 1,", "tpg_tag: 1, devices: {/dev/: /dev/san/},"),
    (FILE, "backing: {type: ramdisk, volatile: true, }\n    nodes: [n2]"),
    ("tpg_tag: 1,", "tpg_tag: 1, labels: {rack: r1, empty: ''}, devices: {/dev/: /dev/san/, /: /x},"),
    ("tpg_tag: 1,", f"tpg_tag: 1, discovery: {{{CHAP}}}, state: drained, iser_portals: [10.1.0.1],"),
    ("{port_id: 1}", "{port_id: 1, portals: [10.0.0.1]}"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), GOOD_EDITS, ids=[row[1] for row in GOOD_EDITS])
def test_what_the_model_offers_is_accepted(old: str, new: str) -> None:
    """Every field can be used in a way that keeps the rules."""
    assert problems_of(edited(old, new)) == []


def test_targets_that_ask_for_chap_take_initiators_that_have_it() -> None:
    """With both kinds of credentials an initiator may use any target; a missing target requires nothing."""
    text = edited(f"  {H}: {{}}", f"  {H}: {{{CHAP}, mutual_{CHAP}}}")
    assert problems_of(text.replace(BOTH, f"{BOTH[:-1]}, authentication: mutual-chap}}")) == []
    assert all("authentication" not in line for line in problems_of(text.replace(BOTH, "")))


def _rewritten(letters: int) -> list[str]:
    """Return the problems of a path of so many two-byte letters, which node n1 makes 4 bytes longer."""
    text = edited(DISK, "backing: {type: block, path: /dev/" + "\u00e9" * letters + "}")
    return problems_of(text.replace("tpg_tag: 1,", "tpg_tag: 1, devices: {/dev: /dev/san},"))


def test_a_rewritten_path_is_counted_in_bytes() -> None:
    """A path that a node's `devices` makes longer than 255 bytes names the Lun, the node and the path."""
    assert _rewritten(123) == []  # 9 bytes of /dev/san/, and 246
    (problem,) = _rewritten(124)
    assert problem.startswith("luns[db2].backing.path: ")
    assert "node n1" in problem
    assert "'devices'" in problem
    assert "has 257 bytes" in problem


def test_only_the_path_that_a_node_uses_is_counted() -> None:
    """An override replaces the rewritten path, and a node that does not report the Lun has no path for it."""
    path = f"/dev/{'a' * 250}"
    rewritten = "tpg_tag: 1, devices: {/dev: /dev/san},"
    for backing in (
        f"{{type: block, path: {path}, overrides: {{n1: /dev/b}}}}",
        f"{{type: block, path: {path}}}\n    nodes: [n2]",
    ):
        text = edited(DISK, f"backing: {backing}").replace("tpg_tag: 1,", rewritten)
        assert problems_of(text) == []


def test_a_mistaken_password_is_not_shown() -> None:
    """A password in the clear, where a sealed one belongs, appears in no problem."""
    found = problems_of(edited(f"  {H}: {{}}", f"  {H}: {{chap: {{user: a, password: hunter2hunter2}}}}"))
    assert len(found) == 1
    assert "hunter2" not in found[0]


def test_memory_and_single_files_have_nothing_to_clash_and_nothing_to_warn_of() -> None:
    """A ramdisk has no path on any node, and a file that one node serves needs no cluster file system."""
    text = edited(FILE, "backing: {type: ramdisk, volatile: true}\n    nodes: [n1]").replace(
        "tpg_tag: 1,", "tpg_tag: 1, devices: {/dev/: /x/},"
    )
    assert problems_of(text) == []
    assert rules.map_warnings(parse_map(edited(FILE, FILE + "\n    nodes: [n1]"))[0]) == ()


def test_a_lun_without_maps_may_name_its_nodes_already() -> None:
    """The nodes of a Lun may be set before it is mapped."""
    text = GOOD + "  n3: {tpg_tag: 3, portals: [10.0.0.3]}\n"
    lun = f"luns:\n  new:\n    serial: {'3' * 32}\n    backing: {{type: block, path: /dev/n}}\n    preferred: n3\n"
    assert problems_of(text.replace("luns:\n", lun)) == []
    assert (
        problems_of(text.replace("luns:\n", lun.replace("preferred: n3", "nodes: [n3]\n    preferred: n3")))
        == []
    )


WARNED = [
    (None, None, "luns[db1].backing", "only a cluster file system"),
    ("lun: 1,", "lun: 300,", "luns[db2].maps[0].lun", "300 is above 255"),
    (
        DISK,
        "backing: {type: user, config: a/b}\n    size: 64MiB",
        "luns[db2].maps",
        "which does not know of 'access: ro'",
    ),
    (DISK, DISK + "\n    others: standby", "luns[db2].others", "no effect without 'preferred'"),
]


@pytest.mark.parametrize(("old", "new", "place", "sentence"), WARNED, ids=[row[2] for row in WARNED])
def test_what_surprises_is_a_warning(old: str | None, new: str | None, place: str, sentence: str) -> None:
    """An unusual map is accepted with a warning."""
    lunmap = parse_map(edited(old, new) if old and new else GOOD)[0]
    assert rules.check_map(lunmap) == ()
    found = [str(problem) for problem in rules.map_warnings(lunmap)]
    assert any(text.startswith(f"{place}: ") and sentence in text for text in found), found


LETTERS = "matches whole parts of a path"


@pytest.mark.parametrize(
    ("devices", "sentences"),
    [
        ("{/dev/vg/d: /dev/vg/e}", [LETTERS]),
        ("{/dev/v: /dev/w, /srv/db: /x}", [LETTERS, LETTERS]),
        ("{/dev/vg: /dev/w, /srv/: /x, /none: /x}", []),
        ("{/dev/vg/db2: /dev/e}", []),
    ],
)
def test_a_prefix_of_letters_is_warned_of(devices: str, sentences: list[str]) -> None:
    """An entry that matches no whole component of any path, but letters of one, names such a Lun and path."""
    lunmap = parse_map(edited("tpg_tag: 1,", f"tpg_tag: 1, devices: {devices},"))[0]
    assert rules.check_map(lunmap) == ()
    found = [problem for problem in rules.map_warnings(lunmap) if problem.place[:2] == ("nodes", "n1")]
    assert len(found) == len(sentences)
    for problem, sentence in zip(found, sentences, strict=True):
        assert problem.place[2] == "devices"
        assert sentence in problem.message
        assert "of luns[db" in problem.message


def test_a_prefix_concerns_no_path_that_is_overridden() -> None:
    """A path with an override for the node, memory and a program's configuration are never rewritten."""
    text = edited("tpg_tag: 1,", "tpg_tag: 1, devices: {/dev/v: /x, /srv/d: /y},")
    text = text.replace(DISK, "backing: {type: block, path: /dev/vg/db2, overrides: {n1: /dev/b}}")
    for backing in ("{type: ramdisk, volatile: true}\n    nodes: [n1]", "{type: user, config: srv/db1}"):
        lunmap = parse_map(text.replace(FILE, f"backing: {backing}"))[0]
        assert [item for item in rules.map_warnings(lunmap) if item.place[0] == "nodes"] == []


def test_a_node_serves_what_an_older_schema_did_not_ask_for() -> None:
    """That a choice is missing keeps a map from being committed, not a Lun from being served."""
    lunmap = parse_map(GOOD.replace("    shared: {reservations: off, compare_and_write: off}\n", ""))[0]
    assert rules.check_map(lunmap)
    assert rules.check_served(lunmap) == ()


def test_every_default_is_a_value_that_is_taken() -> None:
    """The tables of attributes and parameters keep their own ranges."""
    rows = [(row.name, row.range, row.default) for row in attributes.STORAGE.values()]
    rows += [(row.name, row.range, row.default) for row in attributes.TPG.values()]
    assert [name for name, span, default in rows if default is not None and span.check(default)] == []
    assert [row.name for row in attributes.PARAMETERS.values() if row.check(row.default)] == []
    assert Range(0, 3600).check(-1)
    assert not attributes.STORAGE_ELSEWHERE.keys() & {name for _, name in attributes.STORAGE}


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("others: optimized", "has no effect without 'preferred'"),
        ("preferred: n1, others: optimized", "'preferred' has no effect beside it"),
        ("preferred: n1, others: standby", "if node n1 fails, the Lun has no path"),
        ("preferred: n1, others: unavailable", "no host can use a path in unavailable"),
        ("preferred: n1", ""),
        ("nodes: [n1], preferred: n1, others: standby", ""),
    ],
)
def test_states_without_the_effect_of_their_name_are_warned_of(choice: str, words: str) -> None:
    """Hosts share the I/O among optimized paths whatever is preferred, and open no path in standby."""
    lines = "".join(f"    {part}\n" for part in choice.split(", "))
    text = edited(
        "    shared: {reservations: off, compare_and_write: per-node}\n",
        lines + "    shared: {reservations: off, compare_and_write: per-node}\n",
    )
    found = [
        problem
        for problem in rules.map_warnings(parse_map(text)[0])
        if problem.place == ("luns", "db2", "others")
    ]
    assert [words in problem.message for problem in found] == ([True] if words else [])
