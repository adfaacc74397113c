"""LUN numbers, port ids and TPG tags that are used again: refused, unless it is safe or said."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from lunmapd.client import Client, ConflictError, InvalidInputError, Note, Proposal
from lunmapd.clock import rfc3339
from lunmapd.core.base.backings import Block
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import (
    FloatingGroup,
    Group,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Target,
)
from lunmapd.core.fleet.status import FormerOccupant, HistoryPoint, Live, NodeStatus
from lunmapd.core.history.changes import Allowance
from lunmapd.store.commit.draft import Signature, draft_commit, tip_of
from lunmapd.store.commit.reuse import ledger_of_history
from lunmapd.store.commit.send import send_draft
from lunmapd.store.session import paths
from lunmapd.store.session.errors import DamagedError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.ledger import read_ledger, read_whole_ledger
from lunmapd.store.tree.members import register, write_status
from lunmapd.store.tree.read import read_tree
from lunmapd.store.upkeep.trim import trim
from support.cluster import Ctl
from support.commits import content_of
from support.plain_client import PlainClient
from support.sessions import Connect

pytestmark = pytest.mark.integration

T = "iqn.2026-01.org.example:t"
H = "iqn.2026-01.org.example:h"
G = "iqn.2026-01.org.example:g"
HOSTS = (H, G)
EMPTY = Lunmap(
    {},
    {T: Target({"n1": PortalGroup(1), "n2": PortalGroup(2)})},
    {name: Initiator() for name in HOSTS},
    {"all": Group(HOSTS), "some": Group((G,))},
    {"n1": Node(1, ("10.0.0.1:3260",)), "n2": Node(2, ("10.0.0.2:3260",))},
)


def lun(digit: int, *maps: Map) -> Lun:
    """Return a Lun with a serial of one digit, that one node reports."""
    return Lun(Block(f"/dev/vg/l{digit}"), str(digit) * 32, nodes=("n1",), maps=maps)


def at(**numbers: int) -> Lunmap:
    """Return the map in which each of these Luns has a LUN number for the host H."""
    digits = {"x": 1, "y": 2, "z": 3}
    return replace(
        EMPTY, luns={name: lun(digits[name], Map(T, number, H)) for name, number in numbers.items()}
    )


def refused(client: Client, lunmap: Lunmap, note: Note = Note()) -> str:  # noqa: B008 - frozen
    """Commit a map that is refused, and return why; nothing is committed."""
    before = client.newest()
    with pytest.raises(InvalidInputError) as caught:
        client.apply(lunmap, note)
    assert client.newest() == before
    return str(caught.value)


def used(session: Session, initiator: str = H) -> tuple[tuple[int, int], ...]:
    """Return the LUN numbers in the ledger."""
    return read_ledger(session, (initiator,), ids=False).ledger.numbers(T, initiator).used


@pytest.fixture
def client(session: Session) -> Client:
    """Give a client of a tree in which Lun x is LUN 5 of the host, by revision 1."""
    opened = Client(session)
    opened.apply(at(x=5))
    return opened


def knowing(session: Session, *former: FormerOccupant, nodes: Iterable[str] = ("n1", "n2")) -> None:
    """Make nodes report that they follow the newest revision, and these former LUNs."""
    snapshot = read_tree(session)
    status = NodeStatus(
        "boot",
        "v",
        rfc3339(datetime.now(UTC)),
        observed=HistoryPoint(snapshot.cluster, snapshot.revision, snapshot.head_digest),
        beat=60.0,
        former=former,
        former_count=len(former),
        former_since=1,
    )
    for node in nodes:
        register(session, node, Live(node, "boot", "v", "now"))
        write_status(session, node, status)


def test_a_number_can_not_go_from_one_lun_to_another(client: Client, session: Session) -> None:
    """X leaves LUN 5 and y gets it in one commit, as in a renumbering: refused with a number that is free."""
    assert refused(client, at(x=7, y=5)) == (
        f"luns[y].maps[0].lun: LUN 5 leads {H} to Lun x (serial {'1' * 32}) through {T} in revision 1; a host "
        "that still has the device would write into Lun y without an error: use another number (the lowest "
        "number that was never used there is 1), or remove the device on the host and allow it with "
        "--reuse-lun y"
    )
    assert client.apply(at(x=7, y=1)) is not None
    assert used(session) == ((5, 5),)


def test_a_swap_is_refused(client: Client) -> None:
    """Two Luns that swap their numbers are both named; renaming a Lun is no swap."""
    client.apply(at(x=5, y=6))
    both = refused(client, at(x=6, y=5))
    assert "luns[x].maps[0].lun: LUN 6 leads" in both
    assert "luns[y].maps[0].lun: LUN 5 leads" in both
    assert "LUN 6" in refused(client, at(x=6, y=5), Note(reuse_luns=("y",)))
    renamed = at(x=5, y=6)
    client.apply(replace(renamed, luns={"x": renamed.luns["x"], "new": renamed.luns["y"]}))


def test_a_number_that_was_left_earlier_is_refused(client: Client) -> None:
    """X is removed in one commit, and y gets its number in a later one: no live node can say it is safe."""
    client.apply(EMPTY)
    for index in range(3):
        client.apply(replace(EMPTY, groups={"all": Group(HOSTS, f"alias {index}"), "some": Group((G,))}))
    problem = refused(client, at(y=5))
    assert (
        f"LUN 5 led {H} to Lun x (serial {'1' * 32}) through {T} until revision 2; node n1 is dead" in problem
    )


def test_the_same_lun_gets_its_number_back(client: Client, session: Session) -> None:
    """Undoing a removal is never refused, and the number stays used."""
    client.apply(EMPTY)
    assert client.apply(at(x=5)) is not None
    client.apply(at(x=6))
    assert client.rollback(1) is not None
    assert used(session) == ((5, 6),)


def test_a_rollback_to_other_numbers_is_refused(client: Client) -> None:
    """A rollback is a commit like any other: it may permute numbers only if that is said."""
    client.apply(at(x=7))
    client.apply(at(x=7, y=5), Note(reuse_luns=("y",)))
    with pytest.raises(InvalidInputError, match=r"LUN 5 leads .* to Lun y"):
        client.rollback(1)
    made = client.rollback(1, Note(reuse_luns=("x",)))
    assert made is not None
    assert made.allows is not None
    assert made.allows.luns == ("x", "y")


def test_an_older_file_is_refused(client: Client) -> None:
    """A map file from before other commits brings old numbers back, for other Luns."""
    older = at(y=5, z=6)
    client.apply(at(x=6))
    problem = refused(client, older)
    assert "luns[y].maps[0].lun: LUN 5 led" in problem
    assert "luns[z].maps[0].lun: LUN 6 leads" in problem


@pytest.mark.parametrize("shape", ["target", "initiator"])
def test_a_new_object_of_an_old_name_has_its_numbers(client: Client, shape: str) -> None:
    """A target or an initiator that was deleted and is created again still has hosts that know it."""
    bare = (
        replace(EMPTY, targets={})
        if shape == "target"
        else replace(EMPTY, initiators={G: Initiator()}, groups={"some": Group((G,))})
    )
    client.apply(bare)
    assert "LUN 5 led" in refused(client, at(y=5))


def test_a_member_brings_its_numbers_into_a_group(client: Client, session: Session) -> None:
    """A host that joins a group may have had another Lun under the group's number; the others are fine."""
    client.apply(replace(EMPTY, luns={"y": lun(2, Map(T, 5, group="some"))}))
    joined = replace(
        EMPTY,
        luns={"y": lun(2, Map(T, 5, group="some"))},
        groups={"all": Group(HOSTS), "some": Group((G, H))},
    )
    assert f"LUN 5 led {H} to Lun x" in refused(client, joined)
    assert client.apply(joined, Note(reuse_luns=("y",))) is not None
    client.apply(replace(joined, groups={"all": Group(HOSTS), "some": Group()}))
    assert used(session) == used(session, G) == ((5, 5),)


