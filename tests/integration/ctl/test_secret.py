"""lunmapctl secret on a real ZooKeeper: passwords are sealed, and only with a key that the nodes have."""

import json
from pathlib import Path

import pytest

from lab import Ensemble
from lunmapd.core.fleet.status import Live, NodeStatus
from lunmapd.service.keyfile import read_keys
from lunmapd.store.tree.members import register, write_status
from support.cluster import Answer, Ctl
from support.commits import NOW
from support.foreign_files import ENCRYPTED, H1, H2, ceph_auth, ceph_document
from support.foreign_files import IQN as CEPH_TARGET
from support.foreign_files import PASSWORD as CEPH_PASSWORD
from support.sessions import Connect

HOST = "iqn.2026-01.org.example:host1"
PASSWORD = "a secret of 16 b"  # noqa: S105 - of a test
EXAMPLE = Path("config/lunmap.yaml").read_text()


class Desk:
    """lunmapctl on the example map, with a key file."""

    def __init__(self, ctl: Ctl, key_file: Path) -> None:
        self.ctl = ctl
        self.key_file = key_file

    def __call__(self, *args: str, password: str | None = None, expect: int = 0) -> Answer:
        """Run a verb of `lunmapctl secret`."""
        stdin = None if password is None else f"{password}\n"
        return self.ctl("secret", "--key-file", str(self.key_file), *args, stdin=stdin, expect=expect)

    def listing(self) -> dict[str, list[dict[str, object]]]:
        """Return `secret list -o json`."""
        found: dict[str, list[dict[str, object]]] = json.loads(self("list", "-o", "json").out)
        return found


@pytest.fixture
def desk(ensemble: Ensemble, root: str, tmp_path: Path) -> Desk:
    """Give a key and the example map."""
    found = Desk(Ctl(ensemble.hosts, root), tmp_path / "secrets.key")
    found.ctl("init")
    found.ctl.apply(EXAMPLE, wait=None)
    found("new-key")
    return found


def test_a_password_comes_in_sealed(desk: Desk) -> None:
    """A password from standard input is in the tree only under the current key.

    Files and `get` keep it sealed.
    """
    assert desk("set", HOST, "--user", "bob", password=PASSWORD).out == "committed revision 2\n"
    text = desk.ctl("get").out
    assert PASSWORD not in text
    key = read_keys(desk.key_file).current
    assert f"password: v1:{key}:" in text
    asking = EXAMPLE.replace("authentication: none", "authentication: chap")
    named = asking.replace("alias: database host", "alias: database host\n    chap: {user: bob}")
    desk.ctl.apply(named, wait=None)
    assert desk.listing() == {
        "secrets": [{"object": f"initiators/{HOST}", "field": "chap", "user": "bob", "key": key}],
        "keys": [{"key": key, "here": True, "current": True, "nodes": []}],
    }
    assert "lunmapctl secret set" in desk.ctl.apply(asking, wait=None, expect=3).err


def test_converted_passwords_come_in_sealed(desk: Desk, tmp_path: Path) -> None:
    """With --seal the passwords of a file are in the map under the current key, and it can be committed.

    An initiator whose password is encrypted in the file is added with a password before.
    """
    file = tmp_path / "gateway.conf"
    document = ceph_document(11)
    document["targets"][CEPH_TARGET]["clients"][H2]["auth"] = ceph_auth("alice", ENCRYPTED, encrypted=True)
    file.write_text(json.dumps(document))
    options = ("--seal", "--key-file", str(desk.key_file), "--size", "rbd.disk_1=64MiB")
    made = desk.ctl("convert", *options, str(file), expect=6)
    assert CEPH_PASSWORD not in made.out + made.err
    words = ("apply", "-f", "-", "--replace", "--yes", "--reuse-id", "gw1", "--reuse-id", "gw2")
    assert f"initiators[{H2}]" in desk.ctl(*words, stdin=made.out, expect=3).err
    key = ("--key-file", str(desk.key_file))
    desk.ctl("host", "add", H2, "--chap", "alice", *key, stdin=f"{PASSWORD}\n")
    desk.ctl(*words, stdin=made.out)
    assert {each["object"] for each in desk.listing()["secrets"]} == {f"initiators/{H1}", f"initiators/{H2}"}
    assert {each["key"] for each in desk.listing()["secrets"]} == {read_keys(desk.key_file).current}


