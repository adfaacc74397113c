"""Persistent reservations that a node's kernel keeps on disk (APTPL: Activate Persist Through Power Loss).

For each storage object whose initiators asked for it, the kernel keeps a file with all registrations, and
with the holder of the reservation. After a reboot the file is written back into the new storage object, and
the kernel restores each registration when it makes the mapped LUN that the registration was made through.
Source: drivers/target/target_core_pr.c.
"""

from msgspec import Struct

from lunmapd.core.node import lio_objects


class ReservationRecord(Struct, frozen=True, gc=False):
    """A registration in a reservation file.

    `serial` is that of the storage object, `storage_object` the name of lunmapd's storage object with this
    serial, empty if there is none. `initiator` registered `key` (hexadecimal, 0x...) through the mapped LUN
    `lun` of the TPG `iqn`, `tag`. `holder`: it holds the reservation. `live`: the kernel has it in memory
    too.
    """

    serial: str
    storage_object: str
    initiator: str
    key: str
    iqn: str
    tag: int
    lun: int
    holder: bool = False
    live: bool = True

    @property
    def place(self) -> lio_objects.Key:
        """The key of the mapped LUN through which the registration was made."""
        return ("mapped_lun", self.iqn, self.tag, self.initiator, self.lun)

    def __str__(self) -> str:
        holder = ", the holder of the reservation," if self.holder else ""
        return (
            f"key {self.key} of {self.initiator}{holder} as LUN {self.lun} of {self.iqn}, TPG {self.tag}, "
            f"on the Lun {self.storage_object or 'with serial ' + self.serial}"
        )


class ReservationFiles(Struct, frozen=True):
    """The reservation files of a node.

    `records` are their registrations. `damaged` are the paths of the files of lunmapd's storage objects that
    are cut off. `problem` is the reason why the kernel can't write such files, empty if it can; it is looked
    for only if a storage object offers reservations.
    """

    records: tuple[ReservationRecord, ...] = ()
    damaged: tuple[str, ...] = ()
    problem: str = ""


NO_RESERVATION_FILES = ReservationFiles()
