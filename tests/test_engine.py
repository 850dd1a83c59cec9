"""Every concerned rule is asked, each on its own, and each decision explains itself."""

import json
import tomllib
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from pydantic import Field

from service.actions import Recheck
from service.config import Config, load_config
from service.contributions import Contribution, Note, contribution_from
from service.engine import Decision, Rulebook, Setting, config_schema, evaluate, rulebook
from service.errors import ConfigError
from service.events import Due, Event, SprintChanged, TicketChanged, TicketDeleted
from service.facts import ABSENT, Person, Remark, Ticket
from service.rules import all_rules
from service.rules._base import Context, Rule, RuleParams, Verdict
from service.situation import Situation, Subject
from tests.builders import BOB, CONFIG, NEXT, RUNNING, SPRINTS, book, team, ticket, wall

NOW = wall("2026-11-13 15:00")
NAMES = [one.name for one in all_rules()]
EXAMPLE = Path(__file__).parents[1] / "deploy" / "crafty.example.toml"


class _Params(RuleParams):
    limit: int = Field(3, description="What the estimate is compared with.")


def compare(about: Ticket, ctx: Context) -> Verdict:
    if about.estimate is None:
        return Verdict.passed("no estimate")
    return Verdict.passed(f"{about.estimate} against {ctx.params.limit} in {ctx.cell.name}")


def stumble(about: Ticket, ctx: Context) -> Verdict:
    return Verdict.passed(f"{1 / len(about.reviewers)}")


def rule(name: str, check: Any = compare) -> Rule:
    return Rule(name=name, concerns=frozenset({TicketChanged, Due}), params=_Params, check=check, doc="Compares.")


def small_book(*rules: Rule, **setting: Any) -> Rulebook:
    usual = Setting(**{"mode": "on", "settle": timedelta(), "params": _Params(), **setting})
    return Rulebook(rules, {one.name: {"": usual} for one in rules})


def decide(about: Ticket, rules: Rulebook, event: type[Event] = Due, only: str | None = None) -> tuple[Decision, ...]:
    happened = Due(at=NOW, about=about) if event is Due else event(at=NOW, ticket=about)  # type: ignore[call-arg]
    return evaluate(happened, Situation(about, SPRINTS), team=team(), book=rules, now=NOW, only=only)


def test_a_decision_tells_everything() -> None:
    (decision,) = decide(ticket(), small_book(rule("comparing")))

    assert decision == Decision(
        rule="comparing",
        subject="SE-1",
        cell="Serenity",
        mode="on",
        outcome="pass",
        reason="3.0 against 3 in Serenity",
        facts={"key": "SE-1", "estimate": 3.0},
    )


def test_a_rule_that_fails_stops_no_other() -> None:
    rules = small_book(rule("first"), rule("stumbling", stumble), rule("last"))

    first, failed, last = decide(ticket(reviewer=None), rules)

    assert failed.outcome == "wait"
    assert failed.error == "ZeroDivisionError('division by zero')"
    assert failed.reason == "the rule failed (ZeroDivisionError); admins see it among the failed jobs"
    assert failed.facts == {"key": "SE-1", "reviewer": None, "core_committer": None}
    assert (first.reason, last.reason) == ("3.0 against 3 in Serenity",) * 2
    assert (first.error, last.error) == (None, None)


@pytest.mark.parametrize("fact", ["estimate", "is_subtask", "entered_status_at", "epic_owner"])
def test_what_is_unknown_is_waited_for_by_name(fact: str) -> None:
    def read(about: Ticket, ctx: Context) -> Verdict:
        return Verdict.passed(f"{getattr(about, fact)}")

    (decision,) = decide(ticket(**{fact: ABSENT}), small_book(rule("reading", read)))

    assert (decision.outcome, decision.error, decision.actions) == ("wait", None, ())
    assert decision.reason == f"not known yet: the ticket's {fact.replace('_', ' ')}"


def test_a_rule_that_is_off_is_not_asked() -> None:
    (decision,) = decide(ticket(reviewer=None), small_book(rule("stumbling", stumble), mode="off"))

    assert (decision.mode, decision.outcome, decision.reason) == ("off", "pass", "the rule is off")
    assert (decision.error, decision.facts) == (None, {"key": "SE-1"})


