"""The completion of a shell, with the names of a real tree, in a real bash."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lunmapd.store.session.session import Session
from support.cluster import Ctl
from support.terminal import RUN, Terminal, program_on_terminal

pytestmark = pytest.mark.integration

PROMPT = "desk:"


@pytest.fixture
def bash(session: Session, ctl: Ctl, tmp_path: Path) -> Iterator[Terminal]:
    """Give a bash that has read the completion of the package, and whose lunmapctl reads the example map."""
    ctl.apply(Path("config/lunmap.yaml").read_text(), wait=None)
    subprocess.run([sys.executable, "packaging/completions.py", str(tmp_path)], check=True)
    program = tmp_path / "bin" / "lunmapctl"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{RUN}\n")
    program.chmod(0o755)
    env = {
        "LUNMAPCTL_HOSTS": session.hosts,
        "LUNMAPCTL_CHROOT": session.root,
        "PATH": f"{program.parent}:/usr/bin:/bin",
        "INPUTRC": "/dev/null",
        "XDG_CACHE_HOME": str(tmp_path),
    }
    commands = tmp_path / "bashrc"
    commands.write_text(f"PS1={PROMPT}\nsource {tmp_path}/lunmapctl\n")
    line = ["/bin/bash", "--noprofile", "--rcfile", str(commands), "-i"]
    with program_on_terminal(line, env=env) as terminal:
        terminal.wait_for(PROMPT)
        yield terminal


def complete(bash: Terminal, *keys: str, shown: str) -> None:
    """Type keys, of which each TAB is answered before the next ones, wait for the line, and drop it."""
    for part in keys:
        bash.type(part)
    bash.wait_for(f"{PROMPT}{shown}")
    bash.type("\x15")
    bash.wait_for(PROMPT, without=shown)


def test_tab_completes_names_fields_and_values(bash: Terminal) -> None:
    """Luns, hosts of a Lun, fields up to their =, and the values behind it, as words of their own in bash."""
    complete(bash, "lunmapctl map d\t", "h\t", shown="lunmapctl map db1 host1")
    complete(bash, "lunmapctl plan unmap db1 \t", shown="lunmapctl plan unmap db1 host1")
    complete(bash, "lunmapctl lun set db1 pref\t", "n1,n\t", shown="lunmapctl lun set db1 preferred=n1,n")
    complete(bash, "lunmapctl lun set db1 oth\t", "st\t", shown="lunmapctl lun set db1 others=standby")
    bash.type("lunmapctl explain n\t\t")
    bash.wait_for("n1  n2  n3")
