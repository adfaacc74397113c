"""LUN numbers of a TPG, whatever reservation files there are and in whatever order the LUNs are made."""

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.lio.base.index import KernelIndex, record_number, take_lun_number

TPG = ("iqn.2026-01.org.example:t", 1)
_NAMES = [f"lun{number}" for number in range(8)]
_RECORDED = st.dictionaries(st.sampled_from(_NAMES), st.integers(0, 12))


@given(recorded=_RECORDED, order=st.permutations(_NAMES), late=st.sets(st.sampled_from(_NAMES)))
def test_a_recorded_number_is_its_luns_own(
    recorded: dict[str, int], order: list[str], late: set[str]
) -> None:
    """A LUN gets the number that one file alone has for it, also if its device is late."""
    index = KernelIndex()
    for name, number in recorded.items():
        index.recorded_serials[name] = f"serial of {name}"
        record_number(index, TPG, f"serial of {name}", number)
    made = [*(name for name in order if name not in late), *(name for name in order if name in late)]
    numbers = {name: take_lun_number(index, TPG, name) for name in made}
    values = list(recorded.values())
    for name, number in recorded.items():
        if values.count(number) == 1:
            assert numbers[name] == number
    assert len(set(numbers.values())) == len(_NAMES)
    assert all(numbers[name] not in values for name in _NAMES if name not in recorded)
