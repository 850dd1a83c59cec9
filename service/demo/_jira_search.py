"""The part of JQL that the stand-in Jira understands."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from service.demo._jira_site import STATUSES, JiraError, JiraIssue, JiraSite

_TOKEN: Final = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|>=|[=(),]|[^\s=(),>"'!<~]+)\s*""")
_AGO: Final = re.compile(r"-(\d{1,4})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class _Clause:
    name: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class _Jql:
    """What is understood of JQL: `field = x`, `field in (x, y)`, `created >= x`, joined by AND, and an order."""

    clauses: tuple[_Clause, ...]
    order: tuple[tuple[str, bool], ...]


def _read_jql(jql: str) -> _Jql:
    tokens = _tokens_of(jql)
    words = [token.lower() for token in tokens]
    cut = next((place for place, pair in enumerate(itertools.pairwise(words)) if pair == ("order", "by")), len(words))
    clauses = [_clause_of(part) for part in _split(tokens[:cut], "and")] if cut else []
    order = [_order_of(part) for part in _split(words[cut + 2 :], ",")] if cut < len(words) else []
    return _Jql(tuple(clauses), tuple(order))


def _tokens_of(jql: str) -> list[str]:
    tokens, place = [], 0
    while place < len(jql):
        found = _TOKEN.match(jql, place)
        if found is None:
            raise _bad_jql(f"the character {place + 1} is not expected")
        tokens.append(found[1])
        place = found.end()
    return tokens


def _split(tokens: list[str], separator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token.lower() == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _clause_of(tokens: list[str]) -> _Clause:
    match tokens:
        case [name, ("=" | ">=") as operator, value]:
            clause = _Clause(name.lower(), operator, (_unquoted(value),))
        case [name, word, "(", *items, ")"] if word.lower() == "in" and len(items) % 2 and {*items[1::2]} <= {","}:
            clause = _Clause(name.lower(), "=", tuple(_unquoted(value) for value in items[::2]))
        case _:
            raise _bad_jql(f"“{' '.join(tokens)}” is not a condition that this stand-in knows")
    if clause.name not in (_DATES if clause.operator == ">=" else {*_FINDERS, "labels"}):
        raise _bad_jql(f"field “{clause.name}” with this operator is not known to this stand-in")
    return clause


def _order_of(words: list[str]) -> tuple[str, bool]:
    match words:
        case [("rank" | "updated" | "created" | "key") as name]:
            return name, False
        case [("rank" | "updated" | "created" | "key") as name, ("asc" | "desc") as direction]:
            return name, direction == "desc"
    raise _bad_jql("the order is not one that this stand-in knows")


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1]) if token[0] in "\"'" else token


def _bad_jql(why: str) -> JiraError:
    return JiraError(400, f"Error in the JQL Query: {why}.")


def find_issues(site: JiraSite, jql: str, zone: str) -> list[JiraIssue]:
    """The matching issues. zone: IANA name of the caller's profile zone, which dates in JQL are read in."""
    query = _read_jql(jql)
    if site.is_cloud and not query.clauses:
        raise JiraError(
            400, "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
        )
    found = site.in_rank_order()
    for clause in query.clauses:
        matches = _matcher(site, clause, zone)
        found = [issue for issue in found if matches(issue)]
    for name, is_descending in reversed(query.order):
        found.sort(key=partial(_sort_key, site, name), reverse=is_descending)
    return found


def _sort_key(site: JiraSite, name: str, issue: JiraIssue) -> tuple[Any, ...]:
    if name == "rank":
        return (site.ranked.index(issue.key),)
    project, _, number = issue.key.rpartition("-")
    return (_DATES[name](issue),) if name in _DATES else (project, int(number))


def _matcher(site: JiraSite, clause: _Clause, zone: str) -> Callable[[JiraIssue], bool]:
    if clause.name in _DATES:
        since = _instant_in_jql(clause, site.clock(), ZoneInfo(zone))
        return lambda issue: _DATES[clause.name](issue).timestamp() >= since
    if clause.name == "labels":
        return lambda issue: not set(clause.values).isdisjoint(issue.labels)
    known, of_issue = _FINDERS[clause.name]
    names = known(site)
    for value in clause.values:
        if value.casefold() not in names:
            raise JiraError(400, f"The value '{value}' does not exist for the field '{clause.name}'.")
    targets = {names[value.casefold()] for value in clause.values}
    return lambda issue: not targets.isdisjoint(of_issue(issue))


def _sprint_names(site: JiraSite) -> dict[str, Any]:
    return {name: one.id for one in site.sprints.values() for name in (one.name.casefold(), str(one.id))}


_FINDERS: Final[dict[str, tuple[Callable[[JiraSite], dict[str, Any]], Callable[[JiraIssue], Iterable[Any]]]]] = {
    "project": (lambda site: {key.casefold(): key for key in site.projects}, lambda issue: [issue.project]),
    "sprint": (_sprint_names, lambda issue: issue.sprints),
    "status": (lambda _: {name.casefold(): name for name in STATUSES}, lambda issue: [issue.status]),
    "key": (lambda site: {key.casefold(): key for key in site.issues}, lambda issue: [issue.key]),
}
"""By JQL field: the values it may take, by name in lower case, and those that an issue has. Labels may be any."""

_DATES: Final[dict[str, Callable[[JiraIssue], datetime]]] = {
    "updated": lambda issue: issue.updated,
    "created": lambda issue: issue.created,
}


def _instant_in_jql(clause: _Clause, now: datetime, zone: ZoneInfo) -> float:
    """A date literal as epoch seconds."""
    value = clause.values[0]
    if ago := _AGO.fullmatch(value):
        return (now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).timestamp()
    for form in ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d"):
        try:
            return datetime.strptime(value, form).replace(tzinfo=zone).timestamp()
        except (ValueError, OverflowError):
            continue
    raise _bad_jql(f"Date value '{value}' for field '{clause.name}' is invalid")
