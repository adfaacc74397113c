"""The commands of docs/map-in-git.md, as they are written there, on a real ZooKeeper."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import Ensemble
from support.cluster import Ctl

PAGE = Path("docs/map-in-git.md").read_text()
OFF = "    shared: {reservations: off, compare_and_write: off}\n"
# The example with what leases decide: a list of preferred nodes, and a floating portal group.
EXAMPLE = (
    Path("config/lunmap.yaml")
    .read_text()
    .replace(OFF, OFF + "    preferred: [n1, n2]\n", 1)
    .replace("    size: 64MiB\n", "    size: 64MiB\n" + OFF)
    .replace(
        "    nodes: [n1]\n",
        "    nodes: [n1]\n    floating: {gold: {tpg_tag: 1001, portals: [10.0.1.50], nodes: [n1, n2]}}\n",
    )
)
CHECKOUT = "/srv/lunmap"


def blocks(language: str) -> list[str]:
    """Return the blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands() -> dict[str, str]:
    """Return the commands of the page by their purpose."""
    get, check, ask = blocks("sh")
    service, _ = blocks("ini")
    (start,) = re.findall(r"^ExecStart=(.*)$", service, re.MULTILINE)
    ((task,),) = map(yaml.safe_load, blocks("yaml"))
    return {
        "get": get,
        "check": check,
        "ask": ask,
        "timer": start,
        "ansible": task["ansible.builtin.command"],
    }


@dataclass
class Admin:
    """A machine with a checkout, on which the commands of the page run."""

    checkout: Path
    environment: dict[str, str]

    def __call__(self, purpose: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the page in the checkout."""
        command = commands()[purpose].replace(CHECKOUT, shlex.quote(str(self.checkout)))
        # The nodes of the example don't run, so there is nobody to wait for.
        command = command.replace(" --wait 60", "")
        return subprocess.run(
            ["sh", "-euc", command],
            cwd=self.checkout,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def file(self) -> Path:
        """The map file."""
        return self.checkout / "lunmap.yaml"


@pytest.fixture
def admin(ctl: Ctl, ensemble: Ensemble, root: str, tmp_path: Path) -> Admin:
    """Give the example map in the tree and in a checkout."""
    ctl.apply(EXAMPLE, wait=None)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    found = Admin(tmp_path, {"PATH": path, "LUNMAPCTL_HOSTS": ensemble.hosts, "LUNMAPCTL_CHROOT": root})
    assert found("get").returncode == 0
    return found


def revision(ctl: Ctl) -> Any:
    """Return the newest revision."""
    return ctl.status()["revision"]


def test_the_timer_and_ansible_make_the_file_the_map(admin: Admin, ctl: Ctl) -> None:
    """An unchanged file makes no revision; a changed one does, and undoes what others have committed."""
    assert admin("timer").returncode == 0
    assert revision(ctl) == 1
    assert all(words in admin.file.read_text() for words in ("gold:", "- n2"))
    theirs = admin.file.read_text().replace("alias: database host", "alias: theirs")
    ctl.apply(theirs, wait=None)
    admin.file.write_text(admin.file.read_text().replace("alias: database host", "alias: ours"))
    text = admin.file.read_text()
    asked = admin("ask")
    assert asked.returncode == 0, asked.stderr
    assert revision(ctl) == 2
    applied = admin("ansible")
    assert applied.returncode == 0, applied.stderr
    assert "committed revision 3" in applied.stdout
    assert "alias: ours" in ctl("get").out
    assert admin.file.read_text() == text
    assert "committed" not in admin("ansible").stdout


def test_the_check_needs_nothing_but_the_file(admin: Admin) -> None:
    """A good file passes without ZooKeeper; a broken rule and an unknown field exit with 3."""
    admin.environment["LUNMAPCTL_HOSTS"] = "127.0.0.1:1"
    text = admin.file.read_text()
    assert admin("check").returncode == 0
    for found, put in (("lun: 0", "lun: 99999"), ("alias:", "alais:")):
        admin.file.write_text(text.replace(found, put, 1))
        assert admin("check").returncode == 3
