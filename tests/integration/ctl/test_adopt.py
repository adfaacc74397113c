"""`lunmapd adopt` of a file beside a real ZooKeeper."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lab import Ensemble
from lunmapd.service.daemon.main import daemon
from support.cluster import Ctl
from support.saveconfigs import DISK, HOST, A, acl, saved, target
from support.saved_settings import acl_of, item_of, tpg_of

CHAP = {"chap_userid": "bob", "chap_password": "a secret of 16 b"}


@pytest.fixture
def settings(ensemble: Ensemble, root: str, tmp_path: Path) -> Path:
    """Give a tree with an empty map, and the settings of a node with a key."""
    ctl = Ctl(ensemble.hosts, root)
    ctl("init")
    ctl("secret", "--key-file", str(tmp_path / "secrets.key"), "new-key")
    path = tmp_path / "lunmapd.yaml"
    path.write_text(
        f"node: n1\nkey_file: {tmp_path}/secrets.key\n"
        f"zookeeper: {{hosts: [{ensemble.hosts}], chroot: {root}}}\n"
    )
    return path


def test_a_file_is_compared_with_the_map_of_the_tree(
    settings: Path, ensemble: Ensemble, root: str, tmp_path: Path
) -> None:
    """The sealed draft is committed and agrees; another password or path in the file is a difference."""
    file = tmp_path / "saveconfig.json"
    config = saved(target(A, {0: "block/db1"}, acl(HOST, (0, 0), **CHAP)), storage=(DISK,))
    tpg_of(config)["attributes"]["authentication"] = 1

    def adopt(*words: str) -> Result:
        file.write_text(json.dumps(config))
        return CliRunner().invoke(daemon, ["-c", str(settings), "adopt", "--from", str(file), *words])

    assert "does not serve it" in adopt("--check").output
    Ctl(ensemble.hosts, root).apply(adopt("--seal").output, wait=None)
    done = adopt("--check")
    assert (done.exit_code, "1 targets are as in the map" in done.output) == (0, True)
    acl_of(config).update(chap_password="another of 16 by")
    done = adopt("--check")
    assert (done.exit_code, "credentials" in done.output) == (6, True)
    item_of(config)["dev"] = "/dev/vg0/other"
    assert "storage_object db1" in adopt("--check").output
