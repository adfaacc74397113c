"""With which credentials who may log in; a secret that can't be opened costs its ACL alone."""

from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import (
    Authentication,
    Chap,
    Discovery,
    Group,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Target,
)
from lunmapd.core.base.password import Secret
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import Desired, compute_desired
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.plan import plan
from lunmapd.core.secrets.sealing import Vault, key_id, keyring

T = "iqn.2026-01.org.example:t"
H, H2 = "iqn.2026-01.org.example:h", "iqn.2026-01.org.example:h2"
KEY = b"k" * 32
VAULT, KEYLESS = Vault("c", keyring([KEY])), Vault("c")
ACL = lio_objects.NodeAcl(T, 1, H)
BOB = lio_objects.ChapCredentials("bob", Secret("the word of bob"))
BOTH = lio_objects.ChapCredentials("bob", Secret("the word of bob"), "san", Secret("the word of san"))


def sealed(field: str, user: str, path: str = f"initiators/{H}", word: str = "") -> Chap:
    """Return credentials sealed for their place; the nonce is good enough for a test."""
    nonce = f"{field:>12.12}".encode()
    return Chap(user, VAULT.seal(path, field, Secret(word or f"the word of {user}"), nonce))


INITIATOR = Initiator("", sealed("chap", "bob"), sealed("mutual_chap", "san"))


def asking(authentication: Authentication, initiator: Initiator = INITIATOR) -> Lunmap:
    """Return a map with a target that asks this of two initiators; the second always has good credentials."""
    path = f"initiators/{H2}"
    second = Initiator("", sealed("chap", "eve", path), sealed("mutual_chap", "san", path))
    return Lunmap(
        {
            "a": Lun(Block("/dev/a"), "1" * 32, maps=(Map(T, 0, H), Map(T, 0, H2))),
            "b": Lun(Block("/dev/b"), "2" * 32, maps=(Map(T, 1, H),)),
        },
        {T: Target({"n1": PortalGroup(1)}, authentication=authentication)},
        {H: initiator, H2: second},
        nodes={"n1": Node(1, ("10.0.0.1:3260",))},
    )


def wanted(
    lunmap: Lunmap, vault: Vault = VAULT, observed: lio_objects.DesiredObjects | None = None
) -> Desired:
    """Return what n1 must have."""
    return compute_desired(lunmap, {}, "n1", Observed(observed or {}), vault)


def credentials(want: Desired, initiator: str = H) -> lio_objects.ChapCredentials:
    """Return those of an ACL."""
    acl = want.objects["acl", T, 1, initiator]
    assert isinstance(acl, lio_objects.NodeAcl)
    return acl.credentials


def authentication(want: Desired) -> str:
    """Return the attribute of the TPG."""
    tpg = want.objects["tpg", T, 1]
    assert isinstance(tpg, lio_objects.Tpg)
    return dict(tpg.attributes)["authentication"]


def test_a_target_asks_for_what_the_map_says() -> None:
    """CHAP has the initiator's password, mutual CHAP the target's too; an open target still accepts CHAP."""
    for asked, attribute, expected in (
        (Authentication.NONE, "0", BOB),
        (Authentication.CHAP, "1", BOB),
        (Authentication.MUTUAL_CHAP, "1", BOTH),
    ):
        want = wanted(asking(asked))
        assert (authentication(want), credentials(want), want.failures) == (attribute, expected, {})


def test_an_initiator_without_credentials_has_none() -> None:
    """Without required authentication no password is needed."""
    assert (
        credentials(wanted(asking(Authentication.NONE, Initiator()), KEYLESS)) == lio_objects.NO_CREDENTIALS
    )


def test_a_target_that_asks_for_nothing_needs_no_key() -> None:
    """Without the key the initiator may log in as before, since no password is required."""
    want = wanted(asking(Authentication.NONE), KEYLESS)
    assert (credentials(want), want.failures) == (lio_objects.NO_CREDENTIALS, {})


def test_a_new_acl_without_its_secret_is_not_made() -> None:
    """The ACL fails with the id of the key, its mapped LUNs wait, and everything else is made."""
    wrong = replace(INITIATOR, chap=Chap("bob", sealed("mutual_chap", "bob").password))
    want = wanted(asking(Authentication.CHAP, wrong))
    assert {name: failure.reason for name, failure in want.failures.items()} == {
        lio_objects.key_of(ACL): Reason.SECRET_UNDECODABLE,
        ("mapped_lun", T, 1, H, 0): Reason.WAITING,
        ("mapped_lun", T, 1, H, 1): Reason.WAITING,
    }
    missing = wanted(asking(Authentication.CHAP)).objects.keys() - want.objects.keys()
    assert missing == want.failures.keys()
    assert (
        key_id(KEY) in wanted(asking(Authentication.CHAP), KEYLESS).failures[lio_objects.key_of(ACL)].message
    )


