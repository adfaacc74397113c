"""The settings file, /etc/lunmapd/lunmapd.yaml. Unknown keys are refused; each problem has its line."""

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from msgspec import Struct, field

from lunmapd.agent.loop.policy import BEAT, DAY, Policy
from lunmapd.core.base.disruption import DISRUPTION_WORDS, Disruption
from lunmapd.core.base.errors import InvalidInputError, LunmapdError, Place, Problem, UnusableFilesError
from lunmapd.core.base.names import check_name
from lunmapd.core.base.plain_values import read_values, related
from lunmapd.core.map.source import YamlSource, line_of
from lunmapd.core.planning.guard import RemovalLimits
from lunmapd.files import read_regular
from lunmapd.service import keyfile, zookeeper
from lunmapd.service.zookeeper import ZooKeeperSettings, check_seconds

_MAX_SIZE = 64 * 1024  # bytes of the file
_MAX_AGE = 3650 * DAY
_MAX_MINIMUM = 1_000_000

PlacedProblem = tuple[Place, str]


class IsolationSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The node disables its TPGs `after` so many seconds without contact to ZooKeeper."""

    after: float


class MetricsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The `address:port` at which Prometheus scrapes the node's metrics."""

    listen: str


REPAIR, REPORT = "repair", "report"


class DriftSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What lunmapd does about drift, for each class of LIO objects: `repair` or `report`."""

    storage_object: str = REPAIR
    target: str = REPAIR
    tpg: str = REPAIR
    lun: str = REPAIR
    acl: str = REPAIR
    mapped_lun: str = REPAIR
    portal: str = REPAIR
    enabled: str = REPAIR
    discovery_auth: str = REPAIR

    def reported(self) -> frozenset[str]:
        """Return the classes whose drift is only reported."""
        return frozenset(name for name in self.__struct_fields__ if getattr(self, name) == REPORT)


def default_node() -> str:
    """Return the name of this machine without its domain."""
    return socket.gethostname().partition(".")[0]


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a node; times are in seconds. An absent key file has no keys.

    `resync` and `retry` are the times between passes: when converged, and while objects fail. The others are
    explained in agent/loop/policy.py and in lunmapd.yaml(5).
    """

    zookeeper: ZooKeeperSettings
    node: str = field(default_factory=default_node)
    state_dir: str = "/var/lib/lunmapd"
    key_file: str = str(keyfile.DEFAULT_KEY_FILE)
    resync: float = 60.0
    retry: float = 5.0
    full_read: float = 3600.0
    snapshot_max_age: float = 7.0 * DAY
    removal_limit: float = 0.25
    removal_minimum: int = 4
    isolation: IsolationSettings | None = None
    metrics: MetricsSettings | None = None
    allow: str = Disruption.DATA_UNREACHABLE.word
    drift: DriftSettings | str = REPAIR

    def policy(self) -> Policy:
        """Return the policy of the agent."""
        return Policy(
            limits=RemovalLimits(self.removal_limit, self.removal_minimum),
            isolate_after=None if self.isolation is None else self.isolation.after,
            snapshot_max_age=self.snapshot_max_age,
            full_read=self.full_read,
            resync=self.resync,
            audit=self.resync,
            beat=max(BEAT, self.resync),
            allow=DISRUPTION_WORDS[self.allow],
            retry=self.retry,
            report=_classes(self.drift).reported(),
        )


def _classes(drift: DriftSettings | str) -> DriftSettings:
    """Return the settings of all classes; one word stands for all of them."""
    return (
        drift
        if isinstance(drift, DriftSettings)
        else DriftSettings(*(drift for _ in DriftSettings.__struct_fields__))
    )


FileCheck = Callable[[Settings], Iterable[PlacedProblem]]


class SettingsUnreadableError(LunmapdError):
    """The settings file can't be read."""


def load_settings(path: Path) -> Settings:
    """Read the settings, and check the files that the session with ZooKeeper needs.

    Raises SettingsUnreadableError; InvalidInputError with every problem and its line; UnusableFilesError if
    all problems are of files.
    """
    return _load(path, _files)


def load_checked_settings(path: Path) -> Settings:
    """Read the settings, and check all files that they name, also the key file.

    Raises as `load_settings` does.
    """
    return _load(path, lambda settings: (*_files(settings), *_keys(settings)))


def _load(path: Path, of_files: FileCheck) -> Settings:
    try:
        data = read_regular(path, _MAX_SIZE)
    except OSError as error:
        raise SettingsUnreadableError(
            f"can't read the settings: {error}; 'man lunmapd.yaml' has an example"
        ) from None
    return _parse(_text(data, str(path)), str(path), of_files)


def parse_settings(text: str, name: str) -> Settings:
    """Parse settings from a YAML text; their files are not read.

    Raises InvalidInputError with every problem and its line.
    """
    return _parse(text, name, lambda _: ())


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        sentence = f"not UTF-8: byte 0x{data[error.start]:02x}"
        raise InvalidInputError([Problem((), sentence, f"{name}:{line}")]) from None