@pytest.mark.parametrize(
    ("args", "password", "status", "message"),
    [
        (
            ("set", "iqn.2026-01.org.example:nobody", "--user", "bob"),
            PASSWORD,
            1,
            "there is no initiators/iqn",
        ),
        (("set", HOST, "--user", "b b"), PASSWORD, 3, "not a CHAP user"),
        (("set", HOST, "--user", "bob"), "pässword", 1, "ASCII"),
        (("set", HOST, "--user", "bob", "--mutual"), PASSWORD, 3, "no effect without 'chap'"),
        (("set-discovery", "n1", "--user", "bob", "--mutual"), PASSWORD, 1, "set that one first"),
        (("clear", "n9", "--discovery"), None, 1, "there is no nodes/n9"),
    ],
)
def test_what_does_not_fit_is_refused(
    desk: Desk, args: tuple[str, ...], password: str | None, status: int, message: str
) -> None:
    """A wrong name, user or password commits nothing, and no answer shows the password."""
    answer = desk(*args, password=password, expect=status)
    assert message in answer.err
    assert password is None or password not in answer.out + answer.err
    assert desk.ctl.status()["revision"] == 1


def test_one_password_for_both_ways_is_refused(desk: Desk) -> None:
    """The target must prove another password than the one that it asks for."""
    desk("set", HOST, "--user", "bob", password=PASSWORD)
    assert "must differ" in desk("set", HOST, "--user", "san", "--mutual", password=PASSWORD, expect=1).err
    desk("set", HOST, "--user", "san", "--mutual", password="another 16 bytes")
    assert [line["field"] for line in desk.listing()["secrets"]] == ["chap", "mutual_chap"]


def test_a_table_of_passwords_is_taken_whole_or_not_at_all(desk: Desk, tmp_path: Path) -> None:
    """From a private file or standard input; all wrong lines are reported; a second time changes nothing."""
    head = "initiator,user,password\n"
    wrong = desk("import", "-", password=f"{head}nobody,bob,{PASSWORD}\nhost1,bob", expect=3)
    assert [line.partition(": ")[2].partition(" ")[0] for line in wrong.err.splitlines()] == [
        "<stdin>:2:",
        "<stdin>:3:",
    ]
    assert PASSWORD not in wrong.out + wrong.err
    assert desk.ctl.status()["revision"] == 1
    table = tmp_path / "chap.csv"
    table.write_text(f"{head}host1,bob,{PASSWORD}\n")
    assert "chmod" in desk("import", str(table), expect=7).err
    table.chmod(0o600)
    assert desk("import", str(table), "-m", "new hosts").out == "committed revision 2\n"
    assert desk("import", "-", password=f"{head}host1,bob,{PASSWORD}").out == "nothing to change\n"
    assert "new hosts" in desk.ctl("log").out
    assert "should have 12 to 16 letters" in desk("import", "-", password=f"{head}host1,bob,short").err


def test_a_generated_password_is_set(desk: Desk, tmp_path: Path) -> None:
    """It is the one of the file: to set it again changes nothing. A host is added with one at once."""
    made, added = tmp_path / "made", tmp_path / "added"
    assert (
        f"wrote the password to {made}"
        in desk("set", "host1", "--user", "bob", "--generate-to", str(made)).out
    )
    assert desk("set", HOST, "--user", "bob", "--password-file", str(made)).out == "nothing to change\n"
    options = ("--chap", "web", "--key-file", str(desk.key_file))
    add = ("host", "add", "iqn.2026-01.org.example:web", *options)
    desk.ctl(*add, "--generate-to", str(added), "-n")
    assert not added.exists()
    assert added.name in desk.ctl(*add, "--generate-to", str(added)).out
    assert "nothing to change" in desk.ctl(*add, "--password-file", str(added)).out
    other = tmp_path / "other"
    assert "has another CHAP password already" in desk.ctl(*add, "--generate-to", str(other), expect=3).err
    assert not other.exists()
    assert "--chap USER" in desk.ctl(*add[:3], "--generate-to", str(other), expect=2).err
    assert added.read_text().strip() not in desk.ctl("get").out


def test_short_passwords_are_warned_of(desk: Desk) -> None:
    """A short password is taken, with a warning."""
    answer = desk("set", HOST, "--user", "bob", password="short")
    assert "12 to 16" in answer.err
    assert answer.out == "committed revision 2\n"