def test_an_acl_without_its_secret_stays_as_it_is() -> None:
    """The observed ACL is kept, its mapped LUNs follow the map, and the plan has no step for it."""
    before = wanted(asking(Authentication.CHAP)).objects
    lunmap = asking(Authentication.MUTUAL_CHAP)
    fewer = replace(lunmap, luns={"a": lunmap.luns["a"]})
    want = wanted(fewer, KEYLESS, before)
    assert credentials(want) == BOB
    touched = [lio_objects.key_of(step.item) for step in plan(want.objects, before)]
    assert touched == [("mapped_lun", T, 1, H, 1), ("lun", T, 1, "b"), ("storage_object", "b")]
    assert {name: failure.reason for name, failure in want.failures.items()} == {
        lio_objects.key_of(ACL): Reason.SECRET_UNDECODABLE,
        ("acl", T, 1, H2): Reason.SECRET_UNDECODABLE,
    }


def test_passwords_that_can_not_be_used_are_said() -> None:
    """One password for both ways, or one that LIO would not keep, is a failure that doesn't show it."""
    same = Initiator("", sealed("chap", "bob"), sealed("mutual_chap", "san", word="the word of bob"))
    null = Initiator("", sealed("chap", "bob", word="NULL and void"))
    for initiator, asked, sentence in (
        (same, Authentication.MUTUAL_CHAP, "must differ"),
        (null, Authentication.CHAP, "NULL"),
    ):
        failure = wanted(asking(asked, initiator)).failures[lio_objects.key_of(ACL)]
        assert failure.reason == Reason.SECRET_UNFIT
        assert sentence in failure.message
        assert "void" not in failure.message
    assert credentials(wanted(asking(Authentication.CHAP, same))) == BOB


def test_discovery_asks_for_what_the_node_says() -> None:
    """Discovery has one set of credentials for a node, with or without the target's own."""
    lunmap = asking(Authentication.NONE)
    chap = sealed("discovery.chap", "bob", "nodes/n1")
    mutual = sealed("discovery.mutual_chap", "san", "nodes/n1")
    for discovery, expected in ((Discovery(chap), BOB), (Discovery(chap, mutual), BOTH)):
        asked = replace(lunmap, nodes={"n1": replace(lunmap.nodes["n1"], discovery=discovery)})
        assert wanted(asked).objects[lio_objects.DISCOVERY_AUTH] == lio_objects.DiscoveryAuth(expected)
        refused = wanted(asked, KEYLESS)
        assert lio_objects.DISCOVERY_AUTH not in refused.objects
        assert refused.failures[lio_objects.DISCOVERY_AUTH].reason == Reason.SECRET_UNDECODABLE
        there = lio_objects.by_key([lio_objects.DiscoveryAuth(BOB)])
        assert wanted(asked, KEYLESS, there).objects[lio_objects.DISCOVERY_AUTH] == lio_objects.DiscoveryAuth(
            BOB
        )
    assert lio_objects.DISCOVERY_AUTH not in wanted(lunmap).objects


def test_changed_credentials_do_not_show_themselves() -> None:
    """A plan with a changed password shows the change, and no password."""
    (step,) = plan(
        lio_objects.by_key([lio_objects.NodeAcl(T, 1, H, BOTH)]),
        lio_objects.by_key([lio_objects.NodeAcl(T, 1, H, BOB)]),
    )
    assert step.reason == "credentials"
    assert "the word" not in f"{step}{step!r}"


def test_a_group_that_breaks_a_rule_keeps_what_its_members_see() -> None:
    """The members of such a group are unknown, so the Luns that are mapped to it stay as they are."""
    lunmap = asking(Authentication.NONE)
    luns = {"a": replace(lunmap.luns["a"], maps=(Map(T, 0, group="g"),)), "b": lunmap.luns["b"]}
    good = replace(lunmap, luns=luns, groups={"g": Group((H, H2))})
    before = wanted(good).objects
    for groups, unreadable in (({"g": Group((H, "nobody"))}, {}), ({}, {"groups/g": "not JSON"})):
        want = compute_desired(replace(good, groups=groups), unreadable, "n1", Observed(before), VAULT)
        assert plan(want.objects, before) == ()
        assert {name[1] for name in want.failures} == {"luns/a", "groups/g"}
