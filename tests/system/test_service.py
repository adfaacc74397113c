"""The unit under a real systemd, on a real kernel."""

import pytest
from cluster import EXAMPLE, Ctl, StorageNode, eventually

from lab import Lab

pytestmark = pytest.mark.lab


def test_the_unit_starts_reports_and_leaves_lio_as_it_is(lab: Lab) -> None:
    """Under systemd the service is ready after its first pass, says what it applied, and stopping it keeps LIO."""
    disks = [lab.disk(name) for name in ("db1", "logs")]
    ensemble = lab.ensemble(1, start=False)
    node = StorageNode(lab.machine("n1", init="systemd", disks=disks, memory="512M", start=False))
    lab.start(ensemble, node.machine)
    ctl = Ctl(ensemble.hosts)
    ctl("init")
    node.configure(ensemble.hosts)
    node.machine.run("systemctl start lunmapd", timeout=60)
    text = (
        EXAMPLE.read_text().replace("[n1, n2, n3]", "[n1]").replace("10.0.1.1]", f"{node.machine.address}]")
    )
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith(("  n2:", "  n3:")))
    ctl.apply(text)
    shown = "systemctl show lunmapd -p ActiveState,StatusText,NRestarts"
    eventually("systemd shows the revision", lambda: "applied revision 1" in node.machine.run(shown).stdout)
    before = node.lio()
    node.machine.run("systemctl stop lunmapd", timeout=60)
    assert node.lio() == before
    assert "tpgt_1" in before
    node.machine.run("systemctl start lunmapd && systemctl kill -s KILL lunmapd", timeout=60)
    eventually(
        "systemd restarted it", lambda: "NRestarts=1\nActiveState=active" in node.machine.run(shown).stdout
    )
    journal = node.machine.run("journalctl -u lunmapd -o cat").stdout
    assert "create mapped_lun" in journal
    assert "stopped; LIO is left as it is" in journal
    assert node.lio() == before
