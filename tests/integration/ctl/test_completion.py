"""The completion of a shell, with the names of a real tree."""

from pathlib import Path

import pytest

from lunmapd.store.session.session import Session
from support.cluster import Ctl
from support.preloaded import run_lunmapctl

pytestmark = pytest.mark.integration


def test_the_names_of_the_tree_are_completed(
    session: Session, ctl: Ctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the form of bash: short names of hosts, names of Luns and nodes, and revisions, newest first."""
    ctl.apply(Path("config/lunmap.yaml").read_text(), wait=None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("_LUNMAPCTL_COMPLETE", "bash_complete")
    for words, found in {
        "explain h": ["host1"],
        "explain l": ["logs"],
        "map db": ["db1"],
        "show ": ["1"],
        "node set n": ["n1", "n2", "n3"],
    }.items():
        line = f"lunmapctl --hosts {session.hosts} --chroot {session.root} {words}"
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        assert run_lunmapctl([], None, 60) == (0, "".join(f"plain,{name}\n" for name in found), "")
