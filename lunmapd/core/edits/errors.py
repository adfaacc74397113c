"""Why an edit can't be made; each text ends with what to do."""

from lunmapd.core.base.errors import Exit, LunmapdError


class EditRefusedError(LunmapdError):
    """Root of the edits that do not fit the map."""

    exit_code = Exit.INVALID


class DiffersError(EditRefusedError):
    """An object with this name exists, and differs from the one that was asked for."""


class StillUsedError(EditRefusedError):
    """Other objects of the map use an object that should go."""


class MappedOtherwiseError(EditRefusedError):
    """A host sees the Lun in another way than was asked for."""


class ChoiceNeededError(EditRefusedError):
    """The map leaves open what was meant."""

    exit_code = Exit.USAGE


class BadAssignmentError(EditRefusedError):
    """A word is no assignment to a field that may be set."""

    exit_code = Exit.USAGE


class NoNumberLeftError(EditRefusedError):
    """Every number of a kind was used once."""
