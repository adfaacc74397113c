"""The files of the Debian package, on a machine with a real systemd."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import lunmapd
from lab import Machine
from lab.build.project import package
from lab.pytest_plugin import NewLab
from lunmapd.service.ctl.start.verbs import VERBS

pytestmark = pytest.mark.kernel

TREE = Path(__file__).parents[2]
SETTINGS = "/etc/lunmapd/lunmapd.yaml"
# The lab's machines leave out documents when they install a package.
UNPACKED = "/root/unpacked"
_FILES = """
/usr/bin/lunmapd /usr/bin/lunmapctl
/usr/lib/systemd/system/lunmapd.service /usr/lib/systemd/catalog/lunmapd.catalog
/usr/share/man/man8/lunmapd.8.gz /usr/share/man/man1/lunmapctl.1.gz
/usr/share/man/man5/lunmapd.yaml.5.gz /usr/share/man/man5/lunmap.5.gz
/usr/share/bash-completion/completions/lunmapd /usr/share/bash-completion/completions/lunmapctl
/usr/share/zsh/vendor-completions/_lunmapd /usr/share/zsh/vendor-completions/_lunmapctl
/usr/share/fish/vendor_completions.d/lunmapd.fish /usr/share/fish/vendor_completions.d/lunmapctl.fish
/usr/share/doc/lunmapd/README.md /usr/share/doc/lunmapd/SECURITY.md /usr/share/doc/lunmapd/changelog.gz
/usr/share/doc/lunmapd/docs/README.md /usr/share/doc/lunmapd/docs/operations.md
/usr/share/doc/lunmapd/docs/pictures/overview.svg
/usr/share/doc/lunmapd/examples/lunmapd.yaml /usr/share/doc/lunmapd/examples/lunmap.yaml
/usr/share/doc/lunmapd/examples/credentials.conf /usr/share/doc/lunmapd/examples/storage.conf
/usr/share/doc/lunmapd/examples/debug.conf /usr/share/doc/lunmapd/examples/lunmap-page.service
/usr/share/doc/lunmapd/examples/prometheus/lunmapd.rules.yml /usr/share/doc/lunmapd/examples/grafana/lunmapd.json
/usr/share/doc/lunmapd/examples/hooks/drbd
/etc/lunmapd
"""
# What a shell does at a tab.
_TAB = """
source /usr/share/bash-completion/completions/{command}
complete -p {command}
COMP_WORDS=({words}) COMP_CWORD={at}
_{command}_completion {command}
echo ${{COMPREPLY[*]}}
"""


@pytest.fixture(scope="module")
def machine(new_lab: NewLab) -> Iterator[Machine]:
    """Give a machine with the package and no settings."""
    deb = package(TREE)
    with new_lab(tree=None) as lab:
        found = lab.machine("n1", init="systemd", memory="512M")
        found.put("/root/lunmapd.deb", deb.read_bytes())
        found.run(f"dpkg -i /root/lunmapd.deb && dpkg-deb -x /root/lunmapd.deb {UNPACKED}")
        yield found


def test_it_has_all_that_it_should(machine: Machine) -> None:
    """Commands, unit, catalogue, manual pages, completions, documents and examples are in Debian's places."""
    listed = set(machine.run("dpkg -L lunmapd").stdout.split())
    assert set(_FILES.split()) - listed == set()


def test_its_version_is_the_programs(machine: Machine) -> None:
    """The package, both commands and the manual pages have the same version."""
    version = lunmapd.__version__
    assert machine.run("dpkg-query -W -f '${Version}' lunmapd").stdout == f"{version}-1"
    for command in ("lunmapd", "lunmapctl"):
        assert machine.run(f"{command} --version").stdout == f"{command}, version {version}\n"
    pages = machine.run(f"zgrep -h '^.TH' {UNPACKED}/usr/share/man/man[158]/lunmap*.gz").stdout
    assert pages.count(f"lunmapd {version}") == 4


def test_a_tab_completes_commands_and_options(machine: Machine) -> None:
    """The completion of each command in bash offers the command's own verbs and options."""

    def tab(command: str, *words: str) -> list[str]:
        script = _TAB.format(command=command, words=" ".join((command, *words)), at=len(words))
        return machine.run(["bash", "-ec", script]).stdout.splitlines()[1].split()

    assert tab("lunmapctl", "''") == sorted(VERBS)
    assert tab("lunmapctl", "status", "--lu") == ["--luns"]
    assert tab("lunmapd", "pl") == ["plan"]


def test_systemd_has_nothing_to_say_against_the_unit(machine: Machine) -> None:
    """Neither alone nor with any of the drop-ins among the examples."""
    drop_ins = f"{UNPACKED}/usr/share/doc/lunmapd/examples/*.conf"
    assert len(machine.run(f"ls {drop_ins}").stdout.split()) == 3
    directory = "/etc/systemd/system/lunmapd.service.d"
    verify = "systemd-analyze verify --man=no lunmapd.service 2>&1 | grep -i lunmapd"
    assert machine.run(verify, check=False).stdout == ""
    machine.run(f"mkdir -p {directory} && cp {drop_ins} {directory}/")
    assert machine.run(verify, check=False).stdout == ""
    machine.run(f"rm -r {directory}; systemctl daemon-reload")


def test_wrong_settings_end_the_service_at_once(machine: Machine) -> None:
    """The unit fails without restarts, LIO is unchanged, and the journal has each problem with its line."""
    machine.put(SETTINGS, "nodee: n1\nzookeeper: {hosts: [10.0.0.1]}\n")
    assert machine.run("systemctl start lunmapd", check=False).status != 0
    shown = machine.run("systemctl show lunmapd --value -p ActiveState -p NRestarts -p ExecMainStatus")
    assert sorted(shown.stdout.split()) == ["0", "3", "failed"]
    journal = machine.run("journalctl --sync; journalctl -u lunmapd -o cat").stdout
    assert f"{SETTINGS}:1: nodee: unknown field; did you mean 'node'?" in journal
    assert f"{SETTINGS}:2: zookeeper.hosts[0]: '10.0.0.1' is not a server" in journal
    assert machine.run("ls -d /sys/kernel/config/target/iscsi/iqn.*", check=False).stdout == ""