def test_one_problem_for_a_group(client: Client) -> None:
    """A number offered for a group was never used by any member."""
    client.apply(replace(at(x=5), luns={"x": lun(1, Map(T, 5, H)), "z": lun(3, Map(T, 1, G))}))
    problem = refused(
        client, replace(EMPTY, luns={"y": lun(2, Map(T, 5, group="all")), "z": lun(3, Map(T, 1, G))})
    )
    assert problem.count("\n") == 0
    assert "never used there is 2)" in problem


def test_a_named_lun_passes_with_an_override(client: Client, session: Session) -> None:
    """--reuse-lun passes the rule, and lets the nodes follow for an hour; later commits don't end that."""
    made = client.apply(at(y=5), Note(reuse_luns=("y", "none")))
    assert made is not None
    assert made.allows is not None
    assert (made.allows.disruption, made.allows.nodes, made.allows.luns) == ("other-data", (), ("y",))
    until = datetime.fromisoformat(made.allows.until)
    assert timedelta(minutes=59) < until - datetime.now(UTC) <= timedelta(hours=1)
    client.apply(replace(at(y=5), groups={}))
    assert read_tree(session).allowance == made.allows
    client.override("none", 60)
    assert read_tree(session).allowance == Allowance("none", client.revision(4).allows.until)  # type: ignore[union-attr]
    client.apply(at(y=5))
    assert read_tree(session).allowance is None


