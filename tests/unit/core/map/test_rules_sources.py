"""The rule for the path of a mapped Lun: a commit that changes it names the Lun."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backing_reports import BackingReport
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.map.mapfile import parse_map
from lunmapd.core.map.rules import check_changes
from lunmapd.core.map.rules.sources import Evidence, SourceChange, judge_source_changes, weigh_evidence
from support.valid_map import GOOD, T, edited

FILE = "backing: {type: fileio, path: /srv/db1.img}"
N1, N2 = "tpg_tag: 1,", "tpg_tag: 2,"
BOTH = f"  {T}: {{nodes: {{n1: {{port_id: 1}}, n2: {{port_id: 2}}}}}}"
ONE, OTHER = (f"  {T}: {{nodes: {{{node}}}}}" for node in ("n1: {port_id: 1}", "n2: {port_id: 2}"))
PROGRAM = "backing: {type: user, config: rbd/p/a}"


def file(path: str, overrides: str = "") -> str:
    """Return a file as backing, with overrides."""
    return f"backing: {{type: fileio, path: {path}, overrides: {{{overrides}}}}}"


def changed(*pairs: tuple[str, str]) -> Lunmap:
    """Return the good map with these texts replaced."""
    text = GOOD
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return parse_map(text)[0]


PATH, ON_N1 = "luns[db1].backing.path", "luns[db1].backing.overrides.n1"

REFUSED = [
    ([], [(FILE, file("/srv/b"))], [f"{PATH}: on node n1", f"{PATH}: on node n2"]),
    ([], [(FILE, file("/srv/db1.img", "n1: /srv/b"))], [f"{ON_N1}: on node n1"]),
    ([(FILE, file("/srv/db1.img", "n1: /srv/b"))], [], [f"{ON_N1}: on node n1"]),
    ([], [(N1, f"{N1} devices: {{/srv: /x}},")], ["nodes[n1].devices: on node n1"]),
    ([(N2, f"{N2} devices: {{/srv: /x}},")], [], ["nodes[n2].devices: on node n2"]),
    ([(FILE, PROGRAM)], [(FILE, "backing: {type: user, config: rbd/p/b}")],
     ["luns[db1].backing.config: on node n1", "luns[db1].backing.config: on node n2"]),
    # A Lun that moves: no node has it before and after the commit.
    ([(BOTH, ONE)], [(BOTH, OTHER), (FILE, file("/srv/b"))], [f"{PATH}: on node n2"]),
    # The path and the rewriting of one node change together.
    ([], [(FILE, file("/srv/b")), (N1, f"{N1} devices: {{/srv: /x}},")], [f"{PATH}: on node n1", f"{PATH}: on node n2"]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "starts"), REFUSED)
def test_a_mapped_lun_keeps_its_path(
    before: list[tuple[str, str]], after: list[tuple[str, str]], starts: list[str]
) -> None:
    """Another path on any node is refused, with the Lun, the node, both paths, the reason and a way."""
    maps = changed(*before), changed(*after)
    problems = [str(problem) for problem in check_changes(*maps)]
    assert len(problems) == len(starts), problems
    for problem, start in zip(problems, starts, strict=True):
        assert problem.startswith(start)
        assert "Lun db1" in problem
        assert "same WWID" in problem
        assert "--rebacking db1" in problem
    assert check_changes(*maps, rebacking={"db1"}) == ()
    assert len(check_changes(*maps, rebacking={"db2"})) == len(starts)


def test_the_message_has_both_paths() -> None:
    """The old and the new path are those of the node, as it rewrites them."""
    before = changed((N1, f"{N1} devices: {{/srv: /a}},"))
    after = changed((N1, f"{N1} devices: {{/srv: /b}},"))
    (problem,) = check_changes(before, after)
    assert "from /a/db1.img to /b/db1.img" in problem.message


BARE = edited("", "").replace(GOOD[GOOD.index("    maps:") : GOOD.index("  db2:")], "")
FREE = [
    (GOOD, GOOD),
    (BARE, GOOD.replace(FILE, file("/srv/b"))),
    (GOOD, BARE.replace(FILE, file("/srv/b"))),
    # The effective path stays as it was.
    (GOOD, GOOD.replace(N1, f"{N1} devices: {{/elsewhere: /x}},")),
    (GOOD, GOOD.replace(FILE, file("/srv/db1.img", "n1: /srv/db1.img, n2: /srv/db1.img"))),
    (GOOD, GOOD.replace(FILE, file("/y/db1.img")).replace(N1, f"{N1} devices: {{/y: /srv}},")
     .replace(N2, f"{N2} devices: {{/y: /srv}},")),
    # A node that gets the Lun may have another path for it, and so may one that loses it.
    (GOOD.replace(BOTH, ONE), GOOD.replace(FILE, file("/srv/db1.img", "n2: /srv/b"))),
    (GOOD.replace(BOTH, ONE), GOOD.replace(N2, f"{N2} devices: {{/srv: /x}},")),
    (GOOD.replace(FILE, file("/srv/db1.img", "n2: /srv/b")), GOOD.replace(BOTH, ONE)),
    # No node of before and after is in the map.
    (GOOD, GOOD[: GOOD.index("nodes:\n")].replace(FILE, file("/srv/b"))),
    (GOOD.replace(FILE, "backing: {type: ramdisk, volatile: true}"),
     GOOD.replace(FILE, "backing: {type: ramdisk, volatile: true}").replace(N1, f"{N1} devices: {{/: /x}},")
     .replace("type: block, path: /dev/vg/db2", "type: block, path: /dev/vg/db2, overrides: {n1: /dev/vg/db2}")),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), FREE)
def test_what_changes_no_path_of_a_mapped_lun_is_free(before: str, after: str) -> None:
    """Unmapped Luns, new nodes and other spellings of the same path need no word."""
    assert check_changes(parse_map(before)[0], parse_map(after)[0]) == ()


def test_a_node_that_is_new_has_no_former_rewriting() -> None:
    """A node whose document was missing is compared by its present one."""
    before = parse_map(GOOD[: GOOD.index("nodes:\n")])[0]
    after = changed((FILE, file("/srv/b")), (N1, f"{N1} devices: {{/srv: /x}},"))
    assert [problem.message.split(":")[0] for problem in check_changes(before, after)] == [
        "on node n1 Lun db1 would change from /x/db1.img to /x/b",
        "on node n2 Lun db1 would change from /srv/db1.img to /srv/b",
    ]


def test_another_kind_of_backing_is_one_problem() -> None:
    """A kind that can't change while the Lun is mapped is reported once, without its path."""
    after = changed((FILE, "backing: {type: block, path: /dev/b}"))
    assert [problem.place[-1] for problem in check_changes(changed(), after, rebacking=set())] == ["type"]


