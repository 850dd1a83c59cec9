"""Evaluates rules: every concerned one, each on its own, with a verdict that explains itself. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from pydantic import ValidationError

from service.actions import Action, Recheck
from service.commands import said_to_us
from service.config import Config, RuleConfig
from service.errors import ConfigError, Problem
from service.events import Event
from service.facts import Cell, Partial, Team, Ticket, Unknown
from service.rules import all_rules
from service.rules._base import Context, Outcome, Rule, RuleParams, Verdict
from service.situation import Situation, Subject
from service.texts import in_words
from service.toml_problems import TomlPath, problems_from

Mode = Literal["on", "dry-run", "off"]

_MOST_ACTIONS: Final = 50


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule concluded about one subject, with all it takes to explain it later.

    facts: the facts that the rule read; error: the name of the exception where the rule itself failed.
    """

    rule: str
    subject: str
    cell: str
    mode: Mode
    outcome: Outcome
    reason: str
    facts: dict[str, Any]
    actions: tuple[Action, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Setting:
    """How one rule is set for one cell. settle: how long after the last change it looks."""

    mode: Mode
    settle: timedelta
    params: RuleParams


@dataclass(frozen=True)
class Rulebook:
    """All rules with their settings, by rule and then by cell; the entry under "" is for every other cell."""

    rules: tuple[Rule, ...]
    settings: Mapping[str, Mapping[str, Setting]]

    def rule(self, name: str) -> Rule | None:
        """The rule of that name."""
        return next((rule for rule in self.rules if rule.name == name), None)

    def setting(self, rule: str, cell: str) -> Setting:
        """The setting of a rule in a cell."""
        by_cell = self.settings[rule]
        return by_cell.get(cell) or by_cell[""]

    def concerned(self, event: Event, subject: Subject, only: str | None) -> Iterable[Rule]:
        """The rules that this kind of event concerns, where it is about such a subject; `only` names the one wanted."""
        return (
            rule
            for rule in self.rules
            if type(event) in rule.concerns and isinstance(subject, rule.subject) and only in {None, rule.name}
        )


def cell_of(subject: Subject, team: Team) -> Cell | None:
    """The cell that a ticket belongs to, or that looks after a contribution."""
    return team.cell_of(subject.project) if isinstance(subject, Ticket) else team.cell_watching(subject.place)


def evaluate(
    event: Event, situation: Situation, *, team: Team, book: Rulebook, now: datetime, only: str | None = None
) -> tuple[Decision, ...]:
    """What every rule that this event concerns decides at `now`.

    situation: the subject and what is known around it; only: the name of a single rule to ask. A subject that belongs
    to no cell concerns no rule. One failing rule never stops another; its decision carries the error.
    """
    cell = cell_of(situation.subject, team)
    if cell is None:
        return ()
    known = msgspec.structs.replace(situation, subject=team.introduce(situation.subject))
    snoozed = _snoozed(known, cell, now)
    return tuple(
        _decide(rule, cell, book.setting(rule.name, cell.name), event, known, now, snoozed)
        for rule in book.concerned(event, known.subject, only)
    )


def _decide(
    rule: Rule,
    cell: Cell,
    setting: Setting,
    event: Event,
    situation: Situation,
    now: datetime,
    snoozed: Verdict | None,
) -> Decision:
    subject = situation.subject.tracked()
    ctx = Context(setting.params, cell, now, event, situation)
    verdict, error = _verdict(rule, setting, ctx, subject, snoozed if rule.can_snooze else None)
    return Decision(
        rule=rule.name,
        subject=subject.key,
        cell=cell.name,
        mode=setting.mode,
        outcome=verdict.outcome,
        reason=verdict.reason,
        facts=_shown(subject),
        actions=verdict.actions,
        error=error,
    )


def _verdict(
    rule: Rule, setting: Setting, ctx: Context, subject: Any, snoozed: Verdict | None
) -> tuple[Verdict, str | None]:
    if setting.mode == "off":
        return Verdict.passed("the rule is off"), None
    try:
        return snoozed or _sound(rule.check(subject, ctx)), None
    except Unknown as unknown:
        return Verdict.wait(f"not known yet: the {_noun(subject)}'s {unknown.fact.replace('_', ' ')}"), None
    except Exception as error:  # noqa: BLE001 - one failing rule must not stop the others
        reason = f"the rule failed ({type(error).__name__}); admins see it among the failed jobs"
        return Verdict.wait(reason), repr(error)


def _sound(verdict: Any) -> Verdict:
    """The verdict; raises TypeError or ValueError for what no rule may answer."""
    if not isinstance(verdict, Verdict) or not isinstance(verdict.reason, str):
        raise TypeError("a rule answers with a Verdict")
    if len(verdict.actions) > _MOST_ACTIONS:
        raise ValueError(f"a rule wants no more than {_MOST_ACTIONS} things at once")
    if any(isinstance(action, Recheck) and action.at.tzinfo is None for action in verdict.actions):
        raise ValueError("a rule looks again at an instant, which has a zone")
    return verdict


def _noun(subject: Subject) -> str:
    return "ticket" if isinstance(subject, Ticket) else "contribution"


def _snoozed(situation: Situation, cell: Cell, now: datetime) -> Verdict | None:
    """What a member put off waits for the moment they named; the latest such command counts."""
    subject = situation.subject
    snoozes = [
        (one.remark.author, one.remark.at + one.command.span)
        for one in said_to_us(subject.known().get("remarks", ()), situation.bot)
        if one.command.name == "snooze" and one.remark.author and one.remark.author.is_member
    ]
    if not snoozes or snoozes[-1][1] <= now:
        return None
    by, until = snoozes[-1]
    reason = f"{by.name} put it off until {in_words(until, cell.calendar.zone.key)}"
    return Verdict.wait(reason, Recheck(subject=subject.key, at=until))


def _shown(facts: Partial) -> dict[str, Any]:
    """The facts that were read, as plain JSON values."""
    shown: dict[str, Any] = msgspec.to_builtins(facts.used(), builtin_types=())
    return shown


def rulebook(config: Config) -> Rulebook:
    """All rules as this configuration sets them.

    Raises ConfigError that names the key and line of each unknown rule, unknown parameter and wrong value.
    """
    rules = all_rules()
    problems = _unknown_rules(config, rules)
    settings: dict[str, dict[str, Setting]] = {}
    for rule in rules:
        settings[rule.name] = {}
        for cell, path in _tables(rule, config):
            setting = _setting(rule, config, cell, path)
            if isinstance(setting, Setting):
                settings[rule.name][cell] = setting
            else:
                problems += setting
    if problems:
        raise ConfigError(*problems)
    return Rulebook(rules, settings)


def config_schema() -> dict[str, Any]:
    """The JSON Schema of crafty.toml with every rule's own parameters in it."""
    schema = Config.model_json_schema()
    keys = RuleConfig.model_json_schema(ref_template="#/$defs/{model}")
    schema["$defs"] |= keys.pop("$defs", {})
    schema["properties"]["rules"]["properties"] = {
        rule.name: {**keys, "properties": keys["properties"] | rule.params.model_json_schema()["properties"]}
        for rule in all_rules()
    }
    return schema


def _unknown_rules(config: Config, rules: Iterable[Rule]) -> list[Problem]:
    names = sorted(rule.name for rule in rules)
    return [
        config.source.problem(("rules", name), f"there is no such rule; the rules are {', '.join(names)}")
        for name in config.rules
        if name not in names
    ]


def _tables(rule: Rule, config: Config) -> list[tuple[str, TomlPath]]:
    """The cells that a rule is set for, "" for all, each with the place of its table in the file."""
    own = config.rules.get(rule.name, RuleConfig())
    path: TomlPath = ("rules", rule.name)
    return [("", path), *((cell, (*path, "cells", cell)) for cell in own.cells)]


def _setting(rule: Rule, config: Config, cell: str, path: TomlPath) -> Setting | list[Problem]:
    keys = config.rules.get(rule.name, RuleConfig()).in_cell(cell)
    try:
        params = rule.params.model_validate(dict(keys.params))
    except ValidationError as error:
        return list(problems_from(error, rule.params, config.source, path))
    return Setting(keys.mode, keys.settle, params)