def test_an_override_of_other_data_can_be_limited_to_luns(client: Client, session: Session) -> None:
    """The verb names Luns of the map, and only for the class other-data."""
    client.override("other-data", 60, luns=("x",))
    found = read_tree(session).allowance
    assert found is not None
    assert (found.disruption, found.luns) == ("other-data", ("x",))
    with pytest.raises(InvalidInputError, match="no such Lun"):
        client.override("other-data", 60, luns=("none",))
    with pytest.raises(InvalidInputError, match="only other-data can be limited to Luns"):
        client.override("path-loss", 60, luns=("x",))


FORMER = FormerOccupant(T, H, 5, "x", "1" * 32, 2)


def test_nodes_that_saw_the_host_log_out_clear_a_number(client: Client, session: Session) -> None:
    """The number is free again once every node that serves the target knows that the host logged out."""
    client.apply(EMPTY)
    knowing(session, nodes=("n1",))
    assert "node n2 is dead" in refused(client, at(y=5))
    knowing(session, FORMER)
    assert "node n1 reports that the host may still have that device" in refused(client, at(y=5))
    knowing(session)
    assert client.apply(at(y=5)) is not None


def test_each_node_of_a_floating_group_must_know_that_too(client: Client, session: Session) -> None:
    """Any of them may have been the owner, and the host logged in there."""
    group = FloatingGroup(9, ("10.0.0.9:3260",), ("n1", "n2"), 9)
    floating = {T: Target({}, floating={"gold": group})}
    client.apply(replace(at(x=5), targets=floating))
    client.apply(replace(EMPTY, targets=floating))
    knowing(session, nodes=("n1",))
    assert "node n2 is dead" in refused(client, replace(at(y=5), targets=floating))
    knowing(session)
    assert client.apply(replace(at(y=5), targets=floating)) is not None


def test_a_node_that_can_not_know_keeps_a_number(client: Client, session: Session) -> None:
    """A silent node, an older version and one that is behind do not clear a number."""
    knowing(session)
    client.apply(EMPTY)
    assert "node n1 has not read revision 2 of this map yet" in refused(client, at(y=5))
    knowing(session)
    status = NodeStatus(
        "boot", "v", rfc3339(datetime.now(UTC)), HistoryPoint(read_tree(session).cluster, 2, "")
    )
    write_status(session, "n2", status)
    assert "node n2 remembers no former LUNs" in refused(client, at(y=5))
    write_status(session, "n2", replace(status, time="2026-01-01T00:00:00Z", beat=5.0, former_since=0))
    assert "node n2 is silent" in refused(client, at(y=5))


def test_a_clear_number_is_not_free_in_the_same_commit(client: Client, session: Session) -> None:
    """Whatever the nodes know, no commit leads a number from one Lun to another."""
    knowing(session)
    assert "LUN 5 leads" in refused(client, at(y=5))


def test_a_trimmed_history_forgets_no_number(client: Client, session: Session) -> None:
    """The ledger has numbers of revisions that were trimmed long ago."""
    client.apply(EMPTY)
    for index in range(4):
        client.apply(replace(EMPTY, groups={"some": Group((G,), f"alias {index}")}))
    trim(session, 1)
    assert "until revision 2" in refused(client, at(y=5))


def test_a_tree_without_a_ledger_gets_that_of_its_history(client: Client, session: Session) -> None:
    """A tree of an earlier version has no ledger: the first commit that needs it reads the revisions."""
    client.apply(at(z=6))
    client.apply(EMPTY)
    before = read_whole_ledger(session).ledger
    with PlainClient(session) as shell:
        shell.delete(paths.ADDRESSES)
    assert "LUN 5 led" in refused(client, at(y=5))
    client.apply(replace(EMPTY, groups={}))
    assert not read_whole_ledger(session).exists
    client.apply(at(y=1))
    assert read_whole_ledger(session).ledger == before
    assert "LUN 6 led" in refused(client, at(y=1, x=6))


