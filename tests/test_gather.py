"""Gathering: what is read for a look, what is kept for a while, and what stands in for what can't be read."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from service.commitments import Commitment
from service.contributions import Contribution, Listed, Note, contribution_from
from service.engine import Decision
from service.errors import CannotAct, CraftyError, NotFound, TryLater
from service.events import Due
from service.facts import Person, Remark, Said, Sprint, Sprints, Ticket
from service.gather import Gatherer, JiraReader, Readers, find_out
from service.jira_shapes import FieldMap, RawField, RawSchema
from service.ledger import Case, Contributed, Entry, Ledger, Site
from service.queue import Queue, Result, look_again
from service.rules._base import Rule, RuleParams, Verdict
from service.situation import Told
from tests.builders import ANN, ELI, NEXT, RUNNING, SPRINTS, STRETCH, book, team, ticket
from tests.conftest import SetClock

RULE = "missing-reviewer"
FIELDS = FieldMap(reviewer="customfield_7")
NAMES = {"reviewer": "Reviewer 1"}
NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
FORUM_BOT = Person(name="Crafty", discourse="crafty")
COMMITMENT = Commitment(
    ticket="SE-1",
    summary="Fix the login",
    url="",
    cell="Serenity",
    sprint=41,
    sprint_name="SE Sprint 41",
    closed_at=NOW,
    status="In Progress",
    is_spillover=True,
)


@dataclass
class FakeJira:
    """A Jira that keeps tickets and sprints, and notes what was read. broken: errors by what is read."""

    fields: FieldMap = field(default_factory=FieldMap)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    boards: dict[int, tuple[Sprint, ...]] = field(default_factory=lambda: {12: (RUNNING, NEXT, STRETCH)})
    broken: dict[str | int, CraftyError] = field(default_factory=dict)
    reads: list[str | int] = field(default_factory=list)

    async def identify(self) -> Person:
        return Person(name="Crafty", jira="acc-crafty", jira_key="key-crafty")

    async def field_list(self) -> list[RawField]:
        return [RawField(id="customfield_7", name="Reviewer 1", schema=RawSchema(custom="userpicker"))]

    async def ticket(self, key: str) -> Ticket:
        self._read(key)
        if key not in self.tickets:
            raise NotFound(f"there is no {key}")
        return self.tickets[key]

    async def sprints(self, board: int) -> tuple[Sprint, ...]:
        self._read(board)
        return self.boards[board]

    async def sprint(self, number: int) -> Sprint:
        raise NotFound(f"there is no sprint {number}")

    async def search(self, jql: str) -> AsyncGenerator[Ticket, None]:
        self._read(jql)
        for one in self.tickets.values():
            yield one

    def _read(self, what: str | int) -> None:
        self.reads.append(what)
        if what in self.broken:
            raise self.broken[what]


@dataclass
class FakeHost:
    """A code host or forum that keeps notes.

    changed: when a contribution changed last, where that was not when it was opened; broken: raised at every call;
    asked: places with the moment since when; read: the keys whose notes were read.
    """

    bot: Person = field(default_factory=lambda: Person(name="Crafty", github="crafty-bot"))
    kept: dict[str, tuple[Note, ...]] = field(default_factory=dict)
    opened: dict[str | int, tuple[tuple[str, Note], ...]] = field(default_factory=dict)
    changed: dict[str, datetime] = field(default_factory=dict)
    broken: CraftyError | None = None
    asked: list[tuple[str | int, datetime]] = field(default_factory=list)
    read: list[str] = field(default_factory=list)

    async def identify(self) -> Person:
        self._fail()
        return self.bot

    async def notes(self, key: str) -> tuple[Note, ...]:
        self._fail()
        self.read.append(key)
        return self.kept[key]

    async def recent(self, place: str | int, since: datetime) -> tuple[Listed, ...]:
        self._fail()
        self.asked.append((place, since))
        listed = (Listed(key, note, self.changed.get(key, note.at)) for key, note in self.opened.get(place, ()))
        return tuple(one for one in listed if one.opened.at >= since)

    def _fail(self) -> None:
        if self.broken:
            raise self.broken


def rule(about: Any = Ticket) -> Rule:
    """A rule about such subjects."""
    return Rule(RULE, frozenset({Due}), RuleParams, lambda *_: Verdict.passed("fine"), "Tests.", subject=about)


def jira_with(*tickets: Ticket) -> FakeJira:
    return FakeJira(tickets={one.key: one for one in tickets})


@pytest.fixture
async def ledger(redis: Redis) -> Ledger:
    """A ledger of a site whose fields are known."""
    made = Ledger(redis)
    await made.keep_site(Site(fields=FIELDS))
    return made


async def test_a_look_knows_the_ticket_and_the_boards_sprints(ledger: Ledger) -> None:
    jira = jira_with(ticket(epic_key=None))
    situation = await Gatherer(jira, {}, team(), ledger).situation(rule(), "SE-1", book(), NOW)
    assert situation.subject == ticket(epic_key=None, epic_owner=None)
    assert (situation.sprints, situation.said, dict(situation.reviews_taken)) == (SPRINTS, None, {})
    assert jira.fields == FIELDS


async def test_a_look_knows_what_the_rule_said(ledger: Ledger, redis: Redis, clock: SetClock) -> None:
    queue = Queue(redis, clock)
    await queue.want(look_again(RULE, "SE-1", clock()))
    await queue.release(1)
    work = await queue.claim(f"look:{RULE}:SE-1", "1")
    assert work is not None
    case = Case(rule=RULE, subject="SE-1", comment="7", occasion="o", state="ask", at=clock(), turns=1, open=True)
    await queue.finish(work, Result(ending="done", case=case))
    gatherer = Gatherer(jira_with(ticket(), ticket(key="SE-2")), {}, team(), ledger)
    situation = await gatherer.situation(rule(), "SE-1", book(), NOW)
    assert situation.said == Said(occasion="o", state="ask", at=clock(), turns=1)
    assert (await gatherer.situation(rule(), "SE-2", book(), NOW)).said is None


async def test_a_look_counts_the_reviews_taken_in_the_tickets_sprint(ledger: Ledger) -> None:
    await ledger.take_review(RUNNING.id, "SE-7", "acc-fay")
    await ledger.take_review(99, "SE-8", "acc-fay")
    gatherer = Gatherer(jira_with(ticket(), ticket(key="SE-2", sprints=(NEXT,))), {}, team(), ledger)
    assert (await gatherer.situation(rule(), "SE-1", book(), NOW)).reviews_taken == {"acc-fay": 1}
    assert (await gatherer.situation(rule(), "SE-2", book(), NOW)).reviews_taken == {}


async def epic_owner(gatherer: Gatherer, key: str = "SE-1") -> Person | None:
    situation = await gatherer.situation(rule(), key, book(), NOW)
    assert isinstance(situation.subject, Ticket)
    return situation.subject.epic_owner


async def test_the_epics_assignee_is_its_owner_and_is_asked_for_once(ledger: Ledger) -> None:
    jira = jira_with(ticket(epic_key="SE-9"), ticket(key="SE-2", epic_key="SE-9"), ticket(key="SE-9", assignee=ELI))
    gatherer = Gatherer(jira, {}, team(), ledger)
    owners = [await epic_owner(gatherer, key) for key in ("SE-1", "SE-2")]
    assert owners == [ELI, ELI]
    assert jira.reads.count("SE-9") == 1


async def test_an_epic_of_nobody_is_asked_for_once_too(ledger: Ledger) -> None:
    jira = jira_with(ticket(epic_key="SE-9"), ticket(key="SE-9", assignee=None))
    for _ in range(2):
        assert await epic_owner(Gatherer(jira, {}, team(), ledger)) is None
    assert jira.reads.count("SE-9") == 1


async def test_an_outdated_epic_is_asked_for_again(ledger: Ledger, redis: Redis) -> None:
    jira = jira_with(ticket(epic_key="SE-9"), ticket(key="SE-9", assignee=ELI))
    gatherer = Gatherer(jira, {}, team(), ledger)
    await gatherer.situation(rule(), "SE-1", book(), NOW)
    jira.tickets["SE-9"] = ticket(key="SE-9", assignee=ANN)
    await redis.delete("crafty:cache:epic-owner:SE-9")
    assert await epic_owner(gatherer) == ANN


UNREADABLE = [pytest.param(NotFound("gone"), id="not there"), pytest.param(CannotAct("no right"), id="no right to")]


@pytest.mark.parametrize("fault", UNREADABLE)
async def test_an_epic_that_cannot_be_read_has_no_owner(ledger: Ledger, fault: CraftyError) -> None:
    jira = jira_with(ticket(epic_key="SE-9"))
    jira.broken["SE-9"] = fault
    assert await epic_owner(Gatherer(jira, {}, team(), ledger)) is None


async def test_a_board_is_read_once_for_many_looks(ledger: Ledger) -> None:
    jira = jira_with(ticket(), ticket(key="SE-2"))
    gatherer = Gatherer(jira, {}, team(), ledger)
    found = [(await gatherer.situation(rule(), key, book(), NOW)).sprints for key in ("SE-1", "SE-2")]
    assert found == [SPRINTS, SPRINTS]
    assert jira.reads.count(12) == 1


@pytest.mark.parametrize("fault", UNREADABLE)
async def test_where_the_board_cannot_be_read_the_tickets_own_sprints_stand_in(
    ledger: Ledger, fault: CraftyError
) -> None:
    jira = jira_with(ticket(sprints=(RUNNING,)), ticket(key="SE-2", sprints=(NEXT,)))
    jira.broken[12] = fault
    gatherer = Gatherer(jira, {}, team(), ledger)
    assert (await gatherer.situation(rule(), "SE-1", book(), NOW)).sprints == Sprints(active=RUNNING, is_whole=False)
    assert (await gatherer.situation(rule(), "SE-2", book(), NOW)).sprints == Sprints(next=NEXT, is_whole=False)


async def test_a_cell_without_a_board_knows_the_tickets_own_sprints(ledger: Ledger) -> None:
    jira = jira_with(ticket(key="OPS-1", sprints=(RUNNING,)))
    cells = team('\n[[cells]]\nname = "Ops"\nprojects = ["OPS"]\n')
    situation = await Gatherer(jira, {}, cells, ledger).situation(rule(), "OPS-1", book(), NOW)
    assert situation.sprints == Sprints(active=RUNNING)
    assert jira.reads == ["OPS-1"]


async def test_a_ticket_of_no_cell_is_read_and_nothing_else(ledger: Ledger) -> None:
    jira = jira_with(ticket(key="XX-1", epic_key="XX-9"))
    assert (await Gatherer(jira, {}, team(), ledger).situation(rule(), "XX-1", book(), NOW)).subject.key == "XX-1"
    assert jira.reads == ["XX-1"]


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        pytest.param("SE-1", NotFound("gone"), id="the ticket is gone"),
        pytest.param("SE-1", TryLater("busy", after=7), id="the ticket can't be read now"),
        pytest.param("SE-9", TryLater("busy"), id="the epic can't be read now"),
        pytest.param(12, TryLater("busy"), id="the board can't be read now"),
    ],
)
async def test_what_passes_is_left_to_the_queue(ledger: Ledger, broken: str | int, fault: CraftyError) -> None:
    jira = jira_with(ticket(epic_key="SE-9"), ticket(key="SE-9"))
    jira.broken[broken] = fault
    with pytest.raises(type(fault)) as raised:
        await Gatherer(jira, {}, team(), ledger).situation(rule(), "SE-1", book(), NOW)
    assert raised.value is fault


async def test_without_jira_the_settings_are_named(ledger: Ledger) -> None:
    with pytest.raises(CannotAct, match="set CRAFTY_JIRA_URL"):
        await Gatherer(None, {}, team(), ledger).situation(rule(), "SE-1", book(), NOW)


async def test_before_the_fields_are_known_nothing_is_concluded(redis: Redis) -> None:
    jira = jira_with(ticket())
    with pytest.raises(TryLater) as later:
        await Gatherer(jira, {}, team(), Ledger(redis)).situation(rule(), "SE-1", book(), NOW)
    assert later.value.after == 2
    assert jira.reads == []


@pytest.mark.parametrize(
    ("jira", "readers", "found"),
    [
        pytest.param(None, {}, Site(), id="nothing is connected"),
        pytest.param(
            FakeJira(), {}, Site(fields=FIELDS, jira_bot=("acc-crafty", "key-crafty")), id="a Jira with its fields"
        ),
        pytest.param(None, {"topic": FakeHost(FORUM_BOT)}, Site(discourse_bot="crafty"), id="a forum alone"),
        pytest.param(
            None,
            {"github": FakeHost(), "gitlab": FakeHost(Person(name="Crafty", gitlab="crafty-lab"))},
            Site(github_bot="crafty-bot", gitlab_bot="crafty-lab"),
            id="code hosts",
        ),
    ],
)
async def test_what_is_found_out(jira: JiraReader | None, readers: Readers, found: Site) -> None:
    assert await find_out(jira, readers, NAMES) == found


async def test_a_field_that_is_missing_is_a_problem_in_words() -> None:
    (problem,) = (await find_out(FakeJira(), {}, {"sprint": "Sprynt"})).problems
    assert "Sprynt" in problem


@pytest.mark.parametrize(("is_cloud", "problems"), [(True, 1), (False, 2)])
async def test_the_cloud_needs_no_epic_link_because_epics_are_parents(is_cloud: bool, problems: int) -> None:
    names = {"sprint": "Sprynt", "epic_link": "Epyc Link"}
    found = (await find_out(FakeJira(), {}, names, is_cloud=is_cloud)).problems
    assert (len(found), "Sprynt" in found[0]) == (problems, True)


async def test_the_cloud_uses_an_epic_link_that_is_there() -> None:
    site = await find_out(FakeJira(), {}, {**NAMES, "epic_link": "customfield_7"}, is_cloud=True)
    assert site.fields.epic_link == "customfield_7"


async def test_a_forum_that_is_away_takes_nothing_from_the_others() -> None:
    away = FakeHost(FORUM_BOT, broken=TryLater("Discourse gave no answer"))
    site = await find_out(FakeJira(), {"topic": away, "github": FakeHost()}, NAMES)
    assert (site.fields, site.jira_bot) == (FIELDS, ("acc-crafty", "key-crafty"))
    assert (site.discourse_bot, site.github_bot) == (None, "crafty-bot")
    assert site.problems == ("Discourse gave no answer",)


# Contributions

KEY = "github:acme/tool#12"
ADA = Person(name="Ada", github="ada")
OPENED = Note(what="opened", at=NOW, by=ADA, title="Fix the docs", url="https://x.example/12", kind="pull request")
ANSWERED = Note(what="answered", at=NOW + timedelta(hours=1), by=Person(name="Bob", github="bob"), id="c-1")


async def about(
    ledger: Ledger, key: str, *, reader: FakeHost | None = None, jira: FakeJira | None = None, now: datetime = NOW
) -> Any:
    """What a rule about contributions is told of that one."""
    gatherer = Gatherer(jira, {"github": reader} if reader else {}, team(), ledger)
    return (await gatherer.situation(rule(Contribution), key, book(), now)).subject


@pytest.mark.parametrize(
    ("told", "read"),
    [
        pytest.param((OPENED, ANSWERED), (), id="all from webhooks"),
        pytest.param((), (OPENED, ANSWERED), id="all from a reading"),
        pytest.param((ANSWERED,), (OPENED,), id="the answer from a webhook, the rest from a reading"),
        pytest.param((OPENED, ANSWERED), (ANSWERED, OPENED), id="both tell the same"),
    ],
)
async def test_what_webhooks_told_and_what_is_read_are_one(
    ledger: Ledger, told: tuple[Note, ...], read: tuple[Note, ...]
) -> None:
    await ledger.keep_notes(Contributed(key=KEY, place="acme/tool", notes=told))
    found = await about(ledger, KEY, reader=FakeHost(kept={KEY: read}))
    assert found == contribution_from(KEY, "acme/tool", (OPENED, ANSWERED))
    assert len(found.answers) == 1


@pytest.mark.parametrize(
    ("told", "minutes", "read"),
    [
        pytest.param((OPENED,), 0, [], id="opened now"),
        pytest.param((OPENED,), 10, [], id="opened ten minutes ago"),
        pytest.param((OPENED,), 11, [KEY], id="opened eleven minutes ago"),
        pytest.param((OPENED, ANSWERED), 70, [], id="answered ten minutes ago"),
        pytest.param((OPENED, ANSWERED), 71, [KEY], id="answered eleven minutes ago"),
        pytest.param((ANSWERED,), 60, [KEY], id="answered now, and nobody told of its opening"),
    ],
)
async def test_what_webhooks_told_a_moment_ago_is_not_read(
    ledger: Ledger, told: tuple[Note, ...], minutes: int, read: list[str]
) -> None:
    await ledger.keep_notes(Contributed(key=KEY, place="acme/tool", notes=told))
    host = FakeHost(kept={KEY: (OPENED, ANSWERED)})
    await about(ledger, KEY, reader=host, now=NOW + timedelta(minutes=minutes))
    assert host.read == read


async def test_what_webhooks_left_untold_once_is_read_each_time(ledger: Ledger) -> None:
    host = FakeHost(kept={KEY: (OPENED, ANSWERED)})
    await ledger.keep_notes(Contributed(key=KEY, place="acme/tool", notes=(OPENED,)))
    await about(ledger, KEY, reader=host, now=NOW + timedelta(hours=2))
    later = Note(what="answered", at=NOW + timedelta(hours=3), by=ANSWERED.by, id="c-2")
    await ledger.keep_notes(Contributed(key=KEY, notes=(later,)))
    found = await about(ledger, KEY, reader=host, now=NOW + timedelta(hours=3))
    assert host.read == [KEY, KEY]
    assert [answer.id for answer in found.answers] == ["c-1", "c-2"]


async def test_without_a_reader_what_webhooks_told_is_known(ledger: Ledger) -> None:
    await ledger.keep_notes(Contributed(key=KEY, place="acme/tool", notes=(OPENED,)))
    assert await about(ledger, KEY) == contribution_from(KEY, "acme/tool", (OPENED,))


async def test_a_contribution_that_nobody_told_of_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match=KEY):
        await about(ledger, KEY)


async def test_a_ticket_of_a_contributions_project_tells_of_itself(ledger: Ledger) -> None:
    remark = Remark(id="7", at=NOW, author=ANN, text="Thanks, we look at it")
    found = await about(ledger, "CON-5", jira=jira_with(ticket(key="CON-5", reporter=ADA, remarks=(remark,))))
    assert (found.place, found.author, found.title) == ("CON", ADA, "Fix the login")
    assert [(answer.by, answer.at) for answer in found.answers] == [(ANN, NOW)]


async def test_the_internal_ticket_of_such_a_ticket_is_remembered(ledger: Ledger) -> None:
    jira = jira_with(ticket(key="CON-5"))
    assert (await about(ledger, "CON-5", jira=jira)).ticket is None
    await ledger.keep_notes(Contributed(key="CON-5", notes=(Note(what="ticketed", at=NOW, id="SE-77"),)))
    assert (await about(ledger, "CON-5", jira=jira)).ticket == "SE-77"


async def test_a_rule_knows_what_it_did_what_was_told_and_who_we_are(
    ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    await ledger.keep_site(Site(fields=FIELDS, jira_bot=("acc-crafty",), github_bot="crafty-bot"))
    queue = Queue(redis, clock)
    await queue.want(look_again(RULE, "SE-1", clock()))
    await queue.release(1)
    work = await queue.claim(f"look:{RULE}:SE-1", "1")
    assert work is not None
    decision = Decision(
        rule=RULE, subject="SE-1", cell="Serenity", mode="on", outcome="wait", reason="not yet", facts={}
    )
    entry = Entry(at=clock(), subject="SE-1", stage="look", decisions=(decision,))
    await queue.finish(work, Result(ending="done", done={"a:key": "done"}, entries=[entry]))
    await ledger.keep_line(COMMITMENT)
    situation = await Gatherer(jira_with(ticket()), {}, team(), ledger).situation(rule(), "SE-1", book(), NOW)
    assert situation.done == {"a:key"}
    assert situation.told == (Told(rule=RULE, at=clock(), outcome="wait", reason="not yet"),)
    assert situation.bot == {"acc-crafty", "crafty-bot"}
    assert situation.commitments == {41: COMMITMENT}


@pytest.mark.parametrize("fault", UNREADABLE)
async def test_admins_are_warned_of_a_board_that_cannot_be_read(ledger: Ledger, fault: CraftyError) -> None:
    jira = jira_with(ticket())
    jira.broken[12] = fault
    assert (await Gatherer(jira, {}, team(), ledger).situation(rule(), "SE-1", book(), NOW)).sprints.is_whole is False
    assert await ledger.warnings() == {"board of Serenity": f"Board 12 can't be read: {fault}"}
