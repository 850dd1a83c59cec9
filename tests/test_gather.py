"""Gathering: what is read for a look, what is kept for a while, and what stands in for what can't be read."""

from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

from service.errors import CannotAct, CraftyError, NotFound, TryLater
from service.facts import Person, Said, Sprint, Sprints, Ticket
from service.gather import ContributionReader, Gatherer, JiraReader, find_out
from service.jira_shapes import FieldMap, RawField, RawSchema
from service.ledger import Case, Ledger, Site
from service.queue import Queue, Result, look_again
from tests.builders import ANN, ELI, NEXT, RUNNING, SPRINTS, STRETCH, team, ticket
from tests.conftest import SetClock

RULE = "missing-reviewer"
FIELDS = FieldMap(reviewer="customfield_7")
NAMES = {"reviewer": "Reviewer 1"}


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

    def _read(self, what: str | int) -> None:
        self.reads.append(what)
        if what in self.broken:
            raise self.broken[what]


class FakeForum:
    async def identify(self) -> Person:
        return Person(name="Crafty", discourse="crafty")


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
    situation = await Gatherer(jira, {}, team(), ledger).situation(rule(), "SE-1")
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
    assert (await gatherer.situation(rule(), "SE-1")).said == Said(occasion="o", state="ask", at=clock(), turns=1)
    assert (await gatherer.situation(rule(), "SE-2")).said is None


async def test_a_look_counts_the_reviews_taken_in_the_tickets_sprint(ledger: Ledger) -> None:
    await ledger.take_review(RUNNING.id, "SE-7", "acc-fay")
    await ledger.take_review(99, "SE-8", "acc-fay")
    gatherer = Gatherer(jira_with(ticket(), ticket(key="SE-2", sprints=(NEXT,))), {}, team(), ledger)
    assert (await gatherer.situation(rule(), "SE-1")).reviews_taken == {"acc-fay": 1}
    assert (await gatherer.situation(rule(), "SE-2")).reviews_taken == {}


async def test_the_epics_assignee_is_its_owner_and_is_asked_for_once(ledger: Ledger) -> None:
    jira = jira_with(ticket(epic_key="SE-9"), ticket(key="SE-2", epic_key="SE-9"), ticket(key="SE-9", assignee=ELI))
    gatherer = Gatherer(jira, {}, team(), ledger)
    owners = [(await gatherer.situation(rule(), key)).subject.epic_owner for key in ("SE-1", "SE-2")]
    assert owners == [ELI, ELI]
    assert jira.reads.count("SE-9") == 1


async def test_an_epic_of_nobody_is_asked_for_once_too(ledger: Ledger) -> None:
    jira = jira_with(ticket(epic_key="SE-9"), ticket(key="SE-9", assignee=None))
    for _ in range(2):
        assert (await Gatherer(jira, {}, team(), ledger).situation(rule(), "SE-1")).subject.epic_owner is None
    assert jira.reads.count("SE-9") == 1


async def test_an_outdated_epic_is_asked_for_again(ledger: Ledger, redis: Redis) -> None:
    jira = jira_with(ticket(epic_key="SE-9"), ticket(key="SE-9", assignee=ELI))
    gatherer = Gatherer(jira, {}, team(), ledger)
    await gatherer.situation(rule(), "SE-1")
    jira.tickets["SE-9"] = ticket(key="SE-9", assignee=ANN)
    await redis.delete("crafty:cache:epic-owner:SE-9")
    assert (await gatherer.situation(rule(), "SE-1")).subject.epic_owner == ANN


UNREADABLE = [pytest.param(NotFound("gone"), id="not there"), pytest.param(CannotAct("no right"), id="no right to")]


@pytest.mark.parametrize("fault", UNREADABLE)
async def test_an_epic_that_cannot_be_read_has_no_owner(ledger: Ledger, fault: CraftyError) -> None:
    jira = jira_with(ticket(epic_key="SE-9"))
    jira.broken["SE-9"] = fault
    assert (await Gatherer(jira, {}, team(), ledger).situation(rule(), "SE-1")).subject.epic_owner is None


