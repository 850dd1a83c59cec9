"""What a person is known by, and texts and JSON values without it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import msgspec

from service.errors import CraftyError
from service.facts import Person, Team

SOMEBODY: Final = "somebody"
"""What a forgotten person is called."""

SYSTEMS: Final = ("jira", "mattermost", "discourse", "github", "gitlab")

_SHORTEST: Final = 2
_PERSON: Final = frozenset(Person.__struct_fields__)
"""The keys that a stored Person may have."""

_ACCOUNT_KEYS: Final = {
    "jira": ("accountId", "key", "name"),
    "discourse": ("username",),
    "github": ("login",),
    "gitlab": ("username",),
}
"""Where each source's payloads name an account."""

_NAME_KEYS: Final = ("displayName", "name", "key", "username", "login", "emailAddress", "email", "jira_key")
"""Where payloads, and what is stored of a person, name its holder."""

_OURS: Final = {
    *("event", "kind", "mode", "outcome", "result", "rule", "stage", "type"),
    *("cell", "contribution", "key", "subject", "ticket"),
}
"""Keys of which the values are words of the program or names of things, whatever people are called."""


class UnclearError(CraftyError):
    """It can't be told who is meant."""


@dataclass(frozen=True)
class Traces:
    """Somebody, and all that they are called. words: names, accounts and addresses that are looked for in texts."""

    person: Person
    words: frozenset[str]

    def known_also(self, words: Iterable[str]) -> Traces:
        """The same person with more that they are called."""
        return replace(self, words=self.words | {word for word in words if len(word) >= _SHORTEST})

    def are_in(self, value: Any) -> bool:
        """Whether a text, or a JSON value, speaks of the person."""
        return any(self._pattern.search(text) for text in _texts(value))

    def without(self, value: Any) -> Any:
        """A text, or a JSON value, in which the person is somebody; what they wrote is left out."""
        match value:
            case str():
                return self._pattern.sub(SOMEBODY, value)
            case list():
                return [self.without(one) for one in value]
            case dict():
                return self._table_without(value)
            case _:
                return value

    def learned(self, value: Any, source: str) -> Iterator[str]:
        """What else the person is called in a payload of that source, or in a value that is stored ("")."""
        for table in _tables(value):
            if self._holds_account(table, source) if source else self._are_of(table):
                yield from (table[name] for name in _NAME_KEYS if isinstance(table.get(name), str))

    def is_aimed_at(self, payload: Any) -> bool:
        """Whether an action is for the person alone: a message, an assignment."""
        named = [payload.get(role) for role in ("person", "assignee")] if isinstance(payload, dict) else []
        return any(isinstance(one, dict) and self._are_of(one) for one in named)

    def _table_without(self, table: Mapping[str, Any]) -> dict[str, Any]:
        if self._are_of(table):
            return {"name": SOMEBODY}
        if _person_from(table) and len(table) > 1:
            return dict(table)
        found = {name: one if name in _OURS else self._named_without(name, one) for name, one in table.items()}
        doer = table.get("by") or table.get("author")
        if not (isinstance(doer, dict) and self._are_of(doer)):
            return found
        found |= {"text": ""} if "text" in table else {}
        return found | ({"is_member": True} if "what" in table and self.person.is_member else {})

    def _named_without(self, name: str, value: Any) -> Any:
        """Ids of the configuration are "" for strangers."""
        found = self.without(value)
        return "" if name.endswith("_id") and found == SOMEBODY else found

    def _are_of(self, table: Mapping[str, Any]) -> bool:
        """Whether that is a Person as it is stored, and this one; of those without any account the name tells."""
        stored = _person_from(table)
        if stored is None:
            return False
        if not stored.accounts and stored.mattermost is None:
            return self._pattern.fullmatch(stored.name) is not None
        is_same_in_chat = stored.mattermost is not None and stored.mattermost == self.person.mattermost
        return is_same_in_chat or stored.is_same(self.person) or stored.jira_key in self.words

    def _holds_account(self, table: Mapping[str, Any], source: str) -> bool:
        if source == "jira" and "displayName" not in table:
            return False
        named = (table.get(name) for name in _ACCOUNT_KEYS.get(source, ()))
        return any((source, _folded(source, one)) in self.person.accounts for one in named if isinstance(one, str))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Whole words only; a dash or a dot joins: Ann is in `@ann:`, and not in `Anne`, `ann-b` or `ann.b`."""
        words = "|".join(re.escape(word) for word in sorted(self.words, key=len, reverse=True))
        return re.compile(rf"(?<!\w)(?<!\w[-.])(?:{words})(?![-.]?\w)", re.IGNORECASE)


def traces_of(team: Team, named: str) -> Traces:
    """Who is meant by an id of the configuration, an account (`sam-gh`), or one of a system (`github:sam-gh`).

    An account that no member has is a stranger's. Raises UnclearError where several members have it, and where it is
    too short to be told from other words.
    """
    if len(named) < _SHORTEST:
        raise UnclearError(f"“{named}” is too short to be told from other words.")
    person = _member(team, named) or _stranger(named)
    words = (person.id, person.name, person.jira, *(getattr(person, system) for system in SYSTEMS))
    return Traces(person, frozenset()).known_also(filter(None, words))


def _member(team: Team, named: str) -> Person | None:
    system, account = _split(named)
    systems = (system,) if system else SYSTEMS
    found = [one for one in team.members if not system and one.id == named]
    found = found or [one for one in team.members if account in {getattr(one, place) for place in systems}]
    if len(found) > 1:
        choices = " or ".join(one.id for one in found)
        raise UnclearError(f"“{named}” is an account of several people: name one of them by id, {choices}.")
    return found[0] if found else None


def _stranger(named: str) -> Person:
    system, account = _split(named)
    accounts = dict.fromkeys((system,) if system else SYSTEMS, account)
    return msgspec.convert({"name": account, **accounts}, Person)


def _person_from(table: Mapping[str, Any]) -> Person | None:
    """The Person that was stored as this table, without what is empty; None where it is something else."""
    if "name" not in table or not table.keys() <= _PERSON:
        return None
    try:
        return msgspec.convert(table, Person)
    except msgspec.ValidationError:
        return None


def _split(named: str) -> tuple[str, str]:
    """The system, "" where none is named, and the account; accounts of Jira's have colons of their own."""
    system, _, account = named.partition(":")
    return (system, account) if system in SYSTEMS and account else ("", named)


def _folded(source: str, account: str) -> str:
    return account if source == "jira" else account.casefold()


def _tables(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every JSON object in a value."""
    return (one for one in _parts(value) if isinstance(one, dict))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, names of fields too."""
    return (one for one in _parts(value) if isinstance(one, str))


def _parts(value: Any) -> Iterator[Any]:
    """The value and all that is in it, however deep it nests."""
    left = [value]
    while left:
        one = left.pop()
        yield one
        if isinstance(one, dict):
            left.extend((*one, *one.values()))
        elif isinstance(one, list):
            left.extend(one)
