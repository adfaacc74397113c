"""The states of an initiator's paths to a volume, by the names of the nodes."""

import re

from support.cluster import Cluster

STATES = {"0x00": "optimized", "0x01": "non-optimized"}


def states(cluster: Cluster, wwid: str) -> dict[str, str]:
    """Ask through each usable path to the volume for its state, by the node's name."""
    names = {node.machine.address: node.name for node in cluster.nodes}
    volumes = [found for found in cluster.initiator.multipaths() if found.wwid == wwid]
    usable = [path for volume in volumes for path in volume.usable_paths]
    return {names.get(path.address, ""): _state(cluster, path.device) for path in usable}


def shows(cluster: Cluster, wanted: dict[str, str], wwid: str) -> bool:
    """Return whether these are the usable paths, with these states."""
    return states(cluster, wwid) == wanted


def shows_one(cluster: Cluster, owner: str, wwid: str) -> bool:
    """Return whether this node has the one usable path; it is never one of two optimized ones."""
    found = states(cluster, wwid)
    assert len(found) <= 1 or set(found.values()) != {"optimized"}
    return found == {owner: "optimized"}


def _state(cluster: Cluster, device: str) -> str:
    told = cluster.initiator.machine.run(["sg_rtpg", f"/dev/{device}"], check=False).stdout
    found = re.search(r"Pref=(\d)(?s:.)*?access state : (\w+)", told)
    return f"{STATES.get(found[2], found[2])}{', preferred' * int(found[1])}" if found else told
