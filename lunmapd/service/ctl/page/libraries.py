"""The libraries that only the page needs; an installation may lack them."""

import importlib.util

from lunmapd.core.base.errors import LunmapdError


class PageLibrariesError(LunmapdError):
    """Jinja2 or waitress is not installed."""


def check_libraries(*names: str) -> None:
    """Check that these libraries are installed. Raises PageLibrariesError."""
    if missing := [name for name in names if importlib.util.find_spec(name) is None]:
        packages = " ".join(f"python3-{name}" for name in missing)
        raise PageLibrariesError(
            f"pages need a library: apt install {packages}, or pip install 'lunmapd[page]'"
        )
