"""The settings file, /etc/lunmapd/lunmapd.yaml: every key checked, unknown keys refused, each problem with its line."""

import socket
from pathlib import Path

from msgspec import Struct, field

from lunmapd.core.documents import DocumentError, convert
from lunmapd.core.errors import InvalidInputError, LunmapdError, Place
from lunmapd.core.names import check_name
from lunmapd.core.source import Source
from lunmapd.service import zookeeper
from lunmapd.service.zookeeper import ZooKeeper, check_seconds

DEFAULT_PATH = Path("/etc/lunmapd/lunmapd.yaml")


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """What a node needs to know. `resync` and `retry` are seconds between passes: at rest, and while something fails."""

    zookeeper: ZooKeeper
    node: str = field(default_factory=lambda: socket.gethostname().partition(".")[0])
    state_dir: str = "/var/lib/lunmapd"
    resync: float = 60.0
    retry: float = 5.0


class SettingsUnreadableError(LunmapdError):
    """The settings file can't be read."""


def load(path: Path) -> Settings:
    """Read the settings, and check the files that they name.

    Raises SettingsUnreadableError, and InvalidInputError with every problem and its line.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsUnreadableError(
            f"can't read the settings: {error}; see config/lunmapd.yaml for an example"
        ) from None
    settings, source = _parse(text, str(path))
    found = zookeeper.file_problems(settings.zookeeper)
    if problems := [source.problem(("zookeeper", *place), sentence) for place, sentence in found]:
        raise InvalidInputError(problems)
    return settings


def parse(text: str, name: str) -> Settings:
    """Read settings from YAML text, no other file. Raises InvalidInputError with every problem and its line."""
    return _parse(text, name)[0]


def _parse(text: str, name: str) -> tuple[Settings, Source]:
    source = Source(text, name)
    problems = list(source.problems)
    if not problems:
        try:
            settings = convert({} if source.value is None else source.value, Settings)
        except DocumentError as error:
            problems.append(source.problem(error.place, error.reason))
        else:
            problems += [source.problem(place, sentence) for place, sentence in _values(settings)]
    if problems:
        raise InvalidInputError(problems)
    return settings, source


def _values(settings: Settings) -> list[tuple[Place, str]]:
    found: list[tuple[Place, str | None]] = [
        (("node",), check_name(settings.node)),
        (("state_dir",), None if settings.state_dir.startswith("/") else "must be an absolute path"),
        *((("zookeeper", *place), sentence) for place, sentence in zookeeper.problems(settings.zookeeper)),
        *(((name,), check_seconds(getattr(settings, name))) for name in ("resync", "retry")),
    ]
    return [(place, sentence) for place, sentence in found if sentence]
