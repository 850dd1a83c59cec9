"""The reference of all metrics, as a document has it between its two marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from service.metrics._catalogue import OWN, Measure, Scope

BEGIN: Final = "<!-- metrics -->\n"
END: Final = "<!-- /metrics -->\n"

_HEAD: Final = "| metric | kind | labels | what it tells |\n| --- | --- | --- | --- |\n"
_TITLES: Final[Mapping[Scope, str]] = {
    "all": "### Of all processes together\n\n",
    "process": "### Of the process that is asked\n\n",
}


def referenced(page: str) -> str:
    """The page with a reference that is up to date; ValueError where it lacks the marks."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the page has no {BEGIN.strip()} and {END.strip()}, each on a line of its own")
    tables = "\n".join(_TITLES[scope] + _table(scope) for scope in _TITLES)
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


def _table(scope: Scope) -> str:
    return _HEAD + "".join(_row(measure) for measure in OWN if measure.scope == scope)


def _row(measure: Measure) -> str:
    labels = ", ".join(f"`{label}`" for label in measure.labels)
    return f"| `{measure.name}` | {measure.kind} | {labels} | {measure.help} |\n"