def test_a_commit_of_a_version_without_a_ledger_is_caught_up(client: Client, session: Session) -> None:
    """An older version on another machine leaves a number and keeps no ledger: the next commit finds that."""
    before = client.read()
    content = content_of(before, EMPTY)
    assert content is not None
    older = draft_commit(tip_of(before), content, Signature("ann", "", datetime.now(UTC)))
    send_draft(session, replace(older, head=replace(older.head, ledger=False)))
    client.apply(replace(EMPTY, groups={}))
    assert not read_tree(session).ledger
    assert "LUN 5 led" in refused(client, at(y=5))
    client.apply(at(y=1))
    assert read_tree(session).ledger
    assert used(session) == ((5, 5),)


def test_the_ledger_equals_the_fold_of_the_history(client: Client, session: Session) -> None:
    """Commits, rollbacks and overrides keep the ledger that all revisions together lead to."""
    client.apply(at(x=7, y=9))
    client.rollback(1)
    client.confirm()
    client.apply(replace(EMPTY, targets={T: Target({"n2": PortalGroup(2)})}))
    client.apply(at(z=8))
    stored = read_whole_ledger(session).ledger
    assert stored == ledger_of_history(session, client.read().lunmap, client.newest())
    assert stored.ids.port_ids.used == ((1, 1),)


def test_an_undo_of_many_removals_is_free(client: Client, session: Session) -> None:
    """The ledger names some of the Luns that a mass removal took; the kept revisions have the others."""
    many = replace(
        EMPTY,
        luns={
            f"l{number}": Lun(
                Block(f"/dev/vg/l{number}"), f"{number:025x}", nodes=("n1",), maps=(Map(T, number, H),)
            )
            for number in range(10, 60)
        },
    )
    client.apply(many)
    client.apply(EMPTY)
    assert client.rollback(2) is not None
    client.apply(EMPTY)
    assert f"LUN 10 led {H} to Lun l10" in refused(client, at(y=10))
    client.apply(replace(EMPTY, groups={}))
    trim(session, 1)
    assert f"LUN 10 led {H} to a Lun that is not remembered any more" in refused(client, at(y=10))


def test_a_commit_that_changes_no_address_reads_no_ledger(client: Client, session: Session) -> None:
    """A damaged record stops only the commits that need it, and says which znode it is."""
    client.apply(EMPTY)
    with PlainClient(session) as shell:
        shell.set(paths.address_record(H), b"?")
    client.apply(replace(EMPTY, groups={}))
    with pytest.raises(DamagedError, match=f"addresses/{H}"):
        client.apply(at(x=5))


def test_numbers_left_by_another_client_are_known(client: Client) -> None:
    """A commit is rebased on another one that left the number it takes: refused, as a conflict."""
    before = client.read()
    client.apply(at(x=6))
    client.apply(at(x=5))
    taken = replace(at(x=5), luns={**at(x=5).luns, "new": lun(4, Map(T, 6, H))})
    with pytest.raises(ConflictError, match=f"LUN 6 led {H} to Lun x"):
        client.apply(Proposal(before, taken, ()))
    assert client.apply(Proposal(before, taken, ()), Note(reuse_luns=("new",))) is not None


def test_an_out_of_band_edit_uses_numbers_too(client: Client, session: Session) -> None:
    """Numbers of an edit that nodes applied are used, and a repair that leads them elsewhere is refused."""
    with PlainClient(session) as shell:
        shell.set("luns/x", encode(lun(1, Map(T, 6, H))))
        shell.create("luns/y", encode(lun(2, Map(T, 5, H))))
    with pytest.raises(InvalidInputError, match=r"LUN 5 leads .* to Lun y"):
        client.repair()
    made = client.repair(Note(reuse_luns=("x",)))
    assert made is not None
    assert used(session) == ((5, 6),)
    assert "LUN 6 led" in refused(client, at(x=5, z=6))


def test_no_commit_takes_in_an_edit_that_leads_a_number_elsewhere(client: Client, session: Session) -> None:
    """An out-of-band edit may do no more than a commit: the next one names the Lun, or it is refused."""
    with PlainClient(session) as shell:
        shell.set("luns/x", encode(lun(1, Map(T, 6, H))))
        shell.create("luns/y", encode(lun(2, Map(T, 5, H))))

    def unrelated(lunmap: Lunmap) -> Lunmap:
        return replace(lunmap, groups={})

    with pytest.raises(InvalidInputError, match=rf"LUN 5 leads {H} to Lun x .* --reuse-lun y"):
        client.edit(unrelated)
    assert client.edit(unrelated, Note(reuse_luns=("y",))) is not None
    assert used(session) == ((5, 5),)