def _parse(text: str, name: str, of_files: FileCheck) -> Settings:
    """Parse settings and check their values and files.

    A problem that another one causes is not reported.
    """
    source = YamlSource(text, name)
    settings, wrong = read_values({} if source.value is None else source.value, Settings)
    reported = [*source.unusable, *(problem.about for problem in wrong)]
    values = _unrelated((*_empty_logins(source.value), *_values(settings)), reported)
    files = _unrelated(of_files(settings), [*reported, *(place for place, _ in values)])
    problems = [
        *source.with_form(wrong),
        *(source.problem(place, sentence) for place, sentence in (*values, *files)),
    ]
    if problems:
        kind = UnusableFilesError if len(problems) == len(files) else InvalidInputError
        raise kind(sorted(problems, key=line_of))
    assert isinstance(settings, Settings), "nothing is wrong with it"
    return settings


def _empty_logins(value: object) -> Iterator[PlacedProblem]:
    """Yield the sections for TLS and logins that have no keys: a session without them must not follow."""
    top = value if isinstance(value, dict) else {}
    section = top.get("zookeeper")
    for name in ("tls", "sasl", "digest"):
        if isinstance(section, dict) and section.get(name, "") is None:
            yield ("zookeeper", name), "it is empty: write its keys, or remove it"


def _unrelated(problems: Iterable[PlacedProblem], reported: Sequence[Place]) -> list[PlacedProblem]:
    return [(place, text) for place, text in problems if not any(related(place, old) for old in reported)]


def _files(settings: Settings) -> Iterator[PlacedProblem]:
    """Yield the problems of the files of the zookeeper section."""
    for place, sentence in zookeeper.file_problems(settings.zookeeper):
        yield ("zookeeper", *place), sentence


def _keys(settings: Settings) -> Iterator[PlacedProblem]:
    try:
        keyfile.read_keys(Path(settings.key_file))
    except keyfile.KeyFileError as error:
        yield ("key_file",), str(error)


def _values(settings: Settings) -> list[PlacedProblem]:
    problems: list[tuple[Place, str | None]] = [
        (("node",), check_name(settings.node)),
        *(
            ((name,), None if getattr(settings, name).startswith("/") else "must be an absolute path")
            for name in ("state_dir", "key_file")
        ),
        *(
            (("zookeeper", *place), sentence)
            for place, sentence in zookeeper.value_problems(settings.zookeeper)
        ),
        *(((name,), check_seconds(getattr(settings, name))) for name in ("resync", "retry", "full_read")),
        (("snapshot_max_age",), _check_age(settings)),
        (("removal_limit",), _check_range(settings.removal_limit, 0, 1)),
        (("removal_minimum",), _check_range(settings.removal_minimum, 0, _MAX_MINIMUM)),
        (
            ("allow",),
            _check_allow(settings.allow),
        ),
        *_check_drift(settings.drift),
        (("isolation", "after"), _check_isolation(settings)),
        (("metrics", "listen"), None if settings.metrics is None else _check_listen(settings.metrics.listen)),
    ]
    return [(place, sentence) for place, sentence in problems if sentence]


def _check_allow(allow: str) -> str | None:
    """Return what is wrong with the class, None if it may be a setting."""
    if allow == Disruption.OTHER_DATA.word:
        return (
            "no setting allows it: a host would write to another Lun without an error; "
            f"use 'lunmapctl override {allow} --lun LUN' for a single change"
        )
    words = [word for word in DISRUPTION_WORDS if word != Disruption.OTHER_DATA.word]
    return None if allow in words else f"must be one of {', '.join(words)}"


def _check_drift(drift: DriftSettings | str) -> Iterator[tuple[Place, str | None]]:
    if isinstance(drift, str):
        yield ("drift",), _check_word(drift)
        return
    for name in drift.__struct_fields__:
        yield ("drift", name), _check_word(getattr(drift, name))


def _check_word(word: str) -> str | None:
    return None if word in {REPAIR, REPORT} else f"must be {REPAIR} or {REPORT}"


def _check_listen(text: str) -> str | None:
    address, _, port = text.rpartition(":")
    try:
        in_brackets = isinstance(ip_address(address.strip("[]")), IPv6Address)
        good = address.startswith("[") == in_brackets and 0 < int(port) < 1 << 16
    except ValueError:
        good = False
    return None if good else f"{text!r} is not an address and a port: write 127.0.0.1:9810, or [::1]:9810"


def _check_isolation(settings: Settings) -> str | None:
    if settings.isolation is None:
        return None
    after, timeout = settings.isolation.after, settings.zookeeper.session_timeout
    if after <= timeout:
        return (
            f"{after:g} is not more than the session_timeout of {timeout:g}: a failing server would "
            "isolate the node"
        )
    return check_seconds(after)


def _check_age(settings: Settings) -> str | None:
    age, resync = settings.snapshot_max_age, settings.resync
    if 0 < age <= resync:
        return (
            f"{age:g} is not more than the resync of {resync:g}: the age of a snapshot is updated at each "
            "pass only; use 0 for never"
        )
    return _check_range(age, 0, _MAX_AGE)


def _check_range(value: float, least: int, most: int) -> str | None:
    return None if least <= value <= most else f"{value:g} is out of range: use {least} to {most}"
