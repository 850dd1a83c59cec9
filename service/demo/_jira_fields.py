"""The fields of the stand-in Jira's issues: how each is shown, logged and set."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Final

from service.demo._jira_markup import FieldError, Json, document_of, wiki_of_document
from service.demo._jira_site import KINDS, Flavour, JiraSite, UnknownNameError
from service.demo._jira_views import (
    STATUS_IDS,
    address_of,
    id_of,
    show_kind,
    show_other,
    show_person,
    show_sprint_text,
    show_sprint_value,
    show_status,
)

Trace = tuple[str | None, str | None]
"""A changelog's id and words for a value."""

SPRINT_FIELD: Final = "customfield_10020"
EPIC_LINK_FIELD: Final = "customfield_10014"
STORY_POINTS_FIELD: Final = "customfield_10026"
REVIEWER_FIELD: Final = "customfield_10031"
CORE_COMMITTER_FIELD: Final = "customfield_10032"
FLAGGED_FIELD: Final = "customfield_10021"
RANK_FIELD: Final = "customfield_10019"


def read_body(raw: Any, version: int) -> str:
    """The wiki markup of a body that a request sends; raises FieldError for the wrong format."""
    if version == 3:
        return wiki_of_document(raw)
    if not isinstance(raw, str):
        raise FieldError("Operation value must be a string")
    return raw


@dataclass(frozen=True)
class _Shape:
    """How one kind of field is shown, logged and set. version: of the REST API that the value goes to or comes from."""

    site: JiraSite
    version: int = 2

    schema: ClassVar[Json] = {"type": "string"}

    def show(self, value: Any) -> Any:
        """The JSON of a value; raises UnknownNameError for a name that is not there."""
        return value

    def trace(self, value: Any) -> Trace:
        return None, value

    def read(self, _: Any) -> Any:
        """The value that a request sets; raises FieldError for what Jira refuses."""
        raise FieldError("Field cannot be set. It is not on the appropriate screen, or unknown.")


class _Summary(_Shape):
    def read(self, raw: Any) -> str:
        if not isinstance(raw, str) or not raw.strip():
            raise FieldError("You must specify a summary of the issue.")
        if len(raw) > 255 or "\n" in raw:
            raise FieldError("The summary is invalid because it contains newline characters or is too long.")
        return raw


class _Markup(_Shape):
    def show(self, value: str | None) -> Any:
        return document_of(value, self.site.names) if value and self.version == 3 else value

    def read(self, raw: Any) -> str | None:
        return None if raw is None else read_body(raw, self.version)


class AccountField(_Shape):
    schema: ClassVar[Json] = {"type": "user"}

    def show(self, value: str | None) -> Json | None:
        return None if value is None else show_person(self.site, self.site.person(value))

    def trace(self, value: str | None) -> Trace:
        if value is None:
            return None, None
        person = self.site.person(value)
        return person.id if self.site.is_cloud else person.key, person.name

    def read(self, raw: Any) -> str | None:
        if raw is None:
            return None
        names = ("accountId", "id") if self.site.is_cloud else ("name", "key")
        given = [raw[name] for name in names if name in raw] if isinstance(raw, dict) else []
        if not given:
            raise FieldError(f"expected Object containing a '{names[0]}' property")
        return self._find(given[0])

    def _find(self, account: Any) -> str | None:
        """None for nobody and for "-1", which stands for the project's default assignee: here there is none."""
        if account is None or account == "-1":
            return None
        by_key = {person.key: person.id for person in self.site.people.values() if not self.site.is_cloud}
        try:
            return self.site.person(by_key.get(str(account), str(account))).id
        except UnknownNameError as error:
            raise FieldError(str(error)) from None


