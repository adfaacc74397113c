"""Commands on pages reach the cluster that the page shows."""

from pathlib import Path

import pytest

from lunmapd.service.ctl.connection import Connection, TlsFiles
from lunmapd.service.ctl.page.call import call_of
from lunmapd.store.session.session import DEFAULT_CHROOT

SETTINGS = Path("/etc/lunmapd/lunmapd.yaml")


@pytest.mark.parametrize(
    ("connection", "chroot", "call"),
    [
        (Connection(SETTINGS), DEFAULT_CHROOT, "lunmapctl"),
        (Connection(SETTINGS), "/lab", "lunmapctl --chroot /lab"),
        (Connection(Path("/srv/my lab.yaml")), "/lab", "lunmapctl --config '/srv/my lab.yaml' --chroot /lab"),
        (Connection(Path("/run/credentials/page/page.yaml")), "/lab", "lunmapctl --chroot /lab"),
        (Connection(SETTINGS, "/lab", "a:1,b:1"), "/lab", "lunmapctl --hosts a:1,b:1 --chroot /lab"),
        (
            Connection(SETTINGS, None, "a:1", TlsFiles("ca.pem", "", "key.pem")),
            DEFAULT_CHROOT,
            "lunmapctl --hosts a:1 --tls-ca ca.pem --tls-key key.pem",
        ),
    ],
)
def test_a_command_has_the_options_of_the_server(
    connection: Connection, chroot: str, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each as one word of a shell. A file that only the service reads is left out."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/page")
    assert call_of(connection, chroot) == call