@pytest.mark.parametrize("mode", ["on", "dry-run"])
def test_a_dry_run_decides_the_same_and_says_so(mode: str) -> None:
    (decision,) = decide(
        ticket(sprints=(NEXT,), reviewer=None),
        book(f'[rules.green-ticket]\nmode = "{mode}"\n'),
        only="green-ticket",
    )

    assert (decision.mode, decision.outcome) == (mode, "act")
    assert [action.kind for action in decision.actions] == ["comment", "recheck"]


@pytest.mark.parametrize(
    ("key", "cells"),
    [
        pytest.param("SE-1", {"Serenity"}, id="a ticket of a cell's project"),
        pytest.param("XX-1", set(), id="a ticket of nobody's project"),
        pytest.param("odd", set(), id="a key without a project"),
    ],
)
def test_the_project_decides_which_cell_it_is(key: str, cells: set[str]) -> None:
    assert {decision.cell for decision in decide(ticket(key=key), book())} == cells


@pytest.mark.parametrize(
    ("event", "only", "expected"),
    [
        pytest.param(TicketChanged, None, ["a", "b"], id="a change concerns both"),
        pytest.param(Due, "b", ["b"], id="only one of them is asked"),
        pytest.param(Due, "c", [], id="a rule that does not exist"),
        pytest.param(TicketDeleted, None, [], id="a deletion concerns neither"),
    ],
)
def test_who_is_concerned(event: type[Event], only: str | None, expected: list[str]) -> None:
    rules = small_book(rule("a"), rule("b"))

    assert [decision.rule for decision in decide(ticket(), rules, event, only)] == expected


def test_a_sprint_event_concerns_no_rule_about_tickets() -> None:
    event = SprintChanged(at=NOW, sprint=RUNNING, change="closed")

    assert evaluate(event, Situation(ticket()), team=team(), book=small_book(rule("a")), now=NOW) == ()


def test_people_are_introduced_before_a_rule_sees_them() -> None:
    def name(about: Ticket, ctx: Context) -> Verdict:
        return Verdict.passed(f"{about.reviewer and about.reviewer.id} {about.reviewer == BOB}")

    stranger = Person(name="bob@example", jira="acc-bob")
    (decision,) = decide(ticket(reviewer=stranger), small_book(rule("naming", name)))

    assert decision.reason == "bob True"


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        pytest.param("answers", {"remarks"}, id="answers"),
        pytest.param("green-ticket", {"is_subtask", "sprints", "status", "reviewer"}, id="green-ticket"),
        pytest.param("missing-reviewer", {"is_subtask", "sprints", "status", "reviewer"}, id="missing-reviewer"),
        pytest.param("spillover", {"sprints", "status"}, id="spillover"),
        pytest.param("task-insertion", {"sprints"}, id="task-insertion"),
    ],
)
def test_facts_are_those_that_were_read_and_survive_json(name: str, facts: set[str]) -> None:
    (decision,) = decide(ticket(reviewer=None), book(), only=name)

    assert facts <= decision.facts.keys() < ticket().known().keys()
    assert json.loads(json.dumps(decision.facts)).get("reviewer") is None


REQUEST = contribution_from(
    "github:acme/tool#12", "acme/tool", [Note(what="opened", at=NOW, by=Person(name="Ada", github="ada"), title="Docs")]
)


def about_contributions(about: Contribution, ctx: Context) -> Verdict:
    return Verdict.passed(f"{about.title} in {ctx.cell.name}")


def decide_on(about: Subject, rules: Rulebook, *, at: datetime = NOW) -> tuple[Decision, ...]:
    """What the rules decide in a cell that looks after a repository."""
    watching = replace(team().cells[0], repositories=frozenset({"acme/tool"}))
    due = Due(at=at, about=about)
    return evaluate(due, Situation(about), team=replace(team(), cells=(watching,)), book=rules, now=at)


@pytest.mark.parametrize(
    ("about", "told"),
    [
        pytest.param(REQUEST, {"request": "Docs in Serenity", "both": "fine"}, id="a contribution"),
        pytest.param(ticket(), {"comparing": "3.0 against 3 in Serenity", "both": "fine"}, id="a ticket"),
        pytest.param(
            contribution_from("github:other/tool#1", "other/tool", ()), {}, id="a contribution to nobody's repository"
        ),
    ],
)
def test_a_rule_decides_about_its_own_kind_of_subject(about: Subject, told: dict[str, str]) -> None:
    rules = small_book(
        rule("comparing"),
        replace(rule("request", about_contributions), subject=Contribution),
        replace(rule("both", lambda *_: Verdict.passed("fine")), subject=Ticket | Contribution),
    )

    assert {one.rule: one.reason for one in decide_on(about, rules)} == told