def test_credentials_are_cleared(desk: Desk) -> None:
    """Credentials are cleared: the mutual ones alone, or all of an initiator's or of a node's discovery.

    What a host has to do is printed where its own are.
    """
    desk("set", HOST, "--user", "bob", password=PASSWORD)
    desk("set", HOST, "--user", "san", "--mutual", password="another 16 bytes")
    desk("set-discovery", "n1", "--user", "d", password=PASSWORD)
    desk("set-discovery", "n1", "--user", "e", "--mutual", password="another 16 bytes")
    for args, left in (
        ((HOST, "--mutual"), ["chap", "discovery.chap", "discovery.mutual_chap"]),
        ((HOST,), ["discovery.chap", "discovery.mutual_chap"]),
        (("n1", "--discovery", "--mutual"), ["discovery.chap"]),
        (("n1", "--discovery"), []),
    ):
        assert ("later logins to san fail with a password" in desk("clear", *args).out) is (args == (HOST,))
        assert [line["field"] for line in desk.listing()["secrets"]] == left
    assert desk("clear", HOST).out == "nothing to change\n"


def test_rotation_waits_for_the_nodes(desk: Desk, connect: Connect) -> None:
    """Neither rotation nor a new secret uses a key that a live node lacks.

    Then one revision seals all again.
    """
    desk("set", HOST, "--user", "bob", password=PASSWORD)
    (old,) = read_keys(desk.key_file).ids
    desk("new-key")
    new = read_keys(desk.key_file).current
    session = connect()
    register(session, "n1", Live("m", "b", "v", NOW))
    for args, password in ((("rotate",), None), (("set", HOST, "--user", "bob"), PASSWORD)):
        assert f"key {new} is not on n1" in desk(*args, password=password, expect=6).err
    write_status(session, "n1", NodeStatus("b", "v", NOW, keys=(new, old)))
    assert desk("rotate").out == "committed revision 3\n"
    listing = desk.listing()
    assert [line["key"] for line in listing["secrets"]] == [new]
    assert [(line["key"], line["nodes"]) for line in listing["keys"]] == [(new, ["n1"]), (old, ["n1"])]
    assert desk("rotate").out == "nothing to change\n"
    table = desk("list").out
    assert [line.split() for line in table.splitlines()[-2:]] == [[new, "current", "n1"], [old, "here", "n1"]]


def test_without_the_old_key_nothing_is_rotated(desk: Desk, tmp_path: Path) -> None:
    """A secret that this machine can't open is named and blocks the rotation of all, also with --force."""
    desk("set", HOST, "--user", "bob", password=PASSWORD)
    other = Desk(desk.ctl, tmp_path / "other.key")
    assert "secret new-key" in other("rotate", expect=1).err
    other("new-key")
    answer = other("rotate", "--force", expect=1)
    assert f"initiators/{HOST}, chap:" in answer.err
    assert [line.split()[1] for line in other("list").out.splitlines()[-2:]] == ["current", "missing"]


def test_the_settings_name_the_key_file(desk: Desk, tmp_path: Path) -> None:
    """Without an option the key file is that of the settings."""
    config = tmp_path / "lunmapd.yaml"
    config.write_text(
        f"zookeeper: {{hosts: ['{desk.ctl.hosts}'], chroot: {desk.ctl.chroot}}}\nkey_file: {desk.key_file}\n"
    )
    plain = Ctl(desk.ctl.hosts, desk.ctl.chroot)
    answer = plain("-c", str(config), "secret", "set", HOST, "--user", "bob", stdin=f"{PASSWORD}\n")
    assert answer.out == "committed revision 2\n"
    desk.key_file.chmod(0o644)
    assert "chmod 0600" in plain("-c", str(config), "secret", "list", expect=1).err


def test_a_node_is_exported_with_its_passwords_only_if_asked(desk: Desk, tmp_path: Path) -> None:
    """The file of targetctl has passwords on request, readable by its owner only; else they are named."""
    desk("set", HOST, "--user", "bob", password=PASSWORD)
    bare = desk.ctl("export", "n1")
    assert json.loads(bare.out)["targets"][0]["fabric"] == "iscsi"
    assert (PASSWORD in bare.out, f"the CHAP credentials of {HOST}" in bare.err) == (False, True)
    file = tmp_path / "saveconfig.json"
    whole = ("export", "n1", "--with-passwords", "--key-file", str(desk.key_file))
    desk.ctl(*whole, expect=2)
    made = desk.ctl(*whole, "--file", str(file))
    assert (made.out, made.err) == (f"wrote {file}\n", "")
    assert (PASSWORD in file.read_text(), file.stat().st_mode & 0o777) == (True, 0o600)
    assert "no node 'n9'" in desk.ctl("export", "n9", expect=1).err
