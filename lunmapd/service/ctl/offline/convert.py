"""`lunmapctl convert`: the configuration of another tool, or of several nodes, as a map file."""

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace

from lunmapd.client import Lunmap
from lunmapd.core.base.errors import Exit, LunmapdError, Problem
from lunmapd.core.base.lunmap import Chap
from lunmapd.core.base.names import check_name
from lunmapd.core.conversion.conversion import (
    Choices,
    Conversion,
    NotConvertibleError,
    Remark,
    RemarkKind,
    SourceText,
)
from lunmapd.core.conversion.formats import SourceFormat, convert_files, ignored_choices, open_problems
from lunmapd.core.conversion.rolling_move import NodeMove, move_lines, rolling_move
from lunmapd.core.map import mapfile
from lunmapd.core.map.credentials import change_credentials
from lunmapd.core.secrets.sealing import NONCE_BYTES, Vault
from lunmapd.service import keyfile
from lunmapd.service.cli import output_option
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.secrets.options import key_file_option
from lunmapd.service.ctl.secrets.secret_keys import configured_key_file
from lunmapd.service.output import echo, echo_json


class NothingConvertedError(LunmapdError):
    """The files have nothing that a map could have; the remarks have the reasons."""

    exit_code = Exit.DEGRADED


def _pairs(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Split each `NAME=VALUE` of an option."""
    pairs = tuple((name, text) for name, _, text in (value.partition("=") for value in values))
    if any(not (name and text) for name, text in pairs):
        raise click.BadParameter(f"expected {option.metavar}", context, option)
    return pairs


@click.command("convert")
@click.argument("files", nargs=-1, required=True, metavar="[NODE=]FILE...")
@click.option(
    "--from",
    "source_format",
    type=click.Choice([each.value for each in SourceFormat]),
    help="The format of the files.  [default: what each file looks like]",
)
@click.option(
    "--portal",
    "portals",
    callback=_pairs,
    metavar="NODE=ADDRESS",
    multiple=True,
    help="For Pacemaker and LINSTOR Gateway: serve the targets from this node through this address of its "
    "own, too. Repeatable.",
)
@click.option(
    "--node",
    "nodes",
    metavar="NODE",
    multiple=True,
    help="For Pacemaker and LINSTOR Gateway: the addresses of the cluster move between these nodes, the "
    "preferred one first.  [default: the nodes that --portal or the files name]  Repeatable.",
)
@click.option(
    "--initiator",
    "initiators",
    multiple=True,
    metavar="NAME",
    help="Map the Luns of a target that admits every initiator to this one. Repeatable.",
)
@click.option(
    "--size",
    "sizes",
    callback=_pairs,
    metavar="LUN=SIZE",
    multiple=True,
    help="The size of a Lun, if the files lack it: bytes, or with a unit, such as 10GiB. Repeatable.",
)
@click.option("--krbd", is_flag=True, help="For ceph-iscsi: let the kernel's RBD client serve the images.")
@click.option(
    "--seal",
    is_flag=True,
    help="Add the CHAP passwords of the files, sealed. This needs ZooKeeper and the key file.",
)
@key_file_option
@output_option
@click.pass_obj
def convert_command(
    connection: Connection,
    files: tuple[str, ...],
    source_format: str | None,
    portals: tuple[tuple[str, str], ...],
    nodes: tuple[str, ...],
    initiators: tuple[str, ...],
    sizes: tuple[tuple[str, str], ...],
    krbd: bool,
    seal: bool,
    key_file: Path | None,
    output: str,
) -> None:
    """Print a map file made of FILES; ZooKeeper and LIO are not needed.

    FILES are a gateway.conf of ceph-iscsi, saveconfig.json of targetcli (one for each node), a CIB of
    Pacemaker or the output of 'crm configure show' or 'pcs config', files of LINSTOR Gateway, or map files of
    single nodes, such as those of 'lunmapd adopt'. Several files become one map.

    A report on standard error has a line for each part: carried, changed, or lost if a map can't express it.
    Where nodes can't keep their TPG tags, a plan for their move follows. Exit 6 if something is lost, or the
    map still breaks a rule.
    """
    sized = {name: _size(name, text) for name, text in sizes}
    choices = Choices(_by_node(portals), initiators, sized, krbd, tuple(dict.fromkeys(nodes)))
    given = SourceFormat(source_format) if source_format else None
    sources = [_read(name) for name in files]
    joined = convert_files(sources, choices, given)
    if ignored := tuple(ignored_choices(sources, choices, given)):
        raise click.UsageError("; ".join(ignored))
    conversion = joined.conversion
    if seal:
        conversion = replace(conversion, lunmap=_sealed(connection, conversion, key_file))
    problems = open_problems(conversion.lunmap)
    moves = rolling_move(joined) if joined.rebuilds else ()
    if output == "json":
        _echo_json(conversion, problems, moves)
    else:
        _echo_report(conversion, problems, moves)
    if not conversion.lunmap.targets:
        raise NothingConvertedError("no target can be converted, so there is no map; the report says why")
    if problems or any(remark.kind is RemarkKind.LOST for remark in conversion.remarks):
        sys.exit(Exit.DEGRADED)


def _by_node(portals: tuple[tuple[str, str], ...]) -> dict[str, tuple[str, ...]]:
    nodes = dict.fromkeys(node for node, _ in portals)
    return {node: tuple(address for name, address in portals if name == node) for node in nodes}


def _size(name: str, text: str) -> int:
    try:
        return mapfile.parse_size(text)
    except ValueError as error:
        raise click.UsageError(f"--size {name}: {error}") from None


def _read(argument: str) -> SourceText:
    """Read `NODE=FILE`, `FILE`, or `-` for standard input. Raises NotConvertibleError."""
    node, equals, name = argument.partition("=")
    if not equals or check_name(node) or Path(argument).exists():
        node, name = "", argument
    try:
        with click.open_file(name, encoding="utf-8") as file:
            return SourceText(name, file.read(), node)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.reason
        raise NotConvertibleError(f"can't read {name}: {reason}") from None


def _sealed(connection: Connection, conversion: Conversion, key_file: Path | None) -> Lunmap:
    """Return the map with the passwords of the files, sealed. Raises NoKeyError and errors of the session."""
    with connection.client() as client:
        cluster = client.read().cluster
    vault = Vault(cluster, keyfile.read_keys(key_file or configured_key_file(connection.config)))

    def seal(path: str, field: str, chap: Chap) -> Chap:
        secret = conversion.passwords.get((path, field))
        nonce = secrets.token_bytes(NONCE_BYTES)
        return chap if secret is None else Chap(chap.user, vault.seal(path, field, secret, nonce))

    return change_credentials(conversion.lunmap, seal)


def _echo_json(conversion: Conversion, problems: tuple[Problem, ...], moves: tuple[NodeMove, ...]) -> None:
    echo_json(
        {
            "map": msgspec.to_builtins(conversion.lunmap),
            "report": conversion.remarks,
            "problems": [{"place": list(each.place), "message": each.message} for each in problems],
            "moves": [{**msgspec.structs.asdict(move), "disruption": move.disruption.word} for move in moves],
        }
    )


def _echo_report(conversion: Conversion, problems: tuple[Problem, ...], moves: tuple[NodeMove, ...]) -> None:
    if conversion.lunmap.targets:
        echo(*_map_lines(conversion.lunmap))
    echo(*map(_line, conversion.remarks), err=True)
    echo(*(f"to mend before 'lunmapctl apply': {problem}" for problem in problems), err=True)
    if moves:
        echo("the move of the nodes, one after the other:", *move_lines(moves), err=True)


def _map_lines(lunmap: Lunmap) -> Iterator[str]:
    yield "# Made by 'lunmapctl convert'. 'lunmapctl apply -f' makes it the map of the cluster."
    if any(item.chap and not item.chap.password for item in lunmap.initiators.values()):
        yield "# CHAP passwords are missing: 'lunmapctl convert --seal' adds those that the files have."
    yield from mapfile.show_map(lunmap).removesuffix("\n").split("\n")


def _line(remark: Remark) -> str:
    return f"{remark.kind}: {remark.place}: {remark.text}"
