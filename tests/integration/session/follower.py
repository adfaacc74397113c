"""A program that follows a tree in a process of its own: prints revision and session at each change."""

import sys
import time

from lunmapd.store.session.errors import StoreError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree


def main() -> None:
    """Follow the tree at HOSTS CHROOT, until standard input is closed by our death or anyone's."""
    hosts, chroot = sys.argv[1:]
    before = None
    with Session(hosts, chroot, timeout=20.0, deadline=1.0) as session:
        while True:
            try:
                now = read_tree(session).revision, session.session_id
            except StoreError:
                continue
            if now != before:
                sys.stdout.write(f"{now[0]} {now[1]}\n")
                sys.stdout.flush()
            before = now
            time.sleep(0.1)


if __name__ == "__main__":
    main()
