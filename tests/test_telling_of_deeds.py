"""What tells of a deed is said only once the deed is done."""

from datetime import time, timedelta
from typing import Any

from service.actions import MoveToSprint, Notify
from service.attention import Attention
from service.current import Current
from service.effects import Effects
from service.errors import CannotAct
from service.gather import Gatherer
from service.jira_shapes import FieldMap
from service.jobs import Jobs
from service.ledger import Ledger, Site
from service.pings import Pings
from service.queue import Queue, perform
from service.rounds import Rounds
from service.sweeps import Sweeper
from service.texts import Message, paragraph
from tests.builders import ANN, book, team
from tests.conftest import SetClock

RULE, TICKET = "green-ticket", "SE-1"
MOVE = MoveToSprint(ticket=TICKET, occasion="sprint-42", sprint=40, name="Stretch Goals")
TELL = Notify(person=ANN, occasion="moved", message=Message((paragraph("It moved."),)), after=MOVE.key(RULE, TICKET))


class Jira:
    """A Jira that moves tickets, or refuses to."""

    def __init__(self, *, refuses: bool) -> None:
        self.fields = FieldMap()
        self.moved: list[str] = []
        self._refuses = refuses

    async def move_to_sprint(self, _: int, keys: list[str]) -> None:
        if self._refuses:
            raise CannotAct("Jira refuses to move tickets (403)")
        self.moved += keys


class Chat:
    """A chat that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def direct_message(self, username: str, *_: Any, **__: Any) -> str:
        self.told.append(username)
        return "post-1"


class Desk:
    """A worker's jobs on a real Redis, done one after the other in the order that a test wants."""

    def __init__(self, redis: Any, clock: SetClock, *, refuses: bool) -> None:
        self.jira, self.chat = Jira(refuses=refuses), Chat()
        self.redis, self.clock = redis, clock
        self.queue, ledger = Queue(redis, clock), Ledger(redis)
        gatherer = Gatherer(None, {}, team(), ledger)
        current = Current(ledger, book())
        effects = Effects(self.jira, self.chat, None, ledger)  # type: ignore[arg-type]
        self.jobs = Jobs(
            queue=self.queue,
            ledger=ledger,
            gatherer=gatherer,
            effects=effects,
            pings=Pings(Attention(quiet_from=time(), quiet_until=time()), team(), ledger),
            sweeper=Sweeper(gatherer, {}, ledger, team(), current),
            rounds=Rounds({}, effects, None, ledger, team(), clock),
            find_out=self._find_out,
            team=team(),
            current=current,
            clock=clock,
        )

    async def _find_out(self) -> Site:
        return Site()

    async def want(self, *actions: MoveToSprint | Notify) -> None:
        await self.queue.want(*(perform(action, RULE, TICKET, self.clock()) for action in actions))

    async def work(self, action: MoveToSprint | Notify) -> None:
        """Lets time pass until all is due, and does this one."""
        self.clock.now += timedelta(seconds=30)
        await self.queue.release(10)
        key = action.key(RULE, TICKET)
        token = await self.redis.hget(f"crafty:work:{key}", "token")
        await self.jobs.work(key, token.decode())


async def test_the_message_waits_for_the_move(redis: Any, clock: SetClock) -> None:
    desk = Desk(redis, clock, refuses=False)
    await desk.want(MOVE, TELL)
    await desk.work(TELL)
    assert (desk.jira.moved, desk.chat.told) == ([], [])

    await desk.work(MOVE)
    await desk.work(TELL)
    assert (desk.jira.moved, desk.chat.told) == ([TICKET], ["ann"])


async def test_nobody_is_told_of_a_move_that_was_refused(redis: Any, clock: SetClock) -> None:
    desk = Desk(redis, clock, refuses=True)
    await desk.want(MOVE, TELL)
    await desk.work(MOVE)
    await desk.work(TELL)
    assert desk.chat.told == []
    effects = [entry.effect for entry in await Ledger(redis).timeline(TICKET) if entry.effect]
    assert [(effect.kind, effect.result) for effect in effects] == [("notify", "skipped"), ("move_to_sprint", "failed")]
