"""A host set up with docs/initiators.md: the page's commands and tables, and the host's view of Luns."""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab import Initiator, Machine, Map
from lab.wait import wait_until
from support.cluster import Cluster

PAGE = Path("docs/initiators.md").read_text()
LOG_IN, RESCAN, RESIZE, REMOVE, END_QUEUEING, LEAVE, RENEW = re.findall(
    r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
)
CONF, CONF_OF_ACME = re.findall(r"^```conf\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
DOCUMENTED_WWID = "360014053f1d6c1e00024f0b9f3e7a51c"
_CONF_FILE = "/etc/multipath.conf"
# Only the intervals are the test's: with the default ones a check comes after up to 20 s.
_CHECK_OFTEN = "defaults {\n    polling_interval 1\n    max_polling_interval 1\n}\n"
_RECONFIGURE = (
    "multipathd reconfigure; until multipathd show daemon | grep -q 'idle\\|running'; do sleep 0.1; done"
)


def rows(heading: str) -> list[list[str]]:
    """Return the cells, without backquotes, of the table of the page that has this heading."""
    text = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    found = [line.replace("`", "").split("|")[1:-1] for line in text.splitlines()[2:]]
    assert found, heading
    return [[cell.strip() for cell in cells] for cells in found]


@dataclass(frozen=True)
class DocumentedHost:
    """The initiator of a cluster, where the commands of the page are run."""

    cluster: Cluster

    @property
    def initiator(self) -> Initiator:
        """The initiator."""
        return self.cluster.initiator

    @property
    def machine(self) -> Machine:
        """The initiator's machine."""
        return self.cluster.initiator.machine

    def run(self, commands: str) -> None:
        """Run commands of the page, with the address of the first node. Raises CommandFailed."""
        self.machine.run(commands.replace("10.0.1.1", self.cluster.nodes[0].machine.address))

    def remove(self, wwid: str) -> None:
        """Remove the device of a Lun as the page says."""
        self.run(REMOVE.replace(DOCUMENTED_WWID, wwid))

    def remove_unmapped(self, *wwids: str) -> None:
        """Remove the devices of Luns whose maps were changed first, as the page says."""
        for wwid in wwids:
            self.run(END_QUEUEING.replace(DOCUMENTED_WWID, wwid))
        for wwid in wwids:
            self.remove(wwid)

    def is_open(self, wwid: str) -> bool:
        """Return whether any program has the device of a map open."""
        return self.machine.run(f"dmsetup info -c --noheadings -o open {wwid}").stdout != "0\n"

    def configure(self, conf: str) -> None:
        """Let multipathd use this configuration, unless it does already."""
        old = self.machine.run(f"cat {_CONF_FILE} /etc/multipath/conf.d/lab.conf", check=False)
        if old.stdout != conf + _CHECK_OFTEN:
            self.machine.put(_CONF_FILE, conf)
            self.machine.put("/etc/multipath/conf.d/lab.conf", _CHECK_OFTEN)
            self.machine.run(_RECONFIGURE)

    def settings(self, section: str) -> dict[str, str]:
        """Return multipathd's settings of `defaults`, or of `devices` with those that the host has."""
        text = "\n" + self.machine.run("multipathd show config local").stdout.replace('"on"', '"yes"')
        text = text.partition(f"\n{section} {{")[2].partition("\n}")[0]
        return dict(re.findall(r'^\s+(\w+) "?(.*?)"?$', text, re.MULTILINE))

    def await_maps(self, *wwids: str) -> None:
        """Wait until these are the host's maps, each with a usable path through each node."""
        wanted = dict.fromkeys(wwids, len(self.cluster.nodes))
        wait_until(f"the maps are {wanted}", lambda: self.usable_paths() == wanted)

    def usable_paths(self) -> dict[str, int]:
        """Count the usable paths of each map, by its WWID."""
        return {each.wwid: len(each.usable_paths) for each in self.initiator.multipaths()}

    def device(self, wwid: str) -> str:
        """Return the device of a map as soon as udev has made it, which follows each change of the map."""
        path = f"/dev/mapper/{wwid}"
        wait_until(f"{path} is there", partial(self._succeeds, ["test", "-e", path]))
        return path

    def sizes(self, wwid: str) -> set[int]:
        """Return the sizes, in sectors, of a map and its paths as the host has them."""
        return self._numbers(wwid, "size")

    def read_only(self, wwid: str) -> set[int]:
        """Return the read-only flags of a map and its paths as the host has them."""
        return self._numbers(wwid, "ro")

    def behaviour(self, wwid: str) -> str:
        """Return failback, queueing and checkers of a map, as multipathd prints them."""
        maps = self.machine.run("multipathd show maps raw format '%n %F %Q'").stdout.splitlines()
        paths = self.machine.run("multipathd show paths raw format '%w %c'").stdout.splitlines()
        (found,) = (line.removeprefix(wwid).strip() for line in maps if line.startswith(wwid))
        checkers = {line.split()[1] for line in paths if line.startswith(wwid)}
        return " ".join([found, *sorted(checkers)])

    def states(self, wwid: str) -> list[str]:
        """Return the number of groups of a map, and each node's path in the words of the page's table."""
        paths = self._map(wwid).paths
        words = {
            path.address: f"{path.checker} {path.priority}" for path in paths if path.checker != "faulty"
        }
        groups = len({path.group for path in paths})
        return [str(groups), *(words.get(node.machine.address, "faulty") for node in self.cluster.nodes)]

    def log(self) -> str:
        """Return the kernel's log since the start of the test."""
        return self.machine.run("dmesg").stdout

    def _map(self, wwid: str) -> Map:
        return next(each for each in self.initiator.multipaths() if each.wwid == wwid)

    def _numbers(self, wwid: str, attribute: str) -> set[int]:
        found = self._map(wwid)
        files = " ".join(
            f"/sys/block/{name}/{attribute}" for name in (found.dm, *(path.device for path in found.paths))
        )
        return set(map(int, self.machine.run(f"cat {files}").stdout.split()))

    def _succeeds(self, command: list[str]) -> bool:
        return self.machine.run(command, check=False).status == 0
