"""`lunmapctl export`: the way out, to a tool that serves a node's part of the map without lunmapd."""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from lunmapd.core.adoption.export import Exported, export_saveconfig
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.lunmap import Lunmap, is_drained
from lunmapd.core.node import lio_objects
from lunmapd.core.node.projection.chap import add_credentials
from lunmapd.core.node.projection.leases import as_leased, as_opened
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.placement.leased_groups import floating_groups, takeover_luns, takeover_nodes
from lunmapd.core.secrets.sealing import Vault
from lunmapd.files import replace_named_file
from lunmapd.service import keyfile
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.secrets.options import key_file_option
from lunmapd.service.ctl.secrets.secret_keys import configured_key_file
from lunmapd.service.output import echo, echo_json
from lunmapd.store.tree.snapshot import Snapshot, effective_map


class ExportError(LunmapdError):
    """The node's part of the map can't be exported; the text says why."""


@click.command()
@click.argument("node")
@click.option(
    "--format", "_format", type=click.Choice(["saveconfig"]), default="saveconfig", show_default=True,
    help="The format: a saveconfig.json for targetctl.",
)  # fmt: skip
@click.option(
    "-f", "--file", type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file, readable by its owner only.",
)  # fmt: skip
@click.option("--with-passwords", is_flag=True, help="With --file: put the CHAP passwords in, in plain text.")
@key_file_option
@click.pass_obj
def export(
    connection: Connection,
    node: str,
    _format: str,
    file: Path | None,
    with_passwords: bool,
    key_file: Path | None,
) -> None:
    """Write what NODE serves by the map as a file of another tool, which serves the same without lunmapd.

    What the format can't express is named on standard error, and so are missing passwords.
    """
    if with_passwords and file is None:
        raise click.UsageError("--with-passwords needs --file")
    with connection.client() as client:
        snapshot = client.read()
    lunmap = exported_map(snapshot, node)
    made = export_saveconfig(exported_objects(lunmap, node))
    losses = (*made.losses, *_passwords(lunmap, made))
    if with_passwords:
        keys = keyfile.read_keys(key_file or configured_key_file(connection.config))
        made = _with_passwords(lunmap, node, Vault(snapshot.cluster, keys))
        losses = made.losses
    _write(made, file)
    losses = (*losses, *missing_groups(lunmap, node))
    echo(*(f"lunmapctl: not in the file: {loss}" for loss in losses), err=True)


def exported_map(snapshot: Snapshot, node: str) -> Lunmap:
    """Return the effective map, which nodes apply. Raises ExportError without the node or a document."""
    if unreadable := next(iter(snapshot.unreadable.items()), None):
        raise ExportError(f"{unreadable[0]} can't be read, and would be missing: {unreadable[1]}")
    lunmap = effective_map(snapshot)
    if node not in lunmap.nodes:
        raise ExportError(f"the map has no node {node!r}; 'lunmapctl get nodes' lists them")
    return lunmap


def exported_objects(lunmap: Lunmap, node: str) -> lio_objects.DesiredObjects:
    """Return the objects of a node without leases: it owns no floating group.

    The first node of a list of preferred nodes that is not drained keeps its Luns optimized.
    """
    preferred = {
        name
        for group, names in takeover_luns(lunmap).items()
        if _first(lunmap, takeover_nodes(group)) == node
        for name in names
    }
    return as_opened(as_leased(project_map(lunmap, node), frozenset()), preferred)


def _first(lunmap: Lunmap, nodes: tuple[str, ...]) -> str:
    return next((node for node in nodes if not is_drained(lunmap, node)), nodes[0])


def missing_groups(lunmap: Lunmap, node: str) -> Iterator[str]:
    """Yield what is missing of the floating groups and takeover groups that the node may own."""
    for taken_over in takeover_luns(lunmap):
        nodes = takeover_nodes(taken_over)
        if node in nodes:
            yield (
                f"the takeover of the Luns of {taken_over.target} that prefer {', '.join(nodes)}: they are "
                f"optimized on {_first(lunmap, nodes)} alone, and stay so when it fails"
            )
    for iqn, name, group in floating_groups(lunmap):
        if node in group.nodes:
            yield (
                f"the address of floating group {name}: TPG {group.tpg_tag} of {iqn} is disabled there; "
                "give one node the address, and enable it there alone"
            )


def _passwords(lunmap: Lunmap, made: Exported) -> Iterator[str]:
    """Yield the credentials that a file without passwords lacks."""
    for initiator in made.initiators:
        if lunmap.initiators[initiator].chap is not None:
            yield f"the CHAP credentials of {initiator}: see --with-passwords"
    if made.has_discovery_chap:
        yield "the CHAP credentials of discovery, which is refused without them: see --with-passwords"


def _with_passwords(lunmap: Lunmap, node: str, vault: Vault) -> Exported:
    """Export the node with its passwords. Raises ExportError if one of them can't be opened."""
    objects, failures = add_credentials(exported_objects(lunmap, node), {}, lunmap, node, vault)
    for key, failure in failures.items():
        raise ExportError(f"{lio_objects.show_key(key)}: {failure.message}")
    return export_saveconfig(objects)


def _write(made: Exported, file: Path | None) -> None:
    if file is None:
        echo_json(made.content)
        return
    try:
        replace_named_file(file, [msgspec.json.format(msgspec.json.encode(made.content)), b"\n"])
    except OSError as error:
        raise ExportError(f"can't write {file}: {error.strerror}") from error
    echo(f"wrote {file}")
