"""What the lease of a takeover group gives, on a directory in place of configfs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lunmapd.agent.floating.addresses import GroupAddresses, LeaseProcessError, Presence
from lunmapd.clock import boot_time
from lunmapd.core.base.lunmap import AluaState, TpgId
from lunmapd.service.lease.luns import LunStates, NoTpg
from support.switch_on_directory import switch_on

LUNS = GroupAddresses(("a", "b"), closed=(("a", AluaState.STANDBY), ("b", AluaState.STANDBY)))


@pytest.fixture
def luns(tmp_path: Path) -> Iterator[LunStates]:
    """Give a group of two Luns, of which LIO has one."""
    group = tmp_path / "core" / "iblock_10000" / "a" / "alua" / "lunmapd"
    group.mkdir(parents=True)
    for file, text in (
        ("alua_access_state", "2"),
        ("alua_support_active_optimized", "1"),
        ("alua_support_standby", "1"),
    ):
        (group / file).write_text(text)
    process = switch_on(tmp_path)
    yield LunStates(process, "t n1,n2")
    process.close()


def test_a_grant_opens_the_luns_and_a_drop_closes_them(luns: LunStates) -> None:
    """A Lun that LIO does not have is absent in both."""
    absent = frozenset({"b"})
    assert luns.presence(LUNS) == Presence(absent=absent)
    assert luns.detect_duplicates(LUNS) is None
    luns.grant(LUNS, 5, boot_time() + 1)
    luns.announce(LUNS)
    assert luns.presence(LUNS) == Presence(frozenset({"a"}), absent=absent)
    luns.drop(LUNS)
    assert luns.presence(LUNS) == Presence(absent=absent)


def test_a_group_that_the_map_no_longer_has_has_nothing(luns: LunStates) -> None:
    """Its Luns are as the map says: the end of the last grant closes none of them."""
    luns.presence(LUNS)  # starts the process
    end = boot_time() + 1
    luns.grant(LUNS, 0, end)
    assert luns.presence(GroupAddresses(())) == Presence()
    while boot_time() < end + 0.1:
        assert luns.presence(LUNS).present == {"a"}


def test_a_refusal_is_an_error_of_the_lease(luns: LunStates) -> None:
    """It names the group."""
    with pytest.raises(LeaseProcessError, match=r"takeover group t n1,n2: .*too late"):
        luns.grant(LUNS, 5, boot_time() - 1)
    luns.close()


def test_a_group_without_a_tpg_notes_whether_it_would_be_enabled() -> None:
    """So the order of a take and of a release is that of a floating group."""
    tpg, none = TpgId("t", 0), NoTpg()
    assert not none.is_enabled(tpg)
    none.enable(tpg, 0)
    assert none.is_enabled(tpg)
    none.disable(tpg)
    assert not none.is_enabled(tpg)
    none.close()
