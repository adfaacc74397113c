"""Edits of CHAP passwords: one of them, or those of a table in CSV."""

import csv
from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec import Struct

from lunmapd.core.base.errors import InvalidInputError, LunmapdError, Problem
from lunmapd.core.base.lunmap import Chap, Lunmap
from lunmapd.core.base.names import check_chap_user
from lunmapd.core.base.password import Secret
from lunmapd.core.edits.errors import DiffersError
from lunmapd.core.map.credentials import (
    CHAP,
    MUTUAL,
    credentials_at,
    initiator_path,
    set_credentials,
)
from lunmapd.core.map.short_names import find_name
from lunmapd.core.secrets.sealing import (
    NONCE_BYTES,
    SecretError,
    UnfitPasswordError,
    Vault,
    check_password,
)

COLUMNS = ("initiator", "user", "password", "mutual_user", "mutual_password")
_SHORT_ROW = 3
_EXPECTED = f"expected {','.join(COLUMNS[:_SHORT_ROW])}, and for mutual CHAP {','.join(COLUMNS[_SHORT_ROW:])}"
_NO_HOST = (
    "the map has no initiator of this name or alias, which is not shown: in a wrong column it could be a "
    f"password ({_EXPECTED})"
)


class GivenPassword(NamedTuple):
    """A user and a password in the clear, for a field of an initiator or a node (`credentials.CHAP`, ...)."""

    field: str
    user: str
    password: Secret


class Sealer(Struct, frozen=True):
    """Seals passwords; `new_nonce(count)` returns so many random bytes."""

    vault: Vault
    new_nonce: Callable[[int], bytes]

    def seal(self, path: str, given: GivenPassword) -> Chap:
        """Return the credentials of a path of the map, with the password sealed."""
        nonce = self.new_nonce(NONCE_BYTES)
        return Chap(given.user, self.vault.seal(path, given.field, given.password, nonce))

    def has(self, path: str, given: GivenPassword, there: Chap) -> bool:
        """Return whether the credentials of a path are these."""
        return there.user == given.user and self.opened(path, given.field, there) == given.password

    def opened(self, path: str, field: str, chap: Chap) -> Secret | None:
        """Return a password of the map, None if it can't be opened."""
        try:
            return self.vault.open(path, field, chap.password)
        except SecretError:
            return None


def put_password(lunmap: Lunmap, path: str, given: GivenPassword, sealer: Sealer) -> Lunmap:
    """Return the map with these credentials at `path`.

    It is the same map if it has them, sealed with the current key. Raises NoSuchObjectError,
    NoFirstPasswordError, and UnfitPasswordError if the other direction has the same password.
    """
    there = credentials_at(lunmap, path).get(given.field)
    current = f"v1:{sealer.vault.keyring.current}:"
    if there is not None and there.password.startswith(current) and sealer.has(path, given, there):
        return lunmap
    after = set_credentials(lunmap, path, given.field, sealer.seal(path, given))
    _check_pair(after, path, given.password, sealer)
    return after


def _check_pair(lunmap: Lunmap, path: str, password: Secret, sealer: Sealer) -> None:
    """Refuse one password for both directions: a peer could reflect the challenge (RFC 7143, 12.1.3)."""
    found = credentials_at(lunmap, path).items()
    if sum(sealer.opened(path, field, chap) == password for field, chap in found) > 1:
        raise UnfitPasswordError("the passwords of the two directions must differ")


def add_password(lunmap: Lunmap, iqn: str, given: GivenPassword, sealer: Sealer) -> Lunmap:
    """Return the map in which an initiator without a CHAP password has this one.

    Raises DiffersError if it has another.
    """
    path, there = initiator_path(iqn), lunmap.initiators[iqn].chap
    if there is None:
        return put_password(lunmap, path, given, sealer)
    if not sealer.has(path, given, there):
        raise DiffersError(
            f"{path} has another CHAP password already: 'lunmapctl secret set {iqn} --user {given.user}' "
            "sets a new one"
        )
    return lunmap


