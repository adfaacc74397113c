"""Removing everything from LIO, with any owner."""

import os

from bench.guest.bare import ROOT, directories, write


def clean() -> None:
    """Remove everything, as fast as the kernel can; the fabric stays, as after loading the module."""
    os.makedirs(f"{ROOT}/iscsi", exist_ok=True)
    for iqn in directories(f"{ROOT}/iscsi"):
        if iqn.startswith("iqn"):
            for tpg in directories(f"{ROOT}/iscsi/{iqn}"):
                if tpg.startswith("tpgt_"):
                    _tpg(f"{ROOT}/iscsi/{iqn}/{tpg}")
            os.rmdir(f"{ROOT}/iscsi/{iqn}")
    for hba in directories(f"{ROOT}/core"):
        if "_" in hba:
            _children(f"{ROOT}/core/{hba}")
            os.rmdir(f"{ROOT}/core/{hba}")


def _tpg(path: str) -> None:
    write(f"{path}/enable", "0")
    for acl in directories(f"{path}/acls"):
        _children(f"{path}/acls/{acl}", "lun_")
    for group in ("acls", "lun", "np"):
        _children(f"{path}/{group}")
    os.rmdir(path)


def _children(path: str, prefix: str = "") -> None:
    for child in directories(path):
        if child.startswith(prefix):
            _unlink_all(f"{path}/{child}")
            os.rmdir(f"{path}/{child}")


def _unlink_all(path: str) -> None:
    with os.scandir(path) as entries:
        links = [entry.path for entry in entries if entry.is_symlink()]
    for link in links:
        os.unlink(link)