class _Number(_Shape):
    schema: ClassVar[Json] = {"type": "number"}

    def show(self, value: float | None) -> float | None:
        return None if value is None else float(value)

    def trace(self, value: float | None) -> Trace:
        return None, None if value is None else f"{value:g}"

    def read(self, raw: Any) -> float | None:
        if raw is None:
            return None
        if isinstance(raw, bool) or not isinstance(raw, int | float) or abs(raw) > 1e14:
            raise FieldError("Operation value must be a number")
        return float(raw)


class _Labels(_Shape):
    schema: ClassVar[Json] = {"type": "array", "items": "string"}

    def trace(self, value: list[str]) -> Trace:
        return None, " ".join(value)

    def read(self, raw: Any) -> list[str]:
        if not isinstance(raw, list) or not all(isinstance(label, str) for label in raw):
            raise FieldError("data was not an array")
        spaced = [label for label in raw if re.search(r"\s", label)]
        if spaced:
            raise FieldError(f"The label '{spaced[0]}' contains spaces which is invalid.")
        return list(dict.fromkeys(raw))


class _Flag(_Shape):
    schema: ClassVar[Json] = {"type": "array", "items": "option"}

    def show(self, value: bool) -> list[Json] | None:
        address = address_of(self.site, self.version, "customFieldOption/10019")
        return [{"self": address, "value": "Impediment", "id": "10019"}] if value else None

    def trace(self, value: bool) -> Trace:
        return ("[10019]", "Impediment") if value else ("", "")

    def read(self, raw: Any) -> bool:
        if raw is None or raw == []:
            return False
        if raw in ([{"value": "Impediment"}], [{"id": "10019"}]):
            return True
        raise FieldError("Specify a valid 'id' or 'name' for the checkbox field")


class _EpicKey(_Shape):
    """Data Center's Epic Link."""

    schema: ClassVar[Json] = {"type": "any"}

    def show(self, value: str | None) -> Any:
        return None if value is None else self.site.issue(value).key

    def trace(self, value: str | None) -> Trace:
        return (None, None) if value is None else (self.site.issue(value).id, value)

    def read(self, raw: Any) -> str | None:
        if raw is None:
            return None
        try:
            return self.site.issue(str(raw)).key
        except UnknownNameError as error:
            raise FieldError(str(error)) from None


class _Parent(_EpicKey):
    """Cloud's parent."""

    schema: ClassVar[Json] = {"type": "issuelink"}

    def show(self, value: str | None) -> Json | None:
        return None if value is None else show_other(self.site, value, self.version)

    def read(self, raw: Any) -> str | None:
        if raw is None:
            return None
        key = (raw.get("key") or raw.get("id")) if isinstance(raw, dict) else None
        if not key:
            raise FieldError("data was not an object with a key or an id")
        return super().read(key)


class SprintsField(_Shape):
    schema: ClassVar[Json] = {"type": "array", "items": "json"}

    def show(self, value: list[int]) -> list[Any] | None:
        show = show_sprint_value if self.site.is_cloud else show_sprint_text
        return [show(self.site, self.site.sprint(one)) for one in value] or None

    def trace(self, value: list[int]) -> Trace:
        return ", ".join(map(str, value)), ", ".join(self.site.sprint(one).name for one in value)


class _Kind(_Shape):
    schema: ClassVar[Json] = {"type": "issuetype"}

    def show(self, value: str) -> Json:
        return show_kind(self.site, value, self.version)

    def trace(self, value: str) -> Trace:
        return id_of(KINDS, value, "issue type"), value

    def read(self, raw: Any) -> str:
        wanted = raw if isinstance(raw, dict) else {}
        found = [name for name, kind_id in KINDS.items() if wanted.get("id") == kind_id or wanted.get("name") == name]
        if not found:
            raise FieldError("The issue type selected is invalid.")
        return found[0]


class _Status(_Shape):
    schema: ClassVar[Json] = {"type": "status"}

    def show(self, value: str) -> Json:
        return show_status(self.site, value, self.version)

    def trace(self, value: str) -> Trace:
        return id_of(STATUS_IDS, value, "status"), value


