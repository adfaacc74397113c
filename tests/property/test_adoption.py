"""The laws of adoption, on any mixture of the settings that rtslib saves."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from lunmapd.core.adoption.adopt import Adoption, adopt
from lunmapd.core.adoption.convert import as_ours
from lunmapd.core.adoption.export import export_saveconfig
from lunmapd.core.adoption.foreign import ForeignConfiguration
from lunmapd.core.adoption.in_place import is_in_place
from lunmapd.core.adoption.saveconfig import read_saveconfig
from lunmapd.core.base.backings import PLUGINS
from lunmapd.core.base.lunmap import Chap, Lunmap, Target
from lunmapd.core.map.credentials import CHAP, DISCOVERY_CHAP, change_credentials
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import PORT_ID, TPG_ATTRIBUTES
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.projection.chap import add_credentials
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.decide import PassInput, compare
from lunmapd.core.secrets.sealing import Vault, keyring
from support.saveconfigs import OTHER, acl
from support.saved_settings import CASES, NODE, acl_of, found, item_of, tpg_of, usual

VAULT = Vault("c", keyring([b"k" * 32]))
PAIR = {"chap_userid": "bob", "chap_password": "a word"}
MUTUAL = {"chap_mutual_userid": "san", "chap_mutual_password": "an answer"}
Saved = dict[str, Any]

CREDENTIALS = st.sampled_from([{}, PAIR, PAIR | MUTUAL])


@st.composite
def foreign(draw: st.DrawFn) -> ForeignConfiguration:
    """Return a configuration with up to three odd settings, and any CHAP of initiators and discovery."""
    plugin = draw(st.sampled_from(["block", "fileio", "ramdisk", "user"]))
    file = usual(plugin)
    tpg_of(file)["node_acls"].append(acl(OTHER, (2, 0)))
    tpg_of(file)["attributes"]["authentication"] = draw(st.integers(0, 1))
    for entry in tpg_of(file)["node_acls"]:
        entry.update(draw(CREDENTIALS))
    if draw(st.booleans()):
        file["fabric_modules"] = [
            {
                "name": "iscsi",
                "discovery_enable_auth": True,
                **{name.replace("chap", "discovery"): text for name, text in draw(CREDENTIALS).items()},
            }
        ]
    for change in draw(st.lists(st.sampled_from(_changes(plugin)), max_size=3)):
        if tpg_of(file)["luns"] and tpg_of(file)["node_acls"] and acl_of(file)["mapped_luns"]:
            change(file)
    return _running(found(file), item_of(file)["name"])


def _changes(plugin: str) -> list[Callable[[Saved], object]]:
    return [
        change
        for name, kind, change in CASES
        if kind in {plugin, "block"} and name != "tpgs" and _fits(name, kind, plugin)
    ]


def _fits(name: str, kind: str, plugin: str) -> bool:
    """Return whether a change of a target, or one of a storage object of this plugin."""
    return kind == plugin or not name.startswith(("block: ", "group: "))


def _running(given_: ForeignConfiguration, name: str) -> ForeignConfiguration:
    """Return the configuration with the files that each kernel has, and a saved file has not always."""
    storage = {
        key: structs.replace(
            item, attributes=dict.fromkeys(PLUGINS[item.plugin].governed, "1") | dict(item.attributes)
        )
        for key, item in given_.storage.items()
        if item.name == name
    }
    tpgs = tuple(
        structs.replace(tpg, attributes=dict(TPG_ATTRIBUTES) | dict(tpg.attributes), port_id=5)
        for tpg in given_.tpgs
    )
    return structs.replace(given_, storage=storage, tpgs=tpgs)


def _sealed(lunmap: Lunmap, configuration: ForeignConfiguration) -> Lunmap:
    known = {
        f"initiators/{item.initiator}": item.credentials for tpg in configuration.tpgs for item in tpg.acls
    }

    def seal(path: str, field: str, chap: Chap) -> Chap:
        credentials = known.get(path, configuration.discovery or lio_objects.NO_CREDENTIALS)
        first = field in {CHAP, DISCOVERY_CHAP}
        secret = credentials.password if first else credentials.password_mutual
        return Chap(chap.user, VAULT.seal(path, field, secret, b"n" * 12))

    return change_credentials(lunmap, seal)


def _blocking(made: Adoption, configuration: ForeignConfiguration) -> list[str]:
    """Return the differences between what the map asks for and what was found, that prevent taking over."""
    features = frozenset({PORT_ID})
    work = PassInput(NODE, 1, _sealed(made.lunmap, configuration), {}, VAULT)
    desired = compare(work, Observed(features=features)).desire.objects
    comparison = compare(work, Observed(as_ours(configuration, desired), features=features))
    assert not comparison.desire.failures
    return [str(step) for step in comparison.steps if not is_in_place(step, desired)]


@given(foreign())
def test_what_is_adopted_is_what_the_map_asks_for(configuration: ForeignConfiguration) -> None:
    """A target is refused with a reason, or the plan after its adoption sets only what lunmapd governs."""
    made = adopt(configuration, NODE)
    names = {tpg.iqn for tpg in configuration.tpgs}
    assert names == made.lunmap.targets.keys() | (made.refused.keys() & names)
    assert all(made.refused.values())
    if made.lunmap.targets:
        assert _blocking(made, configuration) == []


@given(foreign())
def test_an_exported_node_leads_back_to_the_map(configuration: ForeignConfiguration) -> None:
    """What targetctl would restore is adopted as the same map, and nothing is lost on the way."""
    lunmap = adopt(configuration, NODE).lunmap
    sealed = _sealed(lunmap, configuration)
    made = export_saveconfig(add_credentials(project_map(sealed, NODE), {}, sealed, NODE, VAULT)[0])
    again = adopt(read_saveconfig(json.dumps(made.content).encode(), "x"), NODE)
    assert (made.losses, again.refused) == ((), {})
    assert again.lunmap == structs.replace(lunmap, targets=_without_port_ids(lunmap))


def _without_port_ids(lunmap: Lunmap) -> dict[str, Target]:
    """Return the targets as a file shows them, which has no port ids."""
    return {
        iqn: structs.replace(
            item, nodes={name: structs.replace(group, port_id=0) for name, group in item.nodes.items()}
        )
        for iqn, item in lunmap.targets.items()
    }
