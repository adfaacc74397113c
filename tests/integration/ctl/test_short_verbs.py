"""The short verbs on a real ZooKeeper: each edits the newest map once, and a second time changes nothing."""

import json
import re
from pathlib import Path
from typing import Any

from lunmapd.client import Client, Lunmap
from lunmapd.core.base.lunmap import SECTIONS, Initiator
from lunmapd.core.edits.hosts import add_host
from lunmapd.store.session.session import Session
from support.agents import AgentFactory, H, T, mapped_luns, put_checked
from support.cluster import Ctl

EXAMPLE = Path("config/lunmap.yaml").read_text()
IQN = "iqn.2026-01.org.example"
HOST2 = f"{IQN}:host2"


def newest(ctl: Ctl) -> dict[str, Any]:
    """Return the newest map, without its revision."""
    found: dict[str, Any] = json.loads(ctl("get", "-o", "json").out)
    return {section: found[section] for section in SECTIONS}


def twice(ctl: Ctl, words: str) -> str:
    """Run a verb, which commits, and again, which changes nothing; return what the first one printed."""
    out = ctl(*words.split()).out
    assert "committed revision" in out
    assert "nothing to change" in ctl(*words.split()).out
    return out


def test_a_floating_group_comes_and_goes(ctl: Ctl) -> None:
    """With its target, an unused tag and all nodes; each verb is one short line, and can be planned."""
    ctl.apply(EXAMPLE, wait=None)
    planned = json.loads(ctl("plan", "float", "create", f"{IQN}:pool", "gold", "10.0.1.9", "-o", "json").out)
    assert [change["path"] for change in planned["changes"]] == [f"targets/{IQN}:pool"]
    twice(ctl, f"float create {IQN}:pool gold 10.0.1.9 --failback manual")
    group = newest(ctl)["targets"][f"{IQN}:pool"]["floating"]["gold"]
    assert (group["portals"], group["nodes"]) == (["10.0.1.9:3260"], ["n1", "n2", "n3"])
    assert group["tpg_tag"] not in {node["tpg_tag"] for node in newest(ctl)["nodes"].values()}
    twice(ctl, "float set pool gold nodes=n2,n1 portals=10.0.1.10 failback=")
    group = newest(ctl)["targets"][f"{IQN}:pool"]["floating"]["gold"]
    assert (group["portals"], group["nodes"]) == (["10.0.1.10:3260"], ["n2", "n1"])
    assert "failback" not in group
    assert "'lunmapctl float set" in ctl("float", "create", "pool", "gold", "10.0.1.9", expect=3).err
    assert "No such command 'move'" in ctl("plan", "float", "move", "pool", "gold", expect=2).err
    assert "did you mean 'pool'" in ctl("float", "create", "poll", "gold", "10.0.1.9", expect=2).err
    twice(ctl, "float delete pool gold")
    assert newest(ctl)["targets"][f"{IQN}:pool"].get("floating", {}) == {}


def test_a_lun_comes_grows_and_goes(ctl: Ctl) -> None:
    """With a serial, free LUN numbers, and the commands for the hosts; only what is named changes."""
    ctl.apply(EXAMPLE, wait=None)
    before = newest(ctl)
    twice(ctl, f"host add {HOST2} --alias web --group databases")
    out = twice(ctl, "lun create db3 /dev/vg0/db3 --target san --to host1 --to web,7,ro")
    lun = newest(ctl)["luns"]["db3"]
    assert len(lun["serial"]) == 32
    assert lun["shared"] == before["luns"]["db1"]["shared"]
    assert [(entry["initiator"], entry["lun"], entry.get("access")) for entry in lun["maps"]] == [
        (f"{IQN}:host1", 2, None),
        (HOST2, 7, "ro"),
    ]
    assert "host1 sees db3 as LUN 2 at san (WWID 36001405" in out
    assert (
        f"on host2:\n  iscsiadm -m discovery -t sendtargets -p 10.0.1.1:3260\n  iscsiadm -m node -T {IQN}:san"
        in out
    )
    twice(ctl, "lun set db3 preferred=n2 attributes.is_nonrot=1")
    twice(ctl, "lun grow db3 1GiB")
    assert "no live node reports db3" in ctl("lun", "grow", "db3").out
    twice(ctl, "lun rename db3 db4")
    assert [each["message"] for each in json.loads(ctl("log", "-o", "json").out)[:3]] == [
        "lun rename db3 db4",
        "lun grow db3 1GiB",
        "lun set db3 preferred=n2 attributes.is_nonrot=1",
    ]
    (created,) = [
        each["message"] for each in json.loads(ctl("log", "-o", "json").out) if "create" in each["message"]
    ]
    assert created == "lun create db3 /dev/vg0/db3 --target san --to host1 --to web,7,ro"
    twice(ctl, "map db4 web --target san --rw")
    assert json.loads(ctl("log", "-o", "json").out)[0]["message"] == "map db4 web --rw --target san"
    assert "db4 is mapped to host1, host2" in ctl("lun", "delete", "db4", expect=3).err
    out = twice(ctl, "lun delete db4 --unmap")
    assert "first, on host1, host2: end all use of db4" in out
    gone = ctl("lun", "delete", "db")
    assert gone.out == "nothing to change: the map has no luns/db; did you mean 'db1'?\n"
    after = newest(ctl)
    assert after["luns"] == before["luns"]
    assert after["nodes"] == before["nodes"]


