"""The messages of the journal and the catalogue that explains them."""

import re
from pathlib import Path

from lunmapd.core.base.messages import Message, journal_fields

CATALOGUE = Path("packaging/journal/lunmapd.catalog").read_text()


def test_every_message_is_explained() -> None:
    """The catalogue has an entry for each message and none besides, each with a subject and a text."""
    entries = re.findall(
        r"^-- (\w+)\nSubject: .+\nDefined-By: lunmapd\nDocumentation: .+\n\n\S", CATALOGUE, re.MULTILINE
    )
    assert sorted(entries) == sorted(Message)
    assert CATALOGUE.count("\n-- ") == len(entries)


def test_fields_have_the_names_of_the_journal() -> None:
    """Values beside the text become journal fields, with lunmapd's prefix."""
    found = journal_fields(Message.CHANGED, revision=3, object="lun 1")
    assert found == {"MESSAGE_ID": Message.CHANGED, "LUNMAPD_REVISION": "3", "LUNMAPD_OBJECT": "lun 1"}
