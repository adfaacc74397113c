"""Edits of hosts, groups, targets and nodes."""

from itertools import count

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block, RamDisk
from lunmapd.core.base.lunmap import Chap, Group, Initiator, Map, Node, NodeState, PortalGroup, Target
from lunmapd.core.base.password import Secret
from lunmapd.core.edits.errors import DiffersError, StillUsedError
from lunmapd.core.edits.hosts import (
    add_host,
    add_members,
    create_group,
    delete_group,
    remove_host,
    remove_members,
    rename_host,
)
from lunmapd.core.edits.servers import add_node, create_target, delete_target, remove_node, set_node_state
from lunmapd.core.map.credentials import NotOpenedError, initiator_path, rebind_secrets
from lunmapd.core.map.short_names import NoSuchNameError
from lunmapd.core.secrets.sealing import Vault, keyring
from support.floating_map import FLOATING, GOLD
from support.floating_map import T as POOL
from support.free_numbers import FREE
from support.small_map import LUN, MAP, H, T

G, NEW, OTHER = "iqn.2026-01.org.example:g", "iqn.2026-01.org.example:new", "iqn.2026-01.org.example:other"
TWO = replace(MAP, initiators={H: Initiator(), G: Initiator("web")}, groups={"web": Group((G,))})


def test_a_host_is_added_once_to_groups_that_exist() -> None:
    """What others set meanwhile stays; another alias is refused with the verb that sets it."""
    once = add_host(TWO, NEW, Initiator("n"), ["web"])
    assert once == replace(
        TWO, initiators={**TWO.initiators, NEW: Initiator("n")}, groups={"web": Group((G, NEW))}
    )
    assert add_host(once, NEW, Initiator(), ["web"]) is once
    with pytest.raises(DiffersError, match="its alias differs: 'lunmapctl host set"):
        add_host(TWO, G, Initiator("db"))
    with pytest.raises(NoSuchNameError, match="no group 'db'"):
        add_host(TWO, NEW, Initiator(), ["db"])


def test_a_host_is_renamed_in_its_groups_and_maps() -> None:
    """Its secrets are those that are bound to the new name; a second time changes nothing."""
    lunmap = replace(TWO, groups={"web": Group((H, G))})
    once = rename_host(lunmap, "h", NEW, Initiator("h"))
    assert once == replace(
        lunmap,
        luns={"a": replace(LUN, maps=(Map(T, 3, NEW),))},
        initiators={NEW: Initiator("h"), G: Initiator("web")},
        groups={"web": Group((NEW, G))},
    )
    assert rename_host(once, "h", NEW) is once
    assert rename_host(lunmap, G, NEW).luns == lunmap.luns
    for word in (H, "h"):
        with pytest.raises(DiffersError, match=f"initiators/{G} is in the map already"):
            rename_host(lunmap, word, G)


def test_the_secrets_of_a_renamed_host_are_bound_to_its_new_name() -> None:
    """They open there, and nowhere without the key."""
    vault, nonces = Vault("c", keyring([bytes(32)])), count(1)
    sealed = vault.seal(initiator_path(H), "chap", Secret("correct horse"), bytes(12))
    host = Initiator(chap=Chap("h", sealed))

    def nonce(length: int) -> bytes:
        return next(nonces).to_bytes(length)

    moved = rebind_secrets(host, H, NEW, vault, nonce)
    assert moved.chap is not None
    assert vault.open(initiator_path(NEW), "chap", moved.chap.password) == Secret("correct horse")
    with pytest.raises(NotOpenedError, match=f"initiators/{H}, chap: "):
        rebind_secrets(host, H, NEW, Vault("c", keyring([b"b" * 32])), nonce)


def test_a_host_with_luns_is_not_removed_by_accident() -> None:
    """The message names where it is; a host that is gone stays gone."""
    lunmap = replace(TWO, groups={"web": Group((H, G))})
    with pytest.raises(StillUsedError, match=f"{H} is in luns/a, groups/web: .* add --unmap"):
        remove_host(lunmap, H)
    gone = remove_host(lunmap, H, unmap=True)
    assert gone == replace(
        TWO, luns={"a": replace(LUN, maps=())}, initiators={G: Initiator("web")}, groups={"web": Group((G,))}
    )
    assert remove_host(gone, H) is gone


