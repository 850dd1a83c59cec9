"""A person who is forgotten is nowhere in the store, and everything else is as it was."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from service.actions import Action, Assign, Comment, Digest, Notify
from service.cli.forgetting import Told, show_forgotten
from service.commitments import Commitment
from service.contributions import Acknowledgement, Note
from service.current import Current
from service.engine import Decision
from service.facts import Person
from service.findings import Examined, wrong
from service.forgetting import ERASED, forget, rewrite_file
from service.jira_shapes import FieldMap
from service.ledger import Case, Contributed, Effect, Entry, Ledger, Site
from service.packing import unpacked
from service.queue import Queue, Result, look_again, perform
from service.steering import Actor, Steering
from service.texts import Message, item, paragraph, small
from service.traces import SOMEBODY, UnclearError, traces_of
from tests import builders
from tests.builders import ANN, CONFIG
from tests.conftest import SetClock
from tests.test_cli import crafty
from tests.test_replay import WATCHED, intake_of, stored, take
from tests.webhooks.payloads import FIELDS, issue_fields, issue_updated, pull_request

ROOT = Path(__file__).parent.parent
QUILL = """
[[people]]
id = "squill"
name = "Samantha Quill"
jira = "5b10:a2844c20165700ede21g"
mattermost = "sam.quill"
discourse = "samq"
github = "quill-gh"
gitlab = "quill-gl"
"""
TEAM = builders.team(WATCHED + QUILL)
SAM = next(one for one in TEAM.members if one.id == "squill")
SEEN_BY_JIRA = Person(name="Sam Q. (she/her)", jira=SAM.jira, jira_key="JIRAUSER77")
IN_JIRA = {
    "accountId": SAM.jira,
    "displayName": SEEN_BY_JIRA.name,
    "emailAddress": "s.quill@example.org",
    "avatarUrls": {"48x48": "https://avatars.example/d41d8cd98f00b204"},
}
ANN_IN_JIRA = {"accountId": "acc-ann", "displayName": "Ann"}
CALLED = (
    *("squill", "samantha quill", "5b10:a2844c20165700ede21g", "sam.quill", "samq", "quill-gh", "quill-gl"),
    *("jirauser77", "s.quill@example.org", "sam q. (she/her)", "d41d8cd98f00b204", "my own words"),
)
REQUEST = "github:example-org/poll#12"
ASKED = Message((paragraph("{who}, who reviews it?", who=SAM),))


@pytest.fixture
async def ledger(redis: Redis) -> Ledger:
    ledger = Ledger(redis)
    await ledger.keep_site(Site(fields=FieldMap(**FIELDS), jira_bot=("acc-bot",)))
    return ledger


@pytest.fixture
def office(redis: Redis, clock: SetClock) -> Steering:
    return Steering(redis, clock, Current(Ledger(redis), builders.book()), ("Serenity",))


@pytest.fixture
async def full(redis: Redis, ledger: Ledger, office: Steering, clock: SetClock) -> Any:
    """A store that has the person in every place where one can be."""
    await deliver(redis, clock)
    await want_work(redis, clock)
    await fill_ledgers(ledger)
    await office.note("drop job green-ticket:SE-1::notify:@squill", Actor("squill", "203.0.113.7"), after=["samq"])
    return redis


async def deliver(redis: Redis, clock: SetClock) -> None:
    intake = intake_of(redis, clock)
    await take(intake, clock, issue_updated(issue_fields(assignee=IN_JIRA), user=IN_JIRA), "d-1")
    await take(intake, clock, issue_updated(issue_fields(summary="Ask @sam.quill: who?"), user=ANN_IN_JIRA), "d-2")
    await take(intake, clock, issue_updated(), "d-3")
    await take(intake, clock, pull_request(user={"login": "Quill-GH", "type": "User"}), "d-4", "github")


async def want_work(redis: Redis, clock: SetClock) -> None:
    """Messages for the person and for Ann, an assignment, a comment; and a look that ends, and leaves its traces."""
    queue = Queue(redis, clock)
    actions: list[Action] = [
        *(Notify(person=who, message=ASKED) for who in (SAM, ANN)),
        *(list_for(who, clock) for who in (SAM, ANN)),
        Assign(ticket="SE-1", person=SAM),
        Comment(ticket="SE-1", message=ASKED, state="missing reviewer"),
    ]
    await queue.want(*(perform(one, "missing-reviewer", "SE-1", clock()) for one in actions))
    await queue.want(look_again("missing-reviewer", "SE-2", clock()))
    await queue.release(100)
    key = "look:missing-reviewer:SE-2"
    token = await redis.hget(f"crafty:work:{key}", "token")  # type: ignore[misc]
    work = await queue.claim(key, token.decode())
    assert work is not None
    assert await queue.finish(work, looked(clock))


def list_for(person: Person, clock: SetClock) -> Digest:
    line, footer = item("{who} waits for you", who=SAM), small("Ask Crafty why.")
    intro = paragraph("{who}, a few things:", who=person)
    return Digest(person=person, occasion="2026-11-04", intro=intro, line=line, footer=footer, at=clock())


def looked(clock: SetClock) -> Result:
    """The end of a look that names the person in all that it leaves behind."""
    remark = {"id": "7", "author": msgspec.to_builtins(SEEN_BY_JIRA), "text": "my own words"}
    decision = Decision(
        rule="missing-reviewer",
        subject="SE-2",
        cell="Serenity",
        mode="on",
        outcome="act",
        reason="Samantha Quill reviews it",
        facts={"reviewer": msgspec.to_builtins(SAM), "remarks": [remark]},
        actions=(Notify(person=SAM, message=ASKED),),
    )
    told = Effect(rule="answers", kind="notify", target="@squill", result="done", reason="told Samantha Quill in chat")
    return Result(
        ending="done",
        entries=[
            Entry(at=clock(), subject="SE-2", stage="look", decisions=(decision,)),
            Entry(at=clock(), subject="SE-2", stage="effect", effect=told),
        ],
        done={f"missing-reviewer:SE-2::notify:@{who}": "1" for who in ("squill", "ann")},
        case=Case(
            rule="missing-reviewer",
            subject="SE-2",
            comment="7",
            occasion="sprint-41",
            state="taken by Samantha Quill",
            at=clock(),
            turns=0,
            open=False,
        ),
    )


async def fill_ledgers(ledger: Ledger) -> None:
    at = builders.wall("2026-11-03 10:00")
    for ticket, assignee in (("SE-8", SAM), ("SE-9", ANN)):
        await ledger.keep_line(commitment(ticket, assignee))
    await ledger.keep_line(
        Acknowledgement(
            contribution=REQUEST, cell="Outside", title="Fix it", url="", waiting_since=at, answered_by="Samantha Quill"
        )
    )
    by = Person(name="quill-gh", github="quill-gh")
    answer = Note(what="answered", at=at, by=by, id="comment-1", text="@crafty help")
    await ledger.keep_notes(Contributed(key=REQUEST, place="example-org/poll", notes=(answer,)))
    await ledger.warn("chat account of Samantha Quill", "Samantha Quill has no chat account")
    await ledger.keep_examined("everything", Examined(at=at, findings=(wrong("people", "squill", "samq is gone", ""),)))
    await ledger.keep_told_wrong("everything", {"people: squill"})
    await ledger.take_review(41, "SE-1", SAM.jira or "")
    await ledger.may_ping("squill", date(2026, 11, 3), "SE-1", 2)
    await ledger.cache("epic-owner:SE-100", msgspec.json.encode(SEEN_BY_JIRA), 600)


def commitment(ticket: str, assignee: Person) -> Commitment:
    return Commitment(
        ticket=ticket,
        summary="Fix the login",
        url=f"https://jira.example/browse/{ticket}",
        cell="Serenity",
        sprint=41,
        sprint_name="Sprint 41",
        closed_at=builders.wall("2026-11-16 09:00"),
        status="Done",
        is_spillover=True,
        assignee=assignee.name,
        assignee_id=assignee.id,
        reporter="Samantha Quill",
        reason="Waiting for samq",
        reason_by="Ann",
    )


async def everything(redis: Any) -> dict[str, str]:
    """Every key with all that it holds, as text."""
    read = {
        "string": redis.get,
        "hash": redis.hgetall,
        "set": redis.smembers,
        "list": lambda key: redis.lrange(key, 0, -1),
        "zset": lambda key: redis.zrange(key, 0, -1),
        "stream": redis.xrange,
    }
    found = {}
    for key in await redis.keys("*"):
        value = await read[(await redis.type(key)).decode()](key)
        found[key.decode()] = str(plain(value)).encode().decode("unicode_escape")
    return found


def plain(value: Any) -> Any:
    """The same with all that is packed in it unpacked."""
    match value:
        case bytes():
            return unpacked(value)
        case dict():
            return {name: plain(one) for name, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case _:
            return value


def traces(kept: dict[str, str]) -> set[str]:
    """By what the person can still be told, and where."""
    return {f"{word} in {key}" for key, text in kept.items() for word in CALLED if word in f"{key} {text}".casefold()}


async def test_no_key_and_no_value_tells_of_a_person_who_is_forgotten(full: Any) -> None:
    before = traces(await everything(full))
    assert {trace.partition(" in ")[0] for trace in before} >= set(CALLED) - {"quill-gl"}
    found = await forget(full, traces_of(TEAM, "squill"))
    assert traces(await everything(full)) == set()
    assert found.changed == {
        "acknowledgements": 1,
        "acts": 1,
        "arq": 1,
        "audit": 1,
        "cache": 1,
        "case": 1,
        "commitments": 2,
        "contribution": 1,
        "delivery": 3,
        "done": 1,
        "examined": 1,
        "lines": 2,
        "pings": 1,
        "reviews": 1,
        "timeline": 5,
        "told-wrong": 1,
        "warnings": 1,
        "work": 6,
    }


async def test_to_forget_once_more_changes_nothing(full: Any) -> None:
    await forget(full, traces_of(TEAM, "squill"))
    kept = await everything(full)
    assert (await forget(full, traces_of(TEAM, "squill"))).changed == {}
    assert await everything(full) == kept


async def test_what_tells_of_others_stays_as_it_was(full: Any, ledger: Ledger) -> None:
    before = await everything(full)
    await forget(full, traces_of(TEAM, "squill"))
    after = await everything(full)
    untouched = {key: text for key, text in before.items() if not traces({key: text})}
    assert untouched.items() <= after.items()
    assert after.keys() >= {
        *("crafty:done:missing-reviewer:SE-2::notify:@ann", "crafty:work:missing-reviewer:SE-1::notify:@ann"),
        *("crafty:work:missing-reviewer:*:2026-11-04:digest:@ann", "crafty:work:missing-reviewer:SE-1:"),
    }
    assert (await ledger.commitments("SE-9"))[41].assignee == "Ann"
    _, body = await stored(ledger, "d-3")
    assert body


async def test_the_body_of_a_delivery_that_names_them_is_erased_and_says_so(full: Any, ledger: Ledger) -> None:
    await forget(full, traces_of(TEAM, "squill"))
    for name in ("d-1", "d-2", "d-4"):
        delivery, body = await stored(ledger, name)
        assert (delivery.note, body) == (ERASED, b"")
    assert [one.id for one in await ledger.deliveries(0, 9)].count("d-1") == 1


async def test_a_delivery_that_was_forgotten_is_still_not_taken_twice(full: Any, clock: SetClock) -> None:
    await forget(full, traces_of(TEAM, "squill"))
    answer = await take(intake_of(full, clock), clock, issue_updated(), "d-1")
    assert answer.duplicate


async def test_the_ledgers_keep_their_numbers_and_call_them_somebody(full: Any, ledger: Ledger) -> None:
    await forget(full, traces_of(TEAM, "squill"))
    line = (await ledger.commitments("SE-8"))[41]
    assert (line.assignee, line.assignee_id, line.reporter) == (SOMEBODY, "", SOMEBODY)
    assert (line.is_spillover, line.reason) == (True, "Waiting for somebody")
    assert [one.answered_by for one in await ledger.acknowledgements()] == [SOMEBODY]


async def test_what_is_decided_and_done_is_still_explained(full: Any, ledger: Ledger) -> None:
    await forget(full, traces_of(TEAM, "squill"))
    effect, look = await ledger.timeline("SE-2")
    assert effect.effect is not None
    assert (effect.effect.target, effect.effect.reason) == ("@somebody", "told somebody in chat")
    (decision,) = look.decisions
    assert (decision.reason, decision.facts["reviewer"]) == ("somebody reviews it", {"name": "somebody"})
    assert decision.facts["remarks"] == [{"id": "7", "author": {"name": "somebody"}, "text": ""}]
    case = await ledger.case("missing-reviewer", "SE-2")
    assert case is not None
    assert case.state == "taken by somebody"


async def test_an_answer_of_a_member_stays_a_members(full: Any, ledger: Ledger) -> None:
    await forget(full, traces_of(TEAM, "squill"))
    known = await ledger.contribution(REQUEST)
    assert known is not None
    (answer,) = known.answers
    assert (answer.by, answer.is_member, answer.text) == (Person(name=SOMEBODY), True, "")


async def test_the_audit_log_keeps_what_was_done_without_who(full: Any, office: Steering) -> None:
    await forget(full, traces_of(TEAM, "squill"))
    ((_, change),) = await office.audit()
    told = (change.who, change.what, change.after)
    assert told == (SOMEBODY, "drop job green-ticket:SE-1::notify:@somebody", [SOMEBODY])


async def test_nobody_works_any_more_on_what_was_for_them_alone(full: Any, clock: SetClock) -> None:
    await forget(full, traces_of(TEAM, "squill"))
    due = {key.decode() for key in await full.zrange("crafty:due", 0, -1)}
    assert all("squill" not in key for key in due)
    assert "missing-reviewer:SE-1::assign:SE-1" not in due
    assert await full.keys("crafty:work:*assign*") == []


async def test_what_expires_expires_when_it_would_have(full: Any) -> None:
    before = {key: await full.ttl(key) for key in await full.keys("crafty:*")}
    await forget(full, traces_of(TEAM, "squill"))
    after = {key: await full.ttl(key) for key in await full.keys("crafty:*")}
    assert all(abs(before[key] - seconds) <= 2 for key, seconds in after.items())
    assert any(key.startswith(b"crafty:timeline:") and seconds > 0 for key, seconds in after.items())


async def test_what_comes_in_meanwhile_is_not_lost(full: Any, ledger: Ledger, clock: SetClock) -> None:
    """Entries are added, and hashes changed, between any two steps of it."""

    async def add() -> None:
        for number in range(60):
            await full.xadd("crafty:timeline:SE-2", {"entry": entry_of(f"number {number} of samq")})
            await full.hset("crafty:warnings", f"board {number}", "samq")
            await asyncio.sleep(0)

    await asyncio.gather(add(), *(forget(full, traces_of(TEAM, "squill")) for _ in range(2)))
    await forget(full, traces_of(TEAM, "squill"))
    reasons = [entry.effect.reason for entry in await ledger.timeline("SE-2") if entry.effect]
    assert reasons[:60] == [f"number {number} of somebody" for number in reversed(range(60))]
    assert len(await ledger.warnings()) == 61
    assert traces(await everything(full)) == set()
    assert await full.keys("crafty:forgetting:*") == []


def entry_of(reason: str) -> bytes:
    effect = Effect(rule="answers", kind="comment", target="SE-2", result="done", reason=reason)
    at = builders.wall("2026-11-03 10:00")
    return msgspec.json.encode(Entry(at=at, subject="SE-2", stage="effect", effect=effect))


async def test_settings_that_name_them_are_left_to_admins(full: Any, office: Steering) -> None:
    await office.tune("community-ack", "", {"params": {"bots": ["quill-gh"]}}, Actor("ada", "cli"))
    found = await forget(full, traces_of(TEAM, "squill"))
    assert found.is_set
    assert (await office.rule("community-ack")).settings["params"]["bots"] == ["quill-gh"]


async def test_a_stranger_is_forgotten_by_one_account(redis: Redis, ledger: Ledger, clock: SetClock) -> None:
    carla = {"login": "carla", "type": "User", "email": "c.quist@example.org"}
    await take(intake_of(redis, clock), clock, pull_request(user=carla), "d-9", "github")
    found = await forget(redis, traces_of(TEAM, "github:carla"))
    assert found.changed == {"contribution": 1, "delivery": 1, "timeline": 1}
    assert [key for key, text in (await everything(redis)).items() if "carla" in text or "quist" in text] == []


async def test_the_append_only_file_is_rewritten(redis: Redis) -> None:
    assert await rewrite_file(redis)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("Ann reviews it", "somebody reviews it", id="a name"),
        pytest.param("ask @ann: now", "ask @somebody: now", id="a mention"),
        pytest.param("[~acc-ann], hello", "[~somebody], hello", id="a mention of Jira's"),
        pytest.param("ANN's", "somebody's", id="capitals"),
        pytest.param("Thank you, Ann.", "Thank you, somebody.", id="the end of a sentence"),
        pytest.param("Anne announces a plan", "Anne announces a plan", id="parts of words"),
        pytest.param("ann-b and ann.b and b-ann", "ann-b and ann.b and b-ann", id="parts of other accounts"),
        pytest.param({"name": "Bob", "text": "Ann?"}, {"name": "Bob", "text": "somebody?"}, id="within a value"),
        pytest.param({"rule": "ann", "kind": "ann"}, {"rule": "ann", "kind": "ann"}, id="words of the program"),
        pytest.param([1, None, True, "ann"], [1, None, True, "somebody"], id="a list"),
        pytest.param({"assignee_id": "ann"}, {"assignee_id": ""}, id="an id of the configuration"),
    ],
)
def test_only_whole_words_are_the_person(text: Any, left: Any) -> None:
    assert traces_of(builders.team(), "ann").without(text) == left


@pytest.mark.parametrize(
    ("named", "words"),
    [
        pytest.param("ann", {"ann", "Ann", "acc-ann"}, id="an id"),
        pytest.param("acc-ann", {"ann", "Ann", "acc-ann"}, id="an account"),
        pytest.param("jira:acc-ann", {"ann", "Ann", "acc-ann"}, id="an account of one system"),
        pytest.param("github:acc-ann", {"acc-ann"}, id="the same name elsewhere is a stranger's"),
        pytest.param("557058:f58131cb", {"557058:f58131cb"}, id="an account with a colon"),
        pytest.param("github:carla", {"carla"}, id="a stranger"),
    ],
)
def test_who_is_meant(named: str, words: set[str]) -> None:
    assert traces_of(builders.team(), named).words == words


@pytest.mark.parametrize(
    ("named", "complaint"),
    [
        pytest.param("x", "too short", id="a letter"),
        pytest.param("both", "name one of them by id, one or two", id="an account of two people"),
    ],
)
def test_who_is_meant_must_be_clear(named: str, complaint: str) -> None:
    people = '\n[[people]]\nid = "{}"\nname = "{}"\n{} = "both"\n'
    team = builders.team(people.format("one", "One", "github") + people.format("two", "Two", "gitlab"))
    with pytest.raises(UnclearError, match=complaint):
        traces_of(team, named)


def test_the_paper_says_of_every_kind_of_key_what_becomes_of_it() -> None:
    code = [*ROOT.glob("service/**/*.py"), *ROOT.glob("service/scripts/*.lua")]
    named = re.compile(r"""(?:P \.\. '|PREFIX\}|_hash\(f?"|_key\(")([a-z-]+)""")
    kinds = {kind for path in code for kind in named.findall(path.read_text())}
    paper = (ROOT / "docs" / "privacy.md").read_text()
    assert len(kinds) > 40
    assert sorted(kind for kind in kinds if f"`{kind}`" not in paper) == []


async def test_the_command_says_what_it_did_and_what_is_left_to_do(
    full: Any, redis_url: str, tmp_path: Path, office: Steering
) -> None:
    (tmp_path / "crafty.toml").write_text(CONFIG + WATCHED + QUILL)
    environ = {"CRAFTY_REDIS_URL": redis_url}
    shown = await asyncio.to_thread(crafty, tmp_path, "forget", "squill", "--yes", "--json", environ=environ)
    told = json.loads(shown.stdout)
    assert (told["changed"]["delivery"], told["is_configured"], told["is_set"]) == (3, True, False)
    change = (await office.audit())[0][1]
    assert (change.what, change.after) == ("forget somebody", told["changed"])
    assert "squill" not in str(change)


@pytest.mark.parametrize(
    ("told", "words", "left"),
    [
        pytest.param(
            Told(changed={"delivery": 3}, is_configured=True, is_set=True, file_rewritten=False),
            "3 entries were changed",
            3,
            id="all",
        ),
        pytest.param(
            Told(changed={}, is_configured=False, is_set=False, file_rewritten=True),
            "Nothing that is stored names them",
            0,
            id="nothing",
        ),
    ],
)
def test_what_is_left_to_do_is_said_in_sentences(
    told: Told, words: str, left: int, capsys: pytest.CaptureFixture[str]
) -> None:
    show_forgotten(told)
    shown = capsys.readouterr()
    assert words in shown.out
    assert len(shown.err.splitlines()) == left


def test_the_command_asks_before_it_erases(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "crafty.toml").write_text(CONFIG)
    shown = crafty(tmp_path, "forget", "ann", environ={"CRAFTY_REDIS_URL": redis_url})
    assert shown.returncode == 1
    assert "Forget Ann, acc-ann, ann" in shown.stderr
    assert shown.stderr.endswith("Nothing was done.\n")