CHANGE = SourceChange("db1", "n1", "/dev/vg0/x", "/dev/mapper/vg0-x", ("luns", "db1", "backing", "path"))
OPENED = BackingReport("/dev/vg0/x", 512, 512, {}, ("/dev/dm-3", "/dev/mapper/vg0-x"))


@pytest.mark.parametrize(
    ("report", "is_current", "same", "words"),
    [
        (OPENED, True, True, "n1 knows /dev/mapper/vg0-x as another name of the opened device"),
        (OPENED, False, False, "n1 is not alive"),
        (None, True, False, "n1 does not report that it has opened the Lun"),
        (replace(OPENED, path="/dev/y"), True, False, "n1 has opened /dev/y, not /dev/vg0/x"),
        (replace(OPENED, names=()), True, False, "n1 knows no other name of what it has opened"),
        (replace(OPENED, names=("/dev/dm-3",)), True, False, "only /dev/dm-3"),
    ],
)
def test_a_node_knows_whether_two_paths_are_one_device(
    report: BackingReport | None,
    is_current: bool,  # noqa: FBT001 - a table
    same: bool,  # noqa: FBT001
    words: str,
) -> None:
    """Only the report of a live node, about the present path, proves anything."""
    evidence = weigh_evidence(CHANGE, report, is_current=is_current)
    assert evidence.same is same
    assert words in evidence.sentence


def test_a_path_is_another_name_only_if_each_node_says_so() -> None:
    """A node without proof refuses the Lun on all nodes, with what each knows."""
    elsewhere, other = replace(CHANGE, node="n2"), replace(CHANGE, lun="db2")
    same, unknown = Evidence(same=True, sentence="n1 knows"), Evidence(same=False, sentence="n2 does not")
    both = {("db1", "n1"): same, ("db1", "n2"): same, ("db2", "n1"): same}
    assert list(judge_source_changes([CHANGE, elsewhere, other], both)) == []
    problems = list(judge_source_changes([CHANGE, elsewhere, other], {**both, ("db1", "n2"): unknown}))
    assert [problem.message.rpartition("; ")[2] for problem in problems] == ["n1 knows", "n2 does not"]
    problems = list(judge_source_changes([CHANGE, elsewhere], {("db1", "n1"): same}))
    assert len(problems) == 2