def test_a_group_is_created_filled_emptied_and_deleted() -> None:
    """Each edit changes nothing the second time; a group with Luns is not deleted by accident."""
    made = create_group(TWO, "db", Group((H,)))
    assert create_group(made, "db", Group((H,))) is made
    filled = add_members(made, "group:db", [G, H])
    assert filled.groups["db"] == Group((H, G))
    assert add_members(filled, "db", [G]) is filled
    assert remove_members(filled, "db", [G]) == made
    assert remove_members(made, "db", [G]) is made
    mapped = replace(made, luns={"a": replace(LUN, maps=(*LUN.maps, Map(T, 1, group="db")))})
    with pytest.raises(StillUsedError, match=r"group:db has Luns \(a\)"):
        delete_group(mapped, "db")
    assert delete_group(mapped, "group:db", unmap=True) == TWO
    assert delete_group(TWO, "db") is TWO


def test_a_target_is_created_once_and_not_deleted_by_accident() -> None:
    """Port ids that it got meanwhile stay; the message names the Luns that it shows."""
    assert create_target(MAP, T, Target({"n1": PortalGroup(), "n2": PortalGroup()})) is MAP
    made = create_target(MAP, OTHER, Target({"n1": PortalGroup()}))
    assert made == replace(MAP, targets={**MAP.targets, OTHER: Target({"n1": PortalGroup()})})
    with pytest.raises(NoSuchNameError, match="no node 'n9'"):
        create_target(MAP, OTHER, Target({"n9": PortalGroup()}))
    with pytest.raises(StillUsedError, match=f"{T} shows a: .* add --unmap"):
        delete_target(MAP, T)
    assert delete_target(made, OTHER) == MAP
    assert delete_target(MAP, OTHER) is MAP
    assert delete_target(MAP, T, unmap=True) == replace(MAP, luns={"a": replace(LUN, maps=())}, targets={})


def test_a_node_is_added_once_with_a_free_tag() -> None:
    """It serves the targets that are named; a tag that is given must be that of the node."""
    once = add_node(MAP, "n3", Node(0, ("10.0.0.3:3260",)), ["t"], FREE)
    assert once.nodes["n3"] == Node(3, ("10.0.0.3:3260",))
    assert once.targets[T].nodes == {**MAP.targets[T].nodes, "n3": PortalGroup()}
    assert add_node(once, "n3", Node(0), ["t"], FREE) is once
    with pytest.raises(DiffersError, match="its tpg_tag differs"):
        add_node(once, "n3", Node(9), [], FREE)


def test_the_state_of_a_node_is_set() -> None:
    """All else of the node stays, and a second time changes nothing."""
    drained = set_node_state(MAP, "n1", NodeState.DRAINED)
    assert drained == replace(
        MAP, nodes={**MAP.nodes, "n1": replace(MAP.nodes["n1"], state=NodeState.DRAINED)}
    )
    assert set_node_state(drained, "n1", NodeState.DRAINED) == drained
    assert set_node_state(drained, "n1", NodeState.ACTIVE) == MAP
    with pytest.raises(NoSuchNameError, match="n1"):
        set_node_state(MAP, "n11", NodeState.ACTIVE)


def test_a_node_is_removed_everywhere() -> None:
    """A Lun that no other node reports keeps its node; a node that is gone stays gone."""
    block = replace(
        LUN, backing=Block("/dev/a", {"n2": "/dev/b", "n1": "/dev/c"}), nodes=("n1", "n2"), preferred="n2"
    )
    memory = replace(LUN, backing=RamDisk(volatile=True), nodes=("n1",), preferred="n1")
    lunmap = replace(MAP, luns={"a": block, "c": memory})
    gone = remove_node(lunmap, "n2")
    assert gone.nodes.keys() == {"n1"}
    assert gone.targets == {T: Target({"n1": PortalGroup(1)})}
    assert gone.luns == {
        "a": replace(block, backing=Block("/dev/a", {"n1": "/dev/c"}), nodes=("n1",), preferred=""),
        "c": memory,
    }
    assert remove_node(gone, "n2") is gone
    with pytest.raises(StillUsedError, match=r"n1 alone reports a, c: 'lunmapctl lun set a nodes=NODE"):
        remove_node(gone, "n1")


def test_a_node_is_removed_from_floating_groups() -> None:
    """The others may own them still; a group that it alone may own is named."""
    gone = remove_node(FLOATING, "n1")
    assert gone.targets[POOL].floating == {"gold": replace(GOLD, nodes=("n2",))}
    with pytest.raises(StillUsedError, match=f"n2 alone may own floating group gold of {POOL}"):
        remove_node(gone, "n2")
    assert remove_node(FLOATING, "n3").targets == FLOATING.targets