class PasswordRow(Struct, frozen=True):
    """A row of a table: `host` is a name as in `host set`; `passwords` are for it."""

    source: str
    host: str
    passwords: tuple[GivenPassword, ...]


class PasswordTable(Struct, frozen=True):
    """The rows of a table that have the right form, and the problems of the others."""

    rows: tuple[PasswordRow, ...]
    problems: tuple[Problem, ...]


def read_password_table(text: str, name: str) -> PasswordTable:
    """Read CSV with the columns of COLUMNS, of which the last two may be omitted; the first line names them.

    Without that line a password in the column of the users would be stored as a user, which anybody may read.
    `name` is that of the file, for problems. They quote no cell of the table but the name of a host of the
    map: in a wrong column it could be a password.
    """
    lines = [(f"{name}:{number}", line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    first, head = lines[0] if lines else (f"{name}:1", "")
    columns = tuple(cell.strip(' "').lower() for cell in head.split(","))
    if columns not in {COLUMNS, COLUMNS[:_SHORT_ROW]}:
        sentence = f"the first line must name the columns: {_EXPECTED}"
        return PasswordTable((), (Problem(("line",), sentence, first),))
    rows: list[PasswordRow] = []
    problems: list[Problem] = []
    for source, line in lines[1:]:
        found = list(_read_row(source, line, len(columns)))
        problems.extend(each for each in found if isinstance(each, Problem))
        rows.extend(each for each in found if isinstance(each, PasswordRow))
    return PasswordTable(tuple(rows), tuple(problems))


def _read_row(source: str, line: str, columns: int) -> Iterator[PasswordRow | Problem]:
    """Yield the row of a line, or its problems; the table has so many `columns`."""
    try:
        (cells,) = csv.reader([line], strict=True)
    except csv.Error as error:
        yield Problem(("line",), f"not CSV: {error}", source)
        return
    if len(cells) not in {_SHORT_ROW, columns}:
        yield Problem(("line",), f"it has {len(cells)} columns: {_EXPECTED}", source)
        return
    host, user, password, *mutual = cells
    given = [GivenPassword(CHAP, user.strip(), Secret(password))]
    if any(mutual):
        given.append(GivenPassword(MUTUAL, mutual[0].strip(), Secret(mutual[1])))
    problems = [Problem((column,), text, source) for each in given for column, text in _unfit(each)]
    yield from problems
    if not problems:
        yield PasswordRow(source, host.strip(), tuple(given))


def _unfit(given: GivenPassword) -> Iterator[tuple[str, str]]:
    """Yield the column of a wrong user or password, and the reason."""
    prefix = "mutual_" if given.field == MUTUAL else ""
    if check_chap_user(given.user):
        yield f"{prefix}user", "not a CHAP user: use ASCII letters without spaces, not starting with NULL"
    if sentence := check_password(given.password):
        yield f"{prefix}password", sentence


def import_passwords(lunmap: Lunmap, table: PasswordTable, sealer: Sealer) -> Lunmap:
    """Return the map with the passwords of a table.

    Raises InvalidInputError with the problems of all its lines.
    """
    problems, seen = list(table.problems), dict[str, str]()
    for row in table.rows:
        try:
            if not (iqn := find_name(row.host, lunmap.initiators)):
                problems.append(Problem(("initiator",), _NO_HOST, row.source))
                continue
            for given in row.passwords:
                lunmap = put_password(lunmap, initiator_path(iqn), given, sealer)
        except LunmapdError as error:
            problems.append(Problem(("initiators", row.host), str(error), row.source))
            continue
        if iqn in seen:
            problems.append(Problem(("initiators", iqn), f"also in {seen[iqn]}: leave one out", row.source))
        seen[iqn] = row.source
    if problems:
        raise InvalidInputError(sorted(problems, key=_line_number))
    return lunmap


def _line_number(problem: Problem) -> int:
    return int(problem.source.rpartition(":")[2])
