"""`lunmapctl schema`: the JSON Schema of map files."""

import click

from lunmapd.core.map.file_schema import file_schema
from lunmapd.service.output import echo_json


@click.command()
def schema() -> None:
    """Print the JSON Schema of map files, for editors and other programs that know such schemas."""
    echo_json(file_schema())
