"""Effects on fakes that keep what is written: done once, found again after a crash, and never against people's will."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from service.actions import (
    Action,
    AddLabel,
    Assign,
    Comment,
    CreateTicket,
    Digest,
    EditComment,
    Link,
    MoveToBacklog,
    MoveToSprint,
    Notify,
    RankTop,
    Recheck,
    Record,
    RemoveLabel,
    Reply,
    SetReviewer,
    Warn,
)
from service.attention import mentioned
from service.commitments import Commitment
from service.contributions import Acknowledgement, Note
from service.effects import Done, Effects, Order
from service.errors import CannotAct, NotFound, TryLater
from service.facts import Person
from service.jira_shapes import FieldMap
from service.ledger import Case, Contributed, Ledger, Site
from service.queue import Queue, Result, look_again
from service.texts import Message, item, paragraph, small, to_plain
from tests.builders import ANN, BOB, FAY, NEW, SAM
from tests.conftest import SetClock

RULE = "missing-reviewer"
NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
KEY = f"{RULE}:SE-1:sprint-41"


class Killed(BaseException):
    """The process ends at this very moment, and cleans up nothing."""


@dataclass
class Written:
    """A comment as Jira keeps it."""

    ticket: str
    key: str
    text: str
    edits: int = 0
    mentions: tuple[Person, ...] = ()


@dataclass
class Created:
    """A ticket as it was made."""

    project: str
    issue_type: str
    summary: str
    text: str
    due: date
    epic: str | None
    assignee: Person | None
    labels: list[str]


@dataclass
class FakeJira:
    """A Jira that keeps what is written.

    created: tickets by their key; faults_after: raised once, after the write of that name; dies_after: the write after
    which the process is killed.
    """

    fields: FieldMap = field(default_factory=lambda: FieldMap(reviewer="customfield_7"))
    comments: dict[str, Written] = field(default_factory=dict)
    assignees: dict[str, Person | None] = field(default_factory=dict)
    user_fields: dict[tuple[str, str], Person] = field(default_factory=dict)
    ranking: dict[int, list[str]] = field(default_factory=dict)
    labels: dict[str, set[str]] = field(default_factory=dict)
    links: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    created: dict[str, Created] = field(default_factory=dict)
    faults_after: dict[str, Exception] = field(default_factory=dict)
    dies_after: str = ""

    async def find_comment(self, ticket: str, key: str) -> str | None:
        found = (number for number, one in self.comments.items() if (one.ticket, one.key) == (ticket, key))
        return next(found, None)

    async def add_comment(self, ticket: str, message: Message, key: str) -> str:
        number = f"{10_000 + len(self.comments)}"
        self.comments[number] = Written(ticket, key, to_plain(message), mentions=mentioned(message))
        self._written("add_comment")
        return number

    async def edit_comment(self, ticket: str, comment_id: str, message: Message) -> None:
        if comment_id not in self.comments:
            raise NotFound("that comment is gone")
        standing = self.comments[comment_id]
        self.comments[comment_id] = replace(standing, text=to_plain(message), edits=standing.edits + 1)
        self._written("edit_comment")

    async def assign(self, ticket: str, person: Person | None) -> None:
        self.assignees[ticket] = person
        self._written("assign")

    async def set_user_field(self, ticket: str, field_id: str, person: Person) -> None:
        self.user_fields[ticket, field_id] = person
        self._written("set_user_field")

    async def move_to_sprint(self, sprint: int, keys: Sequence[str]) -> None:
        await self.move_to_backlog(keys)
        self.ranking.setdefault(sprint, []).extend(keys)

    async def move_to_backlog(self, keys: Sequence[str]) -> None:
        for tickets in self.ranking.values():
            tickets[:] = [ticket for ticket in tickets if ticket not in keys]

    async def rank_first(self, key: str, before_key: str) -> None:
        tickets = next(tickets for tickets in self.ranking.values() if key in tickets)
        tickets.remove(key)
        tickets.insert(tickets.index(before_key), key)

    async def first_of_sprint(self, sprint: int) -> str | None:
        return next(iter(self.ranking.get(sprint, [])), None)

    async def edit_labels(self, ticket: str, add: Sequence[str], remove: Sequence[str]) -> None:
        self.labels[ticket] = (self.labels.get(ticket, set()) | set(add)) - set(remove)

    async def find_by_label(self, project: str, label: str) -> str | None:
        found = (key for key, one in self.created.items() if one.project == project and label in one.labels)
        return next(found, None)

    async def create_ticket(
        self,
        project: str,
        issue_type: str,
        summary: str,
        message: Message,
        *,
        due: date,
        epic: str | None,
        assignee: Person | None,
        labels: Sequence[str],
    ) -> str:
        key = f"{project}-{100 + len(self.created)}"
        self.created[key] = Created(project, issue_type, summary, to_plain(message), due, epic, assignee, list(labels))
        self._written("create_ticket")
        return key

    async def add_remote_link(self, ticket: str, url: str, title: str, global_id: str) -> None:
        self.links[ticket, global_id] = (url, title)

    def _written(self, what: str) -> None:
        if what == self.dies_after:
            self.dies_after = ""
            raise Killed
        if what in self.faults_after:
            raise self.faults_after.pop(what)


@dataclass
class FakeChat:
    """A chat that keeps messages as (where, key, text), and looks for a key only when it is told that it retries.

    faults: raised instead of posting, one each; faults_after: raised after posting; dies_after_posting: the process is
    killed then.
    """

    messages: list[tuple[str, str, str]] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    faults_after: list[Exception] = field(default_factory=list)
    dies_after_posting: bool = False

    async def direct_message(
        self, username: str, message: Message, zone: str | None = None, *, key: str, is_retry: bool = False
    ) -> str:
        return self._keep(f"@{username}", key, to_plain(message), is_retry)

    async def post(self, channel: str, message: Message, *, key: str, is_retry: bool = False) -> str:
        return self._keep(f"#{channel}", key, to_plain(message), is_retry)

    def _keep(self, where: str, key: str, text: str, is_retry: bool) -> str:
        if self.faults:
            raise self.faults.pop(0)
        if not (is_retry and any((place, mark) == (where, key) for place, mark, _ in self.messages)):
            self.messages.append((where, key, text))
        if self.dies_after_posting:
            self.dies_after_posting = False
            raise Killed
        if self.faults_after:
            raise self.faults_after.pop(0)
        return "a-post"


@dataclass
class FakeForum:
    """A forum that keeps answers; a moderated one shows none of them yet."""

    is_moderated: bool = False
    answers: list[tuple[int, int | None, str]] = field(default_factory=list)

    async def reply(
        self, topic: int, message: Message, zone: str | None = None, *, post: int | None = None, is_retry: bool = False
    ) -> int | None:
        answer = (topic, post, to_plain(message))
        if not (is_retry and answer in self.answers):
            self.answers.append(answer)
        return None if self.is_moderated else len(self.answers)


@dataclass
class Desk:
    """Effects on fakes, with the means to record what came of one."""

    redis: Redis
    clock: SetClock
    jira: FakeJira = field(default_factory=FakeJira)
    chat: FakeChat = field(default_factory=FakeChat)
    forum: FakeForum = field(default_factory=FakeForum)

    @property
    def effects(self) -> Effects:
        return Effects(self.jira, self.chat, self.forum, Ledger(self.redis))

    async def do(self, action: Action, *, is_retry: bool = False) -> Done:
        """Does it and records nothing, as after a crash."""
        return await self.effects.do(Order(action, action.key(RULE, "SE-1"), RULE, "SE-1", self.clock(), is_retry))

    async def do_and_record(self, action: Action) -> Done:
        done = await self.do(action)
        queue = Queue(self.redis, self.clock)
        await queue.want(look_again(RULE, "SE-1", self.clock()))
        await queue.release(1)
        token = (await self.redis.get("crafty:leases")).decode()
        work = await queue.claim(f"look:{RULE}:SE-1", token)
        assert work is not None
        assert await queue.finish(work, Result(ending="done", case=done.case))
        return done

    @property
    def texts(self) -> list[str]:
        return [comment.text for comment in self.jira.comments.values()]


@pytest.fixture
def desk(redis: Redis, clock: SetClock) -> Desk:
    return Desk(redis, clock)


def says(text: str) -> Message:
    return Message((paragraph(text),))


def ask(text: str = "Who reviews it?", state: str = "missing", occasion: str = "sprint-41") -> Comment:
    return Comment(ticket="SE-1", occasion=occasion, state=state, message=says(text))


def content(state: str = "reviewed") -> EditComment:
    return EditComment(ticket="SE-1", occasion="sprint-41", state=state, message=says("Thank you!"))


# The comment


async def test_a_comment_is_written_with_its_key(desk: Desk) -> None:
    done = await desk.do(ask())
    assert list(desk.jira.comments.values()) == [Written("SE-1", KEY, "Who reviews it?")]
    assert (done.result, done.reason) == ("done", "commented on SE-1")
    assert done.case == Case(
        rule=RULE, subject="SE-1", comment="10000", occasion="sprint-41", state="missing", at=NOW, turns=0, open=True
    )


async def test_a_comment_that_was_written_and_not_recorded_is_found_again(desk: Desk) -> None:
    await desk.do(ask())
    done = await desk.do(ask(), is_retry=True)
    assert desk.texts == ["Who reviews it?"]
    assert done.case is not None
    assert (done.case.comment, done.case.turns) == ("10000", 0)


async def test_the_same_state_is_said_once(desk: Desk) -> None:
    await desk.do_and_record(ask())
    done = await desk.do(ask("Other words"))
    assert done == Done("skipped", "the comment says so already")
    assert desk.texts == ["Who reviews it?"]


async def test_a_new_state_edits_the_comment_and_keeps_when_it_was_asked_first(desk: Desk, clock: SetClock) -> None:
    await desk.do_and_record(ask())
    clock.advance(days=1)
    done = await desk.do_and_record(ask("Once more: who reviews it?", "missing again"))
    clock.advance(days=1)
    last = await desk.do(content())
    assert done.case is not None
    assert last.case is not None
    assert desk.texts == ["Thank you!"]
    assert [case.at for case in (done.case, last.case)] == [NOW, NOW]
    assert [(case.turns, case.open) for case in (done.case, last.case)] == [(1, True), (2, False)]
    assert last.reason == "edited the comment on SE-1"


async def test_another_occasion_is_another_comment(desk: Desk) -> None:
    await desk.do_and_record(ask())
    await desk.do_and_record(ask("And in this sprint?", occasion="sprint-42"))
    assert desk.texts == ["Who reviews it?", "And in this sprint?"]


@pytest.mark.parametrize("action", [ask("Again?", "missing again"), content()], ids=["a question", "an edit"])
async def test_a_comment_that_people_deleted_is_not_written_again(desk: Desk, action: Comment) -> None:
    await desk.do_and_record(ask())
    desk.jira.comments.clear()
    done = await desk.do_and_record(action)
    assert desk.texts == []
    assert done.reason == "somebody deleted the comment on SE-1, and it stays so"
    assert await desk.do(action) == Done("skipped", "the comment says so already")


async def test_an_edit_without_a_comment_writes_nothing(desk: Desk) -> None:
    assert await desk.do(content()) == Done("skipped", "there is no comment to edit")
    assert desk.texts == []


async def test_an_edit_finds_a_comment_that_nobody_recorded(desk: Desk) -> None:
    await desk.do(ask())
    await desk.do(content())
    assert desk.texts == ["Thank you!"]


# The rest of Jira


async def test_people_are_assigned_and_unassigned(desk: Desk) -> None:
    first = await desk.do(Assign(ticket="SE-1", person=ANN))
    assert desk.jira.assignees == {"SE-1": ANN}
    second = await desk.do(Assign(ticket="SE-1", person=None))
    assert desk.jira.assignees == {"SE-1": None}
    assert [first.reason, second.reason] == ["assigned SE-1 to Ann", "assigned SE-1 to nobody"]


async def test_a_reviewer_is_set_and_counted_once_a_ticket(desk: Desk, redis: Redis) -> None:
    for ticket in ("SE-1", "SE-1", "SE-2"):
        await desk.do(SetReviewer(ticket=ticket, person=FAY, sprint=41))
    assert desk.jira.user_fields == {(ticket, "customfield_7"): FAY for ticket in ("SE-1", "SE-2")}
    assert await Ledger(redis).reviews_taken(41) == {"acc-fay": 2}


async def test_a_review_that_was_given_before_the_crash_is_counted_after_it(desk: Desk, redis: Redis) -> None:
    desk.jira.dies_after = "set_user_field"
    with pytest.raises(Killed):
        await desk.do(SetReviewer(ticket="SE-1", person=FAY, sprint=41))
    await desk.do(SetReviewer(ticket="SE-1", person=FAY, sprint=41), is_retry=True)
    assert await Ledger(redis).reviews_taken(41) == {"acc-fay": 1}


async def test_a_process_that_has_just_started_knows_which_field_names_the_reviewer(desk: Desk, redis: Redis) -> None:
    desk.jira.fields = FieldMap()
    await Ledger(redis).keep_site(Site(fields=FieldMap(reviewer="customfield_9")))
    await desk.do(SetReviewer(ticket="SE-1", person=FAY, sprint=41))
    assert desk.jira.user_fields == {("SE-1", "customfield_9"): FAY}


async def test_a_reviewer_without_a_field_says_what_to_configure(desk: Desk, redis: Redis) -> None:
    desk.jira.fields = FieldMap()
    with pytest.raises(CannotAct, match=r"name it in \[jira\.fields\]"):
        await desk.do(SetReviewer(ticket="SE-1", person=FAY, sprint=41))
    assert await Ledger(redis).reviews_taken(41) == {}


@pytest.mark.parametrize(
    ("action", "sprints"),
    [
        pytest.param(
            MoveToSprint(ticket="SE-1", sprint=42, name="SE Sprint 42"),
            {41: ["SE-8", "SE-9"], 42: ["SE-5", "SE-1"]},
            id="to a sprint",
        ),
        pytest.param(MoveToBacklog(ticket="SE-1"), {41: ["SE-8", "SE-9"], 42: ["SE-5"]}, id="to the backlog"),
        pytest.param(RankTop(ticket="SE-1", sprint=41), {41: ["SE-1", "SE-8", "SE-9"], 42: ["SE-5"]}, id="to the top"),
        pytest.param(
            RankTop(ticket="SE-8", sprint=41), {41: ["SE-8", "SE-1", "SE-9"], 42: ["SE-5"]}, id="which it had already"
        ),
        pytest.param(
            RankTop(ticket="SE-1", sprint=77), {41: ["SE-8", "SE-1", "SE-9"], 42: ["SE-5"]}, id="of an empty sprint"
        ),
    ],
)
async def test_tickets_move_and_doing_it_twice_is_once(
    desk: Desk, action: Action, sprints: dict[int, list[str]]
) -> None:
    desk.jira.ranking = {41: ["SE-8", "SE-1", "SE-9"], 42: ["SE-5"]}
    for _ in range(2):
        assert (await desk.do(action)).result == "done"
        assert desk.jira.ranking == sprints


async def test_a_label_is_put_on_and_taken_off_and_the_others_stay(desk: Desk) -> None:
    desk.jira.labels["SE-1"] = {"urgent"}
    labels = []
    for action in (AddLabel, AddLabel, RemoveLabel, RemoveLabel):
        assert (await desk.do(action(ticket="SE-1", label="spillover-risk"))).result == "done"
        labels.append(sorted(desk.jira.labels["SE-1"]))
    assert labels == [["spillover-risk", "urgent"]] * 2 + [["urgent"]] * 2


async def test_a_link_of_one_id_is_one_link_that_says_what_it_said_last(desk: Desk) -> None:
    for title in ("Fix the docs", "Fix all docs"):
        await desk.do(Link(ticket="SE-1", url="https://x.example/12", title=title, global_id="github:acme/tool#12"))
    assert desk.jira.links == {("SE-1", "github:acme/tool#12"): ("https://x.example/12", "Fix all docs")}


# Tickets for contributions

CREATE = CreateTicket(
    project="SE",
    issue_type="Task",
    summary="Answer Ada",
    message=says("Ada opened a pull request."),
    due=date(2026, 11, 17),
    epic="SE-9",
    assignee=FAY,
    labels=("community",),
)


async def test_a_ticket_is_made_as_it_was_described_and_its_key_is_news_of_the_contribution(desk: Desk) -> None:
    done = await desk.do(CREATE)
    ((key, made),) = desk.jira.created.items()
    assert made == replace(
        Created("SE", "Task", "Answer Ada", "Ada opened a pull request.", date(2026, 11, 17), "SE-9", FAY, []),
        labels=made.labels,
    )
    assert made.labels[0] == "community"
    assert (done.result, done.reason) == ("done", f"made {key}")
    assert done.noted == Contributed(key="SE-1", notes=(Note(what="ticketed", at=NOW, id=key),))


async def test_a_ticket_that_was_made_before_a_crash_is_found_again_by_its_label(desk: Desk) -> None:
    desk.jira.dies_after = "create_ticket"
    with pytest.raises(Killed):
        await desk.do(CREATE)
    done = await desk.do(CREATE, is_retry=True)
    assert list(desk.jira.created) == ["SE-100"]
    assert done.reason == "made SE-100"


async def test_a_retry_makes_the_ticket_where_none_was_made(desk: Desk) -> None:
    await desk.effects.do(Order(CREATE, "of another contribution", RULE, "SE-2", NOW))
    assert (await desk.do(CREATE, is_retry=True)).reason == "made SE-101"


@pytest.mark.parametrize(
    ("after", "waits"),
    [pytest.param(None, 60, id="no time named"), pytest.param(5, 60, id="too soon"), pytest.param(90, 90, id="later")],
)
async def test_a_ticket_without_a_clear_answer_is_looked_for_once_jiras_search_can_find_it(
    desk: Desk, after: float | None, waits: float
) -> None:
    desk.jira.faults_after["create_ticket"] = TryLater("no answer", after=after)
    with pytest.raises(TryLater, match="no answer") as later:
        await desk.do(CREATE)
    assert later.value.after == waits


# Ledgers and warnings


def commitment(sprint: int = 41, **more: Any) -> Commitment:
    usual: dict[str, Any] = {"summary": "Fix the login", "url": "https://x.example", "cell": "Serenity"}
    kept = {"sprint_name": f"Sprint {sprint}", "closed_at": NOW, "status": "In Progress", "is_spillover": True}
    return Commitment(ticket="SE-1", sprint=sprint, **{**usual, **kept, **more})


def acknowledgement(**more: Any) -> Acknowledgement:
    return Acknowledgement(
        contribution="github:acme/tool#12", cell="Serenity", title="Docs", url="", waiting_since=NOW, **more
    )


async def test_the_spillover_ledger_has_one_line_for_each_sprint_and_the_last_one_wins(
    desk: Desk, redis: Redis
) -> None:
    for line in (commitment(), commitment(42), commitment(reason="ill")):
        done = await desk.do(Record(line=line))
    assert done.reason == "kept the line of SE-1 in the ledger"
    ledger = Ledger(redis)
    assert await ledger.commitments("SE-1") == {41: commitment(reason="ill"), 42: commitment(42)}
    assert sorted(line.sprint for line in await ledger.all_commitments()) == [41, 42]
    assert await redis.ttl("crafty:commitments:SE-1") == -1


async def test_the_statistics_have_one_line_for_each_contribution(desk: Desk, redis: Redis) -> None:
    answered = acknowledgement(answered_at=NOW, answered_by="Bob", took=timedelta(0))
    for line in (acknowledgement(), answered):
        await desk.do(Record(line=line))
    assert await Ledger(redis).acknowledgements() == [answered]


async def test_admins_are_warned_in_the_log_once(desk: Desk, redis: Redis) -> None:
    warn = Warn(about="Serenity", text="there is no sprint Stretch Goals; create it")
    with capture_logs() as logs:
        for _ in range(2):
            assert (await desk.do(warn)).reason == "told admins: there is no sprint Stretch Goals; create it"
    assert [one["about"] for one in logs if one["event"] == "admins.warned"] == ["Serenity"]
    assert await Ledger(redis).warnings() == {"Serenity": "there is no sprint Stretch Goals; create it"}


# Chat and forum


@pytest.mark.parametrize(
    ("notify", "where", "reason"),
    [
        pytest.param(Notify(person=BOB, message=says("Hello")), "@bob", "told Bob in chat", id="a person"),
        pytest.param(
            Notify(channel="serenity", message=says("Hello")), "#serenity", "posted in serenity", id="a channel"
        ),
    ],
)
async def test_a_message_is_sent_and_not_sent_again_after_a_crash(
    desk: Desk, notify: Notify, where: str, reason: str
) -> None:
    desk.chat.dies_after_posting = True
    with pytest.raises(Killed):
        await desk.do(notify)
    assert await desk.do(notify, is_retry=True) == Done("done", reason)
    assert desk.chat.messages == [(where, notify.key(RULE, "SE-1"), "Hello")]


async def test_somebody_without_an_account_is_skipped_with_the_reason(desk: Desk) -> None:
    done = await desk.do(Notify(person=NEW, message=says("Hello")))
    assert done == Done("skipped", "Nia has no chat account in the configuration")
    assert desk.chat.messages == []
    warning = "Nia has no chat account in the configuration; add it to [[people]]"
    assert await Ledger(desk.redis).warnings() == {"chat account of Nia": warning}


async def test_a_digest_is_one_message_with_all_its_lines(desk: Desk) -> None:
    lines = [item("SE-1 has no estimate"), item("SE-2 has no reviewer")]
    digest = Digest(person=SAM, intro=paragraph("Not ready:"), line=lines[0], footer=small("Crafty"), at=NOW)
    assert (await desk.effects.send(digest, lines, "k", is_retry=False)).reason == "told Sam in chat"
    ((where, key, text),) = desk.chat.messages
    assert (where, key) == ("@sam", "k")
    positions = [text.index(part) for part in ("Not ready:", "SE-1 has", "SE-2 has", "Crafty")]
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    ("forum", "reason"),
    [
        pytest.param(FakeForum(), "answered in topic 9", id="shown at once"),
        pytest.param(FakeForum(is_moderated=True), "the answer waits for the forum's review", id="moderated"),
    ],
)
async def test_a_topic_is_answered(desk: Desk, forum: FakeForum, reason: str) -> None:
    desk.forum = forum
    for is_retry in (False, True):
        assert (await desk.do(Reply(topic=9, post=3, message=says("Thanks!")), is_retry=is_retry)).reason == reason
    assert forum.answers == [(9, 3, "Thanks!")]


# What is not configured, and what is no effect


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        pytest.param(Notify(person=BOB, message=says("Hello")), "no chat is configured", id="a person"),
        pytest.param(Notify(channel="serenity", message=says("Hello")), "no chat is configured", id="a channel"),
        pytest.param(Reply(topic=9, message=says("Hello")), "no forum is configured", id="a topic"),
    ],
)
async def test_what_is_not_configured_is_skipped(redis: Redis, action: Action, reason: str) -> None:
    effects = Effects(None, None, None, Ledger(redis))
    assert await effects.do(Order(action, "k", RULE, "SE-1", NOW)) == Done("skipped", reason)


async def test_without_jira_the_settings_are_named(redis: Redis) -> None:
    with pytest.raises(CannotAct, match="set CRAFTY_JIRA_URL"):
        await Effects(None, None, None, Ledger(redis)).do(Order(ask(), KEY, RULE, "SE-1", NOW))


@pytest.mark.parametrize(
    "action",
    [
        Recheck(subject="SE-1", at=NOW),
        Digest(person=SAM, intro=paragraph("x"), line=item("x"), footer=small("x"), at=NOW),
    ],
    ids=["a re-check", "a digest"],
)
async def test_what_is_no_single_effect_is_refused(desk: Desk, action: Action) -> None:
    with pytest.raises(CannotAct, match="no single effect"):
        await desk.do(action)
