"""The message of a step that the kernel refused."""

import errno
import os

import pytest

from lunmapd.core.base.reasons import Reason
from lunmapd.lio.base.refusal import KernelRefusedError, attempt


def _refused(hba: str) -> str:
    path = f"/sys/kernel/config/target/core/{hba}/a/attrib/optimal_sectors"
    with pytest.raises(KernelRefusedError) as refused, attempt("create storage_object a"):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    return refused.value.failure.message


@pytest.mark.parametrize(("first", "second"), [("fileio_7", "fileio_10048"), ("rd_mcp_7", "rd_mcp_8")])
def test_another_attempt_has_the_same_message(first: str, second: str) -> None:
    """Each attempt takes another HBA; the file is named without it, so the status stays as it is."""
    message = _refused(first)
    assert message == _refused(second)
    assert message.endswith(f"/core/{first.rpartition('_')[0]}_*/a/attrib/optimal_sectors'")


def test_a_check_of_another_attempt_has_the_same_message() -> None:
    """An attribute that the kernel lacks is refused without an error of the kernel."""
    place = "this kernel has no attrib/x in /sys/kernel/config/target/core/fileio_{}/a"
    messages = {str(KernelRefusedError(Reason.KERNEL_REFUSED, place.format(number))) for number in (7, 8)}
    assert messages == {place.format("*")}