def test_what_is_unknown_of_a_contribution_is_waited_for_by_name() -> None:
    unheard = contribution_from("github:acme/tool#12", "acme/tool", ())
    rules = small_book(replace(rule("request", about_contributions), subject=Contribution))

    assert [one.reason for one in decide_on(unheard, rules)] == ["not known yet: the contribution's title"]


def said(text: str, at: str, author: Person | None = BOB) -> Remark:
    return Remark(id=at, at=wall(at), author=author, text=text)


STRANGER = Person(name="Zoe", jira="acc-zoe")
CRAFTY = Person(name="Crafty", jira="acc-crafty")
SNOOZED = said("@crafty snooze 2d", "2026-11-12 10:00")


@pytest.mark.parametrize(
    ("remarks", "now", "reason"),
    [
        pytest.param((SNOOZED,), "2026-11-14 09:59", "Bob put it off", id="a minute before it is over"),
        pytest.param((SNOOZED,), "2026-11-14 10:00", "3.0 against 3", id="when it is over"),
        pytest.param(
            (SNOOZED, said("@crafty snooze 0d", "2026-11-12 11:00")), "2026-11-13 09:00", "3.0 against 3", id="ended"
        ),
        pytest.param(
            (said("@crafty snooze 1h", "2026-11-12 09:00"), SNOOZED),
            "2026-11-13 09:00",
            "Bob put it off",
            id="the last",
        ),
        pytest.param(
            (said("@crafty snooze 2d", "2026-11-12 10:00", STRANGER),),
            "2026-11-13 09:00",
            "3.0 against 3",
            id="by a stranger",
        ),
        pytest.param(
            (said("@crafty snooze 2d", "2026-11-12 10:00", CRAFTY),),
            "2026-11-13 09:00",
            "3.0 against 3",
            id="by Crafty's own advice",
        ),
        pytest.param((), "2026-11-13 09:00", "3.0 against 3", id="nobody said anything"),
    ],
)
def test_a_member_puts_a_rule_off(remarks: tuple[Remark, ...], now: str, reason: str) -> None:
    about, at = ticket(remarks=remarks), wall(now)
    situation = Situation(about, SPRINTS, bot=frozenset({"acc-crafty"}))

    (decision,) = evaluate(Due(at=at, about=about), situation, team=team(), book=small_book(rule("comparing")), now=at)

    assert decision.reason.startswith(reason)


def test_what_was_put_off_is_looked_at_when_that_is_over() -> None:
    (decision,) = decide(ticket(remarks=(SNOOZED,)), small_book(rule("comparing")))

    assert (decision.outcome, decision.actions) == ("wait", (Recheck(subject="SE-1", at=wall("2026-11-14 10:00")),))
    assert decision.reason == "Bob put it off until Saturday 14 November at 10:00 (Europe/Paris)"


def test_some_rules_are_not_put_off() -> None:
    (decision,) = decide(ticket(remarks=(SNOOZED,)), small_book(replace(rule("comparing"), can_snooze=False)))

    assert decision.reason == "3.0 against 3 in Serenity"


def test_a_decision_survives_json_with_its_actions() -> None:
    (decision,) = decide(ticket(sprints=(NEXT,), reviewer=None), book(), only="green-ticket")

    again = msgspec.json.decode(msgspec.json.encode(decision), type=Decision)

    assert again.actions == decision.actions
    assert msgspec.json.encode(again) == msgspec.json.encode(decision)


