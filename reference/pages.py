"""Every page that is written from the code. `python -m reference` writes them; a test holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from reference import api, commands, configuration, examples, house, rules

ROOT: Final = Path(__file__).parent.parent
_ADDING: Final = "docs/adding-a-rule.md"

PAGES: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        "docs/reference/configuration.md": configuration.page,
        "docs/reference/rules.md": rules.page,
        "docs/reference/commands.md": commands.page,
        "docs/reference/api.md": api.page,
        "docs/reference/house.md": lambda: house.page(ROOT),
        _ADDING: lambda: examples.with_files(ROOT / _ADDING, ROOT),
    }
)


def pages() -> dict[Path, str]:
    """Every page that is written from the code, by its place below the repository's root, as it should read."""
    return {Path(place): page() for place, page in PAGES.items()}
