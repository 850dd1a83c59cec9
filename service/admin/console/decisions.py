"""What was decided and why: all decisions with filters, and everything about one subject."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, get_args
from urllib.parse import quote

from service.actions import Action, Comment, Notify, Recheck, Reply
from service.admin.console.desk import Page, Refusal, Visit
from service.admin.office import Office
from service.engine import Decision
from service.ledger import Case, Entry
from service.rules._base import Outcome
from service.texts import Message, to_plain
from service.why import Why, why

PAGE: Final = 50
_ENTRY: Final = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")
_BATCH: Final = 200
_LONGEST_SEARCH: Final = 5_000
"""How many entries are looked through for one page; the next page goes on from there."""


@dataclass(frozen=True)
class _Line:
    at: datetime
    stage: str
    delivery: str | None
    decision: Decision


async def decisions(office: Office, visit: Visit) -> Page:
    """The newest decisions that the filters let through."""
    wanted = {name: visit.query.get(name, "").strip() for name in ("subject", "rule", "outcome", "cell")}
    lines, following = await _found(office, wanted, cursor(visit.query.get("before", "+")))
    query = "&".join(f"{name}={quote(value)}" for name, value in {**wanted, "before": following}.items() if value)
    values = {
        "lines": lines,
        "wanted": wanted,
        "rules": [one.name for one in office.current.book.rules],
        "outcomes": get_args(Outcome),
        "cells": office.steering.cells,
        "following": query if following else "",
    }
    return Page("decisions.html", "Decisions", values)


async def subject(office: Office, visit: Visit) -> Page:
    """Why the bot did something about a subject, or did not."""
    await office.current.reload()
    story = await why(office.ledger, office.current.book, visit.path["subject"])
    values = {
        "story": story,
        "url": _url(office, story),
        "standings": list(_standings(office, story)),
        "entries": [(entry, _shown(office, story, entry)) for entry in story.entries],
    }
    return Page("subject.html", story.subject, values)


async def _found(office: Office, wanted: dict[str, str], before: str) -> tuple[list[_Line], str]:
    """A page of decisions, and where the next one begins; "" where there are no more."""
    lines: list[_Line] = []
    for _ in range(_LONGEST_SEARCH // _BATCH):
        entries = await office.ledger.entries(wanted["subject"] or None, before, _BATCH)
        for last, entry in entries:
            lines += [line for line in _lines(entry) if _is_wanted(line.decision, wanted)]
            if len(lines) >= PAGE:
                return lines, last
        if len(entries) < _BATCH:
            return lines, ""
        before = entries[-1][0]
    return lines, before


def cursor(text: str) -> str:
    """Where a page begins; raises Refusal for what no page has named."""
    if text != "+" and not _ENTRY.fullmatch(text):
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "There is no such page; begin with the first one.")
    return text


def _lines(entry: Entry) -> Iterator[_Line]:
    for decision in entry.decisions:
        yield _Line(entry.at, entry.stage, entry.delivery, decision)


def _is_wanted(decision: Decision, wanted: dict[str, str]) -> bool:
    return all(not wanted[name] or getattr(decision, name) == wanted[name] for name in ("rule", "outcome", "cell"))


@dataclass(frozen=True)
class _Standing:
    """How a rule stands to a subject. mode: as it is now; line: its latest decision; planned: when it looks next."""

    rule: str
    mode: str
    line: _Line
    planned: datetime | None
    comment: Case | None
    comment_url: str


def _standings(office: Office, story: Why) -> Iterator[_Standing]:
    latest: dict[str, _Line] = {}
    for entry in story.entries:
        for line in _lines(entry):
            latest.setdefault(line.decision.rule, line)
    for rule, line in sorted(latest.items()):
        case = story.comments.get(rule)
        mode = _mode_now(office, rule, line.decision.cell)
        yield _Standing(rule, mode, line, story.planned.get(rule), case, _comment_url(office, story, rule))


def _mode_now(office: Office, rule: str, cell: str) -> str:
    known = office.current.book.rule(rule)
    return office.current.book.setting(rule, cell).mode if known else "gone"


def _shown(office: Office, story: Why, entry: Entry) -> dict[str, Any]:
    """What the page needs besides the entry: the words of its actions, and where its effect can be seen."""
    effect = entry.effect
    is_comment = effect is not None and effect.kind in {"comment", "edit_comment"} and effect.result == "done"
    return {
        "deeds": [list(_deeds(decision)) for decision in entry.decisions],
        "link": _comment_url(office, story, effect.rule) if effect and is_comment else "",
    }


@dataclass(frozen=True)
class _Deed:
    """An action as the page shows it. words: what it would write; at: when a re-check is due."""

    kind: str
    target: str
    words: str
    at: datetime | None


def _deeds(decision: Decision) -> Iterator[_Deed]:
    for action in decision.actions:
        at = action.at if isinstance(action, Recheck) else None
        yield _Deed(action.kind.replace("_", " "), action.target, _words(action), at)


def _words(action: Action) -> str:
    message: Message | None = action.message if isinstance(action, Comment | Notify | Reply) else None
    return to_plain(message) if message else ""


def _url(office: Office, story: Why) -> str:
    """Where the subject is to be seen; "" where that is not known."""
    known = story.contribution.known() if story.contribution else {}
    if "url" in known:
        return _safe(str(known["url"]))
    if office.team.cell_of(story.subject.partition("-")[0]) is None or not office.settings.jira_url:
        return ""
    return f"{office.settings.jira_url}/browse/{quote(story.subject)}"


def _comment_url(office: Office, story: Why, rule: str) -> str:
    case, ticket = story.comments.get(rule), _url(office, story)
    if case is None or not ticket or story.contribution:
        return ""
    return f"{ticket}?focusedCommentId={quote(case.comment)}"


def _safe(url: str) -> str:
    """An address from outside, where it is one that may be linked to."""
    return url if url.startswith(("https://", "http://")) else ""
