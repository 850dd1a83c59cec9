"""Where the links of a page lead on the documentation's site, which holds `docs` and some pages of the root."""

from __future__ import annotations

import re
from posixpath import dirname, join, normpath, relpath
from types import MappingProxyType
from typing import Final

ROOT_PAGES: Final = MappingProxyType(
    {
        "CHANGELOG.md": "changelog.md",
        "CONTRIBUTING.md": "contributing.md",
        "CODE_OF_CONDUCT.md": "code-of-conduct.md",
        "SUPPORT.md": "support.md",
    }
)
"""Pages that people look for at the root of a repository, and their place on the site."""

_LINK: Final = re.compile(r"(?<!!)\[(?P<text>[^]]*)]\((?P<target>(?!https?:|mailto:|#)[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def source_of(place: str) -> str:
    """The file, from the repository's root, of the page that stands at this place of the site."""
    return next((source for source, at in ROOT_PAGES.items() if at == place), f"docs/{place}")


def targets(markdown: str, source: str) -> list[str]:
    """Every file and folder of the repository that a page links to. source: the page's own file; all from the root."""
    return [_target(link, source) for link in _LINK.finditer(markdown)]


def for_site(markdown: str, place: str) -> str:
    """The page at this place with links that work on the site; one that leaves the site becomes its words."""
    return _LINK.sub(lambda link: _leading(link, place), markdown)


def _target(link: re.Match[str], source: str) -> str:
    return normpath(join(dirname(source), link["target"]))


def _leading(link: re.Match[str], place: str) -> str:
    target = _target(link, source_of(place))
    inside = ROOT_PAGES.get(target) or target.removeprefix("docs/")
    if inside == target:
        return link["text"]
    return f"[{link['text']}]({relpath(inside, dirname(place) or '.')}{link['anchor'] or ''})"