class _Date(_Shape):
    schema: ClassVar[Json] = {"type": "date"}

    def show(self, value: date | None) -> str | None:
        return None if value is None else value.isoformat()

    def trace(self, value: date | None) -> Trace:
        return self.show(value), None if value is None else f"{value} 00:00:00.0"

    def read(self, raw: Any) -> date | None:
        try:
            return None if raw is None else datetime.strptime(raw, "%Y-%m-%d").replace(tzinfo=UTC).date()
        except (ValueError, TypeError):
            raise FieldError("Error parsing date string") from None


class _Hours(_Shape):
    """Hours, shown as seconds. People set them by way of time tracking, which the bot does not."""

    schema: ClassVar[Json] = {"type": "number"}

    def show(self, value: float | None) -> int | None:
        return None if value is None else int(value * 3600)

    def trace(self, value: float | None) -> Trace:
        words = None if value is None else str(self.show(value))
        return words, words


@dataclass(frozen=True)
class JiraField:
    """A field. fact: its name here; id and name: those in Jira; custom: its type, "" for Jira's own fields."""

    fact: str
    id: str
    name: str
    shape: type[_Shape]
    custom: str = ""


_TYPES: Final = "com.atlassian.jira.plugin.system.customfieldtypes:"
_SOFTWARE: Final = "com.pyxis.greenhopper.jira:"
_FIELDS: Final = (
    JiraField("summary", "summary", "Summary", _Summary),
    JiraField("description", "description", "Description", _Markup),
    JiraField("kind", "issuetype", "Issue Type", _Kind),
    JiraField("status", "status", "Status", _Status),
    JiraField("assignee", "assignee", "Assignee", AccountField),
    JiraField("reporter", "reporter", "Reporter", AccountField),
    JiraField("labels", "labels", "Labels", _Labels),
    JiraField("due", "duedate", "Due date", _Date),
    JiraField("original_estimate", "timeoriginalestimate", "Original estimate", _Hours),
    JiraField("remaining_estimate", "timeestimate", "Remaining Estimate", _Hours),
    JiraField("sprints", SPRINT_FIELD, "Sprint", SprintsField, f"{_SOFTWARE}gh-sprint"),
    JiraField("estimate", STORY_POINTS_FIELD, "Story Points", _Number, f"{_TYPES}float"),
    JiraField("reviewer", REVIEWER_FIELD, "Reviewer 1", AccountField, f"{_TYPES}userpicker"),
    JiraField("core_committer", CORE_COMMITTER_FIELD, "Core Committer", AccountField, f"{_TYPES}userpicker"),
    JiraField("flagged", FLAGGED_FIELD, "Flagged", _Flag, f"{_TYPES}multicheckboxes"),
)
_EPICS: Final[dict[Flavour, JiraField]] = {
    "cloud": JiraField("epic", "parent", "Parent", _Parent),
    "datacenter": JiraField("epic", EPIC_LINK_FIELD, "Epic Link", _EpicKey, f"{_SOFTWARE}gh-epic-link"),
}
RANK_ITEM: Final = JiraField("rank", RANK_FIELD, "Rank", _EpicKey, f"{_SOFTWARE}gh-lexo-rank")


def fields_of(flavour: Flavour) -> tuple[JiraField, ...]:
    return (*_FIELDS, _EPICS[flavour])


def changelog_item(site: JiraSite, one: JiraField, before: Any, after: Any) -> Json:
    """As Jira writes it: Data Center names no fieldId, nor does Cloud for a changed parent."""
    shape = one.shape(site)
    (old, old_words), (new, new_words) = shape.trace(before), shape.trace(after)
    values = {"from": old, "fromString": old_words, "to": new, "toString": new_words}
    if one.id == "parent":
        return {"field": "IssueParentAssociation", "fieldtype": "jira", **values}
    named = {"field": one.name if one.custom else one.id, "fieldtype": "custom" if one.custom else "jira"}
    return {**named, **({"fieldId": one.id} if site.is_cloud else {}), **values}