@pytest.mark.parametrize("answer", ["repair", "apply"])
def test_a_verb_without_the_option_names_one_that_has_it(
    client: Client, session: Session, ctl: Ctl, answer: str
) -> None:
    """A drain carries the edit too, and has no --reuse-lun: both commands of its refusal do what they say."""
    with PlainClient(session) as shell:
        shell.set("luns/x", encode(lun(1, Map(T, 6, H))))
        shell.create("luns/y", encode(lun(2, Map(T, 5, H))))
    drain = ("drain", "n2", "--allow", "data-unreachable")
    err = ctl(*drain, expect=3).err
    assert "it was edited out of band, and 'lunmapctl repair' reverts that; to keep it, remove" in err
    assert err.endswith("'lunmapctl get | lunmapctl apply - --reuse-lun y'\n")
    if answer == "repair":
        assert "--reuse-lun x" in ctl("repair", expect=3).err
        ctl("repair", "--reuse-lun", "x")
    else:
        ctl("apply", "-", "--reuse-lun", "y", stdin=ctl("get").out)
    ctl(*drain)
    assert set(client.read().lunmap.luns) == ({"x"} if answer == "repair" else {"x", "y"})


def test_a_commit_records_the_numbers_of_an_edit(client: Client, session: Session) -> None:
    """A commit that keeps an out-of-band edit records what the edit left."""
    with PlainClient(session) as shell:
        shell.set("luns/x", encode(lun(1, Map(T, 6, H))))
    client.edit(lambda lunmap: replace(lunmap, groups={}))
    assert used(session) == ((5, 5),)
    assert "LUN 5 led" in refused(client, at(x=6, y=5))


def test_port_ids_are_never_given_twice(client: Client) -> None:
    """A target without a port id gets one that nobody ever had; an explicit one of another is refused."""
    client.apply(replace(EMPTY, targets={T: Target({"n1": PortalGroup(1)})}))
    client.apply(replace(EMPTY, targets={T: Target({"n1": PortalGroup(1), "n2": PortalGroup(0)})}))
    assert client.read().lunmap.targets[T].nodes["n2"].port_id == 3
    other = replace(EMPTY, targets={**EMPTY.targets, f"{T}2": Target({"n1": PortalGroup(3)})})
    assert f"port id 3 belongs to target {T} on node n2" in refused(client, other)
    client.apply(EMPTY)
    assert f"port id 3 belonged to target {T} on node n2 until revision 4" in refused(client, other)
    assert client.apply(other, Note(reuse_ids=("n1",))) is not None


def test_a_tag_belongs_to_its_node(client: Client) -> None:
    """A node that is removed leaves its tag used; the same node may have it again, another one is named."""
    alone = replace(EMPTY, targets={T: Target({"n2": PortalGroup(2)})}, nodes={"n2": EMPTY.nodes["n2"]})
    client.apply(alone)
    other = replace(alone, nodes={**alone.nodes, "n3": Node(1, ("10.0.0.3:3260",))})
    assert "TPG tag 1 belonged to node n1 until revision 2" in refused(client, other)
    assert client.apply(EMPTY) is not None
    assert client.apply(other, Note(reuse_ids=("n3",))) is not None


def test_the_verbs_have_the_options(client: Client, ctl: Ctl, session: Session) -> None:
    """`apply` locates the problem in the file; apply, rollback and override take the options."""
    client.apply(EMPTY)
    text = ctl("get").out.replace("luns: {}", "")
    lun_text = (
        f"luns:\n  y:\n    backing: {{type: block, path: /dev/vg/l2}}\n    nodes: [n1]\n    maps:\n"
        f"    - {{target: {T}, lun: 5, initiator: {H}}}\n"
    )
    answer = ctl("apply", "-n", "-f", "-", stdin=lun_text + text, expect=3)
    assert "luns[y].maps[0].lun: LUN 5 led" in answer.err
    assert "<stdin>:6:" in answer.err
    ctl("apply", "-f", "-", "--reuse-lun", "y", stdin=lun_text + text)
    assert (read_tree(session).allowance or Allowance("", "")).luns == ("y",)
    assert "allows   other-data for y until 20" in ctl("show", "3").out
    assert "LUN 5 leads" in ctl("rollback", "1", expect=3).err
    ctl("rollback", "1", "--reuse-lun", "x", "--reuse-id", "n1")
    ctl("override", "other-data", "--lun", "x")
    assert (read_tree(session).allowance or Allowance("", "")).luns == ("x",)


def test_two_clients_that_take_one_number(client: Client, connect: Connect) -> None:
    """Two clients that map different Luns to one new number at once: the second one is refused."""
    other = Client(connect())
    before = other.read()
    client.apply(at(x=5, y=9))
    with pytest.raises(ConflictError):
        other.apply(Proposal(before, at(x=5, z=9), ()))
