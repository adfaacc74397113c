"""The access file of a probe: its initiator name and its two CHAP passwords, readable by its owner only."""

from pathlib import Path

from msgspec import Struct

from lunmapd.core.base.errors import Exit, InvalidInputError, LunmapdError
from lunmapd.core.base.lunmap import Initiator
from lunmapd.core.base.password import Secret
from lunmapd.core.base.plain_values import read_values
from lunmapd.files import replace_named_file
from lunmapd.initiator.connection import InitiatorAccess
from lunmapd.store.session.secret_files import read_private

DEFAULT_ACCESS_FILE = Path("/etc/lunmapd/probe.yaml")
_HEAD = "# Who 'lunmapctl probe' logs in as. A reader of this file can read the Luns that are mapped to it.\n"


class AccessFileError(LunmapdError):
    """The access file can't be written, or belongs to another probe."""

    exit_code = Exit.UNUSABLE


class ProbeAccess(Struct, frozen=True):
    """A probe's name, its password, and that with which targets answer it."""

    initiator: str
    password: Secret
    mutual_password: Secret

    def as_in_map(self, initiator: Initiator) -> InitiatorAccess:
        """Return the access with the user names of the map."""
        chap, mutual = initiator.chap, initiator.mutual_chap
        return InitiatorAccess(
            self.initiator,
            "" if chap is None else chap.user,
            self.password,
            "" if mutual is None else mutual.user,
            self.mutual_password,
        )


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    """The file as it is written."""

    initiator: str
    password: str
    mutual_password: str = ""


def read_access(path: Path) -> ProbeAccess:
    """Read the file. Raises CredentialsError, and InvalidInputError with the line of each problem."""
    from lunmapd.core.map.source import YamlSource

    source = YamlSource(read_private(path).decode("utf-8", "replace"), str(path))
    content, problems = read_values({} if source.value is None else source.value, _File)
    if found := source.with_form(problems):
        raise InvalidInputError(found)
    return ProbeAccess(content.initiator, Secret(content.password), Secret(content.mutual_password))


def check_access_owner(path: Path, initiator: str) -> None:
    """Check that the file is of this probe, or absent. Raises AccessFileError, and as `read_access` does."""
    if path.exists() and (other := read_access(path).initiator) != initiator:
        raise AccessFileError(f"{path} belongs to {other}: name another file with '--access'")


def write_access(path: Path, access: ProbeAccess) -> None:
    """Write the file. Raises AccessFileError."""
    import yaml

    content = {
        "initiator": access.initiator,
        "password": access.password.text,
        "mutual_password": access.mutual_password.text,
    }
    text = _HEAD + str(yaml.safe_dump(content, sort_keys=False))
    try:
        replace_named_file(path, (text.encode(),))
    except OSError as error:
        raise AccessFileError(f"can't write {path}: {error.strerror or error}") from None