async def test_a_board_is_read_once_for_many_looks(ledger: Ledger) -> None:
    jira = jira_with(ticket(), ticket(key="SE-2"))
    gatherer = Gatherer(jira, {}, team(), ledger)
    found = [(await gatherer.situation(rule(), key)).sprints for key in ("SE-1", "SE-2")]
    assert found == [SPRINTS, SPRINTS]
    assert jira.reads.count(12) == 1


@pytest.mark.parametrize("fault", UNREADABLE)
async def test_where_the_board_cannot_be_read_the_tickets_own_sprints_stand_in(
    ledger: Ledger, fault: CraftyError
) -> None:
    jira = jira_with(ticket(sprints=(RUNNING,)), ticket(key="SE-2", sprints=(NEXT,)))
    jira.broken[12] = fault
    gatherer = Gatherer(jira, {}, team(), ledger)
    assert (await gatherer.situation(rule(), "SE-1")).sprints == Sprints(active=RUNNING)
    assert (await gatherer.situation(rule(), "SE-2")).sprints == Sprints(next=NEXT)


async def test_a_cell_without_a_board_knows_the_tickets_own_sprints(ledger: Ledger) -> None:
    jira = jira_with(ticket(key="OPS-1", sprints=(RUNNING,)))
    cells = team('\n[[cells]]\nname = "Ops"\nprojects = ["OPS"]\n')
    assert (await Gatherer(jira, {}, cells, ledger).situation(rule(), "OPS-1")).sprints == Sprints(active=RUNNING)
    assert jira.reads == ["OPS-1"]


async def test_a_ticket_of_no_cell_is_read_and_nothing_else(ledger: Ledger) -> None:
    jira = jira_with(ticket(key="XX-1", epic_key="XX-9"))
    assert (await Gatherer(jira, {}, team(), ledger).situation(rule(), "XX-1")).subject.key == "XX-1"
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
        await Gatherer(jira, {}, team(), ledger).situation(rule(), "SE-1")
    assert raised.value is fault


async def test_without_jira_the_settings_are_named(ledger: Ledger) -> None:
    with pytest.raises(CannotAct, match="set CRAFTY_JIRA_URL"):
        await Gatherer(None, {}, team(), ledger).situation(rule(), "SE-1")


async def test_before_the_fields_are_known_nothing_is_concluded(redis: Redis) -> None:
    jira = jira_with(ticket())
    with pytest.raises(TryLater) as later:
        await Gatherer(jira, {}, team(), Ledger(redis)).situation(rule(), "SE-1")
    assert later.value.after == 2
    assert jira.reads == []


@pytest.mark.parametrize(
    ("jira", "forum", "found"),
    [
        pytest.param(None, None, Site(), id="nothing is connected"),
        pytest.param(
            FakeJira(), None, Site(fields=FIELDS, jira_bot=("acc-crafty", "key-crafty")), id="a Jira with its fields"
        ),
        pytest.param(None, FakeForum(), Site(discourse_bot="crafty"), id="a forum alone"),
    ],
)
async def test_what_is_found_out(jira: JiraReader | None, forum: ForumReader | None, found: Site) -> None:
    assert await find_out(jira, forum, NAMES) == found


async def test_a_field_that_is_missing_is_a_problem_in_words() -> None:
    (problem,) = (await find_out(FakeJira(), None, {"sprint": "Sprynt"})).problems
    assert "Sprynt" in problem


async def test_a_forum_that_is_away_takes_nothing_from_jira() -> None:
    class Away:
        async def identify(self) -> Person:
            raise TryLater("Discourse gave no answer")

    class Jira:
        fields = FieldMap()

        async def identify(self) -> Person:
            return Person(name="Crafty", jira="acc-bot")

        async def field_list(self) -> list[RawField]:
            return [RawField(id="customfield_1", name="Reviewer 1")]

    site = await find_out(Jira(), Away(), {"reviewer": "Reviewer 1"})  # type: ignore[arg-type]
    assert (site.fields.reviewer, site.jira_bot, site.discourse_bot) == ("customfield_1", ("acc-bot",), None)
    assert site.problems == ("Discourse gave no answer",)