def test_a_number_that_was_used_is_not_given_again(ctl: Ctl) -> None:
    """A Lun that is mapped after another was unmapped gets the next number."""
    ctl.apply(EXAMPLE, wait=None)
    twice(ctl, f"host add {HOST2}")
    twice(ctl, "map logs host2 --target san --ro")
    twice(ctl, "map db1 host2 --target san")
    numbers = {name: newest(ctl)["luns"][name]["maps"][1]["lun"] for name in ("logs", "db1")}
    twice(ctl, "unmap db1 host2")
    group = "--on n1,n2 --preferred n1,n2 --others standby --hook drbd"
    twice(ctl, f"lun create db3 /dev/vg0/db3 --target san --to host2 {group}")
    made = newest(ctl)["luns"]["db3"]
    assert (made["preferred"], made["others"], made["hook"]) == (["n1", "n2"], "standby", "drbd")
    (entry,) = newest(ctl)["luns"]["db3"]["maps"]
    assert entry["lun"] not in {0, *numbers.values()}
    refused = ctl("map", "db1", "host2", "--target", "san", "--lun", str(numbers["logs"]), expect=3)
    assert "this LUN number is already taken" in refused.err
    twice(ctl, "unmap logs --all")
    assert "maps" not in newest(ctl)["luns"]["logs"]


def test_a_plan_of_a_verb_commits_nothing(ctl: Ctl) -> None:
    """It shows what nodes would do and what the hosts have to do; so does -n."""
    ctl.apply(EXAMPLE, wait=None)
    for words in (("plan", "unmap", "db1", "host1"), ("unmap", "db1", "host1", "-n")):
        out = ctl(*words).out
        assert "~ luns/db1" in out
        assert "first, on host1: end all use of db1" in out
    planned = json.loads(ctl("plan", "unmap", "db1", "host1", "-o", "json").out)
    assert planned["revision"] == 1
    assert json.loads(ctl("unmap", "db1", "host1", "-n", "-o", "json").out) == planned
    for option in ("--file=-", "--output=json", "--message=x"):
        answer = ctl("plan", option, "unmap", "db1", "host1", stdin=EXAMPLE, expect=2)
        assert "is for a whole map: write the options of unmap behind it" in answer.err
    assert "or a verb such as 'unmap'" in ctl("plan", expect=2).err
    assert ctl.status()["revision"] == 1


def ageless(text: str) -> str:
    """Return a plan without the age of the logins."""
    return re.sub(r"at most \d+ s\s+ago", "just now", text)


def test_a_host_is_not_disturbed_without_an_agreement(
    session: Session, make_agent: AgentFactory, ctl: Ctl
) -> None:
    """The plan names who loses a LUN; the commit needs --allow, and shows how to remove the device first."""
    put_checked(session, mapped_luns(1, 2))
    agent = make_agent()
    agent.run_cycle()
    make_agent.kernel.log_in(T, H)
    agent.run_cycle()
    planned = ctl("plan", "unmap", "l1", "h", expect=6)
    assert re.search(r"^n1 +3 +- +data-unreachable: h \(l1\)$", planned.out, re.MULTILINE)
    refused = ctl("unmap", "l1", "h", expect=6)
    assert ageless(refused.out) == ageless(planned.out)
    assert "if that is meant, use --allow data-unreachable" in refused.err
    assert ctl.status()["revision"] == 1
    done = ctl("unmap", "l1", "h", "--allow", "data-unreachable")
    assert ageless(done.out) == f"{ageless(planned.out)}committed revision 2\n"
    agent.run_cycle()
    assert "No host is disturbed" in ctl("map", "l1", "h").out
    agent.run_cycle()
    assert "data-unreachable: h (l2)" in ctl("plan", "lun", "rename", "l2", "data", expect=6).out
    assert "use --allow" in ctl("lun", "rename", "l2", "data", expect=6).err
    ctl("lun", "rename", "l2", "data", "--allow", "data-unreachable")
    agent.run_cycle()
    agent.run_cycle()
    ctl("status")


def test_a_removed_node_is_not_waited_for(session: Session, make_agent: AgentFactory, ctl: Ctl) -> None:
    """It lives on and applies nothing, as it is not in the map."""
    put_checked(session, mapped_luns(1, 2))
    make_agent().run_cycle()
    ctl("node", "remove", "n1", "--wait", "0", "--yes", "--allow-empty")
    assert json.loads(ctl("status", "-o", "json", expect=6).out)["nodes"][0]["alive"]