class TestRulebook:
    def test_without_settings_every_rule_is_on_and_settles_for_two_minutes(self) -> None:
        settings = [book().setting(one.name, "Serenity") for one in all_rules()]

        assert [(one.mode, one.settle) for one in settings] == [("on", timedelta(minutes=2))] * len(all_rules())

    @pytest.mark.parametrize(
        ("cell", "mode", "settle", "lead", "push"),
        [
            pytest.param("Serenity", "dry-run", 5, 48, True, id="the cell's own settings over the common ones"),
            pytest.param("Anybody", "on", 5, 48, False, id="the common ones elsewhere"),
        ],
    )
    def test_a_cell_has_its_way(self, cell: str, mode: str, settle: int, lead: int, push: bool) -> None:
        rules = book(
            '[rules.green-ticket]\nsettle = "5m"\nreminder_lead = "48h"\n'
            '[rules.green-ticket.cells.Serenity]\nmode = "dry-run"\npush_unassigned = true\n'
        )
        setting = rules.setting("green-ticket", cell)
        params = setting.params.model_dump()

        assert (setting.mode, setting.settle) == (mode, timedelta(minutes=settle))
        assert params == {"reminder_lead": f"{lead}h", "push_unassigned": push}
        assert rules.setting("missing-reviewer", cell).mode == "on"

    @pytest.mark.parametrize(
        ("tables", "problems"),
        [
            pytest.param(
                "[rules.green-tickets]\n",
                [f"1: rules.green-tickets: there is no such rule; the rules are {', '.join(NAMES)}"],
                id="an unknown rule",
            ),
            pytest.param(
                "[rules.green-ticket]\n\nreminder_led = 1\n",
                ["3: rules.green-ticket.reminder_led: is not a known key; did you mean reminder_lead?"],
                id="an unknown parameter",
            ),
            pytest.param(
                '[rules.missing-reviewer]\nassign_firefighter = "yes"\n',
                ["2: rules.missing-reviewer.assign_firefighter: should be true or false, without quotes"],
                id="a value of another type",
            ),
            pytest.param(
                '[rules.missing-reviewer]\ngrace = "a while"\n',
                ["2: rules.missing-reviewer.grace: Write the time with its units"],
                id="a value that is none",
            ),
            pytest.param(
                "[rules.missing-reviewer.cells.Serenity]\npatience = -1\n",
                ["2: rules.missing-reviewer.cells.Serenity.patience: Write the time with its units"],
                id="a wrong value for a cell",
            ),
            pytest.param(
                "[rules.typo]\n[rules.green-ticket]\nlead = 1\n[rules.missing-reviewer]\nlead = 2\n",
                ["1: rules.typo", "3: rules.green-ticket.lead", "5: rules.missing-reviewer.lead"],
                id="everything at once",
            ),
        ],
    )
    def test_problems_are_told_with_line_and_key(self, tmp_path: Path, tables: str, problems: list[str]) -> None:
        file = tmp_path / "crafty.toml"
        file.write_text(tables + CONFIG)

        with pytest.raises(ConfigError) as error:
            rulebook(load_config(file))

        told = [str(problem) for problem in error.value.problems]
        assert len(told) == len(problems)
        assert all(line.startswith(f"crafty.toml:{problem}") for line, problem in zip(told, problems, strict=True))


class TestConfigSchema:
    validator = Draft202012Validator(config_schema())

    def test_is_a_schema(self) -> None:
        Draft202012Validator.check_schema(config_schema())

        assert set(config_schema()["properties"]["rules"]["properties"]) == {one.name for one in all_rules()}

    def test_accepts_the_example_and_so_does_the_rulebook(self) -> None:
        example = tomllib.loads(EXAMPLE.read_text())

        assert [error.message for error in self.validator.iter_errors(_as_json(example))] == []
        assert rulebook(load_config(EXAMPLE)).rules == all_rules()

    @pytest.mark.parametrize(
        "tables",
        [
            pytest.param({"green-ticket": {"push_unassigned": "yes"}}, id="a parameter of another type"),
            pytest.param({"green-ticket": {"mode": "loud"}}, id="an unknown mode"),
            pytest.param({"missing-reviewer": {"grace": "a while"}}, id="a time that is none"),
        ],
    )
    def test_refuses(self, tables: dict[str, Any]) -> None:
        assert not self.validator.is_valid({"rules": tables})

    def test_tells_every_parameter_with_its_description(self) -> None:
        known = config_schema()["properties"]["rules"]["properties"]["missing-reviewer"]["properties"]

        assert known.keys() >= {"mode", "settle", "cells", "grace", "patience", "assign_firefighter"}
        assert all(one["description"] for one in known.values())


def _as_json(document: Any) -> Any:
    """TOML's dates and times as JSON has them: as text."""
    return msgspec.json.decode(msgspec.json.encode(document))


def test_an_empty_configuration_is_one() -> None:
    assert rulebook(Config()).rules == all_rules()
