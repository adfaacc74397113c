"""The lab's commands: build, check, deb DIRECTORY, list, reap [LAB | --all], shell [LAB/]NAME [COMMAND]."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path

from lab import debian
from lab.build.project import package
from lab.check import HOST_PACKAGES, unfit
from lab.errors import LabError
from lab.lab import trial
from lab.leftovers import Record, labs, reap
from lab.machines import kernel

_TREE = Path(__file__).parents[2]


def main() -> int:
    """Run one verb; returns the exit code."""
    verbs = {
        "build": _build,
        "check": _check,
        "deb": _deb,
        "debian": _debian,
        "list": _list,
        "reap": _reap,
        "shell": _shell,
    }
    args = _parser().parse_args()
    try:
        return verbs[args.verb](args)
    except LabError as err:
        print(f"lab: {err}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="Machines with real LIO kernels as processes."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("build", help="build the machines' root and find a kernel that runs here")
    verbs.add_parser("check", help="say whether this host can run the lab, and what it lacks")
    building = verbs.add_parser("deb", help="build the Debian package of this tree, in a root of its own")
    building.add_argument("directory", type=Path)
    hosting = verbs.add_parser("debian", help="run a command of this tree with Debian 13 as its host")
    hosting.add_argument("command", nargs=argparse.REMAINDER)
    verbs.add_parser("list", help="list the labs that run, and their machines")
    ending = verbs.add_parser("reap", help="remove what labs with dead owners have left")
    ending.add_argument("lab", nargs="?", default="", help="also end this lab")
    ending.add_argument("--all", action="store_true", help="end every lab, also those that were kept running")
    shell = verbs.add_parser("shell", help="a shell or a command in a machine of a running lab")
    shell.add_argument("machine", metavar="[LAB/]NAME")
    shell.add_argument("command", nargs=argparse.REMAINDER)
    return parser


def _build(_: argparse.Namespace) -> int:
    if _check(_):
        return 1
    driver = kernel.driver(trial)
    print(f"lab: ready: {driver.root}, machines run by {driver.name}")
    return 0


def _check(_: argparse.Namespace) -> int:
    reasons = unfit()
    for reason in reasons:
        print(f"lab: {reason}")
    if reasons:
        print(f"lab: packages it needs on the host: {' '.join(HOST_PACKAGES)}")
    else:
        print("lab: this host can run the lab")
    return 1 if reasons else 0


def _deb(args: argparse.Namespace) -> int:
    args.directory.mkdir(parents=True, exist_ok=True)
    print(shutil.copy(package(_TREE), args.directory))
    return 0


def _debian(args: argparse.Namespace) -> int:
    if _check(args):
        return 1
    argv = debian.command(_TREE, args.command)
    os.execvpe(argv[0], argv, debian.environment())  # noqa: S606 - it replaces this process
    return 1


def _list(_: argparse.Namespace) -> int:
    for _state, record in labs():
        life = "running" if record.holder.alive() else "dead"
        print(f"{record.name} {life}{' kept' if record.kept else ''}: {' '.join(record.shells)}")
    return 0


def _reap(args: argparse.Namespace) -> int:
    for name in reap(args.lab, everything=args.all):
        print(f"lab: removed {name}")
    return 0


def _shell(args: argparse.Namespace) -> int:
    lab, _, name = args.machine.rpartition("/")
    found = [record for _state, record in labs() if _matches(record, lab, name)]
    if len(found) != 1:
        running = " ".join(
            f"{r.name}/{machine}" for _state, r in labs() if r.holder.alive() for machine in r.shells
        )
        print(
            f"lab: {len(found)} machines are called {args.machine}; running: {running or 'none'}",
            file=sys.stderr,
        )
        return 1
    argv = found[0].shells[name]
    command = ["--", shlex.join(args.command)] if args.command else []
    os.execvp(argv[0], [*argv, *command])  # noqa: S606 - it replaces this process
    return 1


def _matches(record: Record, lab: str, name: str) -> bool:
    return record.holder.alive() and name in record.shells and lab in {"", record.name}


if __name__ == "__main__":
    sys.exit(main())