def test_groups_targets_and_nodes(ctl: Ctl) -> None:
    """A new node gets a tag, a new target port ids; what is in use does not go by accident."""
    ctl.apply(EXAMPLE, wait=None)
    before = newest(ctl)
    twice(ctl, "node add n4 --portal 10.0.1.4 --target san")
    found = newest(ctl)
    assert found["nodes"]["n4"] == {"tpg_tag": 4, "portals": ["10.0.1.4:3260"]}
    assert found["targets"][f"{IQN}:san"]["nodes"]["n4"]["port_id"] == 5
    twice(ctl, "node set n4 labels.rack=b")
    twice(ctl, "node remove n4")
    twice(ctl, f"target create {IQN}:new --on n1,n2")
    twice(ctl, "target set new alias=tests nodes=n1")
    twice(ctl, "target delete tests")
    twice(ctl, f"host add {HOST2}")
    assert "nothing to change" in ctl("group", "add", "databases", "-", stdin="host1").out
    ctl("group", "create", "web", "-", stdin=f"host1\n{HOST2}\n")
    more = [f"{IQN}:more{number}" for number in range(3)]
    ctl("host", "add", "-", "--group", "web", stdin="\n".join(more))
    assert "are for one host" in ctl("host", "add", *more, "--alias", "x", expect=2).err
    for each in more:
        ctl("host", "remove", each, "--unmap")
    twice(ctl, "group remove web host1")
    twice(ctl, "group set web alias=www")
    twice(ctl, "map db1 group:web --target san")
    assert "group:web has Luns (db1)" in ctl("group", "delete", "web", expect=3).err
    twice(ctl, "group delete web --unmap")
    twice(ctl, "host set host2 alias=two")
    twice(ctl, f"host rename two {IQN}:host3")
    twice(ctl, "host remove host3")
    assert newest(ctl) == before


def test_the_passwords_of_a_renamed_host_go_with_it(ctl: Ctl, tmp_path: Path) -> None:
    """They are sealed again for its new name, which needs the key."""
    ctl.apply(EXAMPLE, wait=None)
    key = str(tmp_path / "keys")
    ctl("secret", "--key-file", key, "new-key")
    ctl(
        "secret",
        "--key-file",
        key,
        "set",
        f"{IQN}:host1",
        "--user",
        "h",
        "--force",
        stdin="a long password\n",
    )
    ctl("host", "rename", "host1", HOST2, "--key-file", str(tmp_path / "none"), expect=None)
    sealed = newest(ctl)["initiators"][f"{IQN}:host1"]["chap"]
    ctl("host", "rename", "host1", HOST2, "--key-file", key)
    moved = newest(ctl)["initiators"][HOST2]["chap"]
    assert (moved["user"], moved["password"] != sealed["password"]) == ("h", True)
    assert newest(ctl)["luns"]["db1"]["maps"][0]["initiator"] == HOST2


def test_wrong_words_are_wrong_usage(ctl: Ctl) -> None:
    """Each with the nearest name or the choices, and nothing is committed."""
    ctl.apply(EXAMPLE, wait=None)
    for words, status, message in (
        ("map db9 host1 --target san", 2, "no Lun 'db9'; did you mean 'db1'"),
        ("map db1 host9 --target san", 2, "no initiator 'host9'; did you mean 'host1'"),
        ("lun create x /dev/x --to host1", 2, "several targets (san, scratch): add --target"),
        ("unmap db1", 2, "name the hosts, or use --all"),
        ("lun create db1 /dev/other", 3, "luns/db1 is in the map already, and its backing differs"),
        ("lun create x", 2, "a block Lun needs a PATH"),
        ("lun create x /y --type ramdisk", 2, "a ramdisk has no PATH"),
        ("lun create x /y --size big", 2, "'big' is not a size"),
        ("lun create x /y --to host1,five", 2, "'five' is neither a number, ro nor rw"),
        ("node add n9 --portal nowhere", 2, "'nowhere' is not a portal"),
        ("host add host", 3, "is not an iSCSI name"),
    ):
        assert message in ctl(*words.split(), expect=status).err
    assert ctl.status()["revision"] == 1


def test_an_edit_is_made_on_the_newest_map(session: Session) -> None:
    """Two clients that propose an edit of the same map lose nothing of each other."""
    one, two = Client(session), Client(session)
    other = f"{IQN}:other"

    def edit(iqn: str) -> Any:
        return lambda lunmap, _: add_host(lunmap, iqn, Initiator())

    first, second = one.propose_edit(edit(HOST2)), two.propose_edit(edit(other))
    one.apply(first)
    two.apply(second)
    found: Lunmap = one.read().lunmap
    assert found.initiators.keys() == {HOST2, other}
