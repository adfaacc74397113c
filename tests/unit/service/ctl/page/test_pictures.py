"""The pictures of pages in the documents show the pages as they are."""

from pathlib import Path

import pytest

from support.page_pictures import PAGE_PICTURES, PagePicture, has_stamp

PICTURES = Path("docs/pictures")


@pytest.mark.parametrize("picture", PAGE_PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_of_the_page_as_it_is(picture: PagePicture) -> None:
    """It has the digest of the page's HTML, with its style: `make page-pictures` takes it anew."""
    assert has_stamp(PICTURES / f"{picture.name}.png", picture.digest())
