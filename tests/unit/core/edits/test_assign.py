"""Fields that are set by words."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.errors import InvalidInputError
from lunmapd.core.base.lunmap import Group, Node, PortalGroup, Scope, Shared
from lunmapd.core.edits.assign import assign_fields, with_fields
from lunmapd.core.edits.errors import BadAssignmentError
from lunmapd.core.map.short_names import NoSuchNameError
from support.small_map import LUN, MAP, H, T


def test_fields_are_spelled_as_in_a_file() -> None:
    """Sizes have units, a dot leads into a field, lists have commas, and no value is the default."""
    words = ("size=2MiB", "shared.reservations=off", "shared.compare_and_write=per-node", "nodes=n1,n2")
    changed = assign_fields("luns", "a", LUN, (*words, "attributes.is_nonrot=1"))
    shared = Shared(Scope.OFF, Scope.PER_NODE)
    assert changed == replace(
        LUN, size=2 << 20, shared=shared, nodes=("n1", "n2"), attributes={"is_nonrot": 1}
    )
    back = assign_fields("luns", "a", changed, ("size=1MiB", "shared=", "nodes=", "attributes="))
    assert back == LUN
    node = assign_fields("nodes", "n1", MAP.nodes["n1"], ("portals=10.0.0.9", "labels.rack=r1"))
    assert node == Node(1, ("10.0.0.9:3260",), labels={"rack": "r1"})


def test_the_object_of_a_map_is_changed_alone() -> None:
    """The map has it in the same place, and all else as before."""
    changed = with_fields(MAP, "luns", "a", ("product=new",))
    assert changed == replace(MAP, luns={**MAP.luns, "a": replace(MAP.luns["a"], product="new")})


def test_the_hosts_of_a_group_have_short_names() -> None:
    """They stand for initiators of the map; a word that stands for none is refused."""
    lunmap = replace(MAP, groups={"web": Group(())})
    assert with_fields(lunmap, "groups", "web", ("initiators=h",)).groups["web"] == Group((H,))
    with pytest.raises(NoSuchNameError, match="no initiator 'x'"):
        with_fields(lunmap, "groups", "web", ("initiators=h,x",))


def test_the_nodes_of_a_target_keep_their_settings() -> None:
    """A node that stays has its port id, a new one gets one later."""
    changed = assign_fields("targets", T, MAP.targets[T], ("nodes=n2,n3",))
    assert changed == replace(MAP.targets[T], nodes={"n2": PortalGroup(7), "n3": PortalGroup()})
    empty = replace(MAP.targets[T], nodes={})
    assert assign_fields("targets", T, empty, ("nodes=n1",)) == replace(empty, nodes={"n1": PortalGroup()})
    assert assign_fields("targets", T, MAP.targets[T], ("nodes=",)) == empty


def test_a_label_may_have_the_name_of_a_list() -> None:
    """Its value is text, and so is a path on a node of such a name."""
    node = MAP.nodes["n1"]
    labelled = assign_fields(
        "nodes", "n1", node, ("labels.nodes=many", "portals=10.0.0.1:3260,10.0.0.2:3260")
    )
    assert labelled == replace(node, labels={"nodes": "many"}, portals=("10.0.0.1:3260", "10.0.0.2:3260"))
    other = replace(LUN.backing, overrides={"portals": "/srv/b"})
    assert assign_fields("luns", "a", LUN, ("backing.overrides.portals=/srv/b",)) == replace(
        LUN, backing=other
    )


def test_a_name_with_dots_is_quoted() -> None:
    """Inside the quotes a dot leads nowhere."""
    changed = assign_fields("luns", "a", LUN, ('backing.overrides."n1.lab"=/dev/sdb', "size=1MiB"))
    assert changed == replace(LUN, backing=replace(LUN.backing, overrides={"n1.lab": "/dev/sdb"}))
    again = assign_fields("luns", "a", changed, ('backing.overrides."n1.lab"=',))
    assert again == LUN


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ('backing."n1=x', "is no field: separate its steps by dots, and quote one"),
        ("backing..n1=x", "is no field"),
        ('"chap".password=x', "chap.password is a secret"),
        ("size", "'size' is no assignment: write FIELD=VALUE"),
        ("=1", "'=1' is no assignment"),
        ("chap.password=x", "chap.password is a secret"),
        ("maps=x", "maps can't be set: 'lunmapctl map'"),
        ("state=drained", "state can't be set: 'lunmapctl drain NODE' and 'undrain NODE'"),
        ("serial.x=1", "serial.x can't be set: serial has no fields"),
    ],
)
def test_a_word_that_can_not_be_set_is_refused(word: str, message: str) -> None:
    """The message says what to write, or which verb does it."""
    with pytest.raises(BadAssignmentError, match=message):
        assign_fields("luns", "a", LUN, (word,))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("sise=1MiB", r"luns\[a\].sise: unknown field; did you mean 'size'"),
        ("size=big", r"luns\[a\].size: 'big' is not a size"),
        ("others=fast", r"luns\[a\].others: "),
    ],
)
def test_a_value_of_another_form_is_refused_as_in_a_file(word: str, message: str) -> None:
    """The message has the field, and the nearest one or the choices."""
    with pytest.raises(InvalidInputError, match=message):
        assign_fields("luns", "a", LUN, (word,))
