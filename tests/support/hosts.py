"""Several hosts on one machine, without multipath, and the persistent reservations that they see."""

from collections.abc import Mapping
from dataclasses import dataclass

from lab import Initiator
from lab.wait import wait_for

KEY = "0xabc"
Place = tuple[str, str, int]
"""Where a host finds a LUN: the portal's address, the target, and the LUN number."""

_DISKS = r"""
cd /sys/class/iscsi_session 2>/dev/null || exit 0
for s in session*; do
    read name <$s/initiatorname; read target <$s/targetname; read state <$s/state
    c=$(echo $s/device/connection*/iscsi_connection/connection*); read address <$c/persistent_address
    for d in $s/device/target*/*/block/*; do
        at=${d%/block/*}; [ -e $d ] && echo $name $state $address $target ${at##*:} /dev/${d##*/}
    done
done
true
"""
# TEST UNIT READY fetches the unit attention of a login. sg_turs of sg3-utils 1.48 sends nothing.
_RESERVE = f"""
set -e
reserve() {{
    sg_raw $1 00 00 00 00 00 00 2>/dev/null || true
    sg_persist -n -o -G --param-sark={KEY} $2 $1
    sg_persist -n -o -R --param-rk={KEY} -T 5 $1
}}
"""
_STATE = f"""
state() {{
    for disk in $2 $3; do sg_raw $disk 00 00 00 00 00 00 2>/dev/null; done
    keys=$(sg_persist -n -i -k $2 | grep -c {KEY}) holder=$(sg_persist -n -i -r $2 | grep -c {KEY})
    sg_dd if=/dev/zero of=$3 bs=512 count=1 oflag=sgio 2>/dev/null
    echo $1 $keys $holder $(($? == 24)) # RESERVATION CONFLICT
}}
"""


@dataclass(frozen=True)
class Reservation:
    """A reservation of a LUN: the first host sees its key and holds it, the second host can't write."""

    registered: bool
    held: bool
    refuses: bool


IN_EFFECT = Reservation(registered=True, held=True, refuses=True)
NO_RESERVATION = Reservation(registered=False, held=False, refuses=False)


@dataclass(frozen=True)
class Hosts:
    """Names of initiators on one machine: the first one reserves, the second one tries to write."""

    initiator: Initiator
    names: tuple[str, str]

    def login(self, portal: str) -> None:
        """Give each name an interface, and log in to all targets that discovery lists at a portal."""
        make = "iscsiadm -m iface -o new -I {0} && iscsiadm -m iface -o update -I {0} -n iface.initiatorname -v {1}"
        interfaces = {name.rpartition(":")[2]: name for name in self.names}
        used = " ".join(f"-I {interface}" for interface in interfaces)
        self.initiator.machine.run(
            "\n".join(
                (
                    "multipathd shutdown || true",
                    *(make.format(*pair) for pair in interfaces.items()),
                    f"iscsiadm -m discovery -t sendtargets -p {portal} {used}",
                    "iscsiadm -m node --login",
                )
            )
        )

    def reserve(self, places: Mapping[str, Place], *, without_aptpl: str = "") -> None:
        """Register KEY for each LUN, and reserve it for registrants.

        It asks for all but one to survive a power loss.
        """
        commands = (
            f"reserve {device} {'' if name == without_aptpl else '--param-aptpl'}"
            for name, device in self._devices(self.names[0], places).items()
        )
        self.initiator.machine.run(_RESERVE + "\n".join(commands))

    def reservations(self, places: Mapping[str, Place]) -> dict[str, Reservation]:
        """Return the reservation of each LUN. The second host writes a block to see whether it may."""
        first, second = (self._devices(name, places) for name in self.names)
        commands = (f"state {name} {first[name]} {second[name]}" for name in places)
        rows = self.initiator.machine.run(_STATE + "\n".join(commands)).stdout.splitlines()
        return {
            name: Reservation(*(count == "1" for count in counts)) for name, *counts in map(str.split, rows)
        }

    def read(self, script: str, places: Mapping[str, Place]) -> str:
        """Run a script that defines `show`, and call that with the first host's device of each LUN."""
        calls = (f"show {device}" for device in self._devices(self.names[0], places).values())
        return self.initiator.machine.run("\n".join((script, *calls))).stdout

    def _devices(self, name: str, places: Mapping[str, Place]) -> dict[str, str]:
        """Return the device of each LUN, once all of them can be used."""

        def find() -> dict[str, str]:
            rows = (line.split() for line in self.initiator.machine.run(_DISKS).stdout.splitlines())
            disks = {
                (address, target, int(lun)): device
                for who, state, address, target, lun, device in rows
                if (who, state) == (name, "LOGGED_IN")
            }
            return {lun: disks[place] for lun, place in places.items() if place in disks}

        return wait_for(f"the disks of {name}", find, lambda found: len(found) == len(places))
