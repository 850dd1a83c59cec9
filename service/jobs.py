"""What the worker does: looks at what is due, does what was decided, and ends each record in one step."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec
import structlog
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

from service.actions import ASKING, Action, Comment, Digest, Notify, Recheck
from service.clock import Clock
from service.contributions import Contribution
from service.current import Current
from service.effects import Done, Effects, Order
from service.engine import Decision, cell_of, evaluate
from service.errors import CannotAct, NotFound, NotSignedInError, RedisAway, TryLater
from service.events import Due
from service.facts import Cell, Person, Said, Team, Ticket
from service.gather import Gatherer
from service.jira_shapes import is_issue_key
from service.ledger import FORMAT, Case, Effect, Entry, Ledger, Site
from service.pings import Pings
from service.queue import PERIODIC, Queue, Result, Work, look_again, look_key, next_look, of_line, perform
from service.rounds import Rounds
from service.rules._base import Rule
from service.situation import Situation
from service.sweeps import EVERY, GRACE, Sweeper, seen_by
from service.texts import Item

log = structlog.get_logger()

FIRST_WAIT: Final = timedelta(seconds=1)
LONGEST_WAIT: Final = timedelta(minutes=15)
GIVE_UP: Final = timedelta(hours=24)
FRESH: Final = timedelta(minutes=10)
WORK_SECONDS: Final = 50
FINISH_SECONDS: Final = 50
# Looks only read and decide on what is true then: they come back for as long as it takes.
_GIVEN_UP: Final = frozenset({"perform", "digest"})
SOONEST: Final = timedelta(seconds=10)
"""After what time something is looked at again at the earliest, whatever moment it asks for."""

SITE_IS_FRESH: Final = timedelta(hours=24)
SITE_IS_MENDED: Final = timedelta(hours=1)

_OWN_ACCOUNTS: Final = ("discourse_bot", "github_bot", "gitlab_bot")
_OFF: Final = "the rule is not on any more, so nothing was done"
_FOREIGN: Final = "another version of Crafty stored this, so it is left to one that can read it"
_WOULD: Final = {
    "comment": "comment on {}",
    "edit_comment": "edit the comment on {}",
    "assign": "assign {}",
    "set_reviewer": "name the reviewer of {}",
    "move_to_sprint": "move {} to another sprint",
    "move_to_backlog": "move {} to the backlog",
    "rank_top": "put {} on top of its sprint",
    "add_label": "label {}",
    "remove_label": "take a label off {}",
    "create_ticket": "make a ticket in {}",
    "link": "link {}",
    "record": "keep a line of {} in the ledger",
    "warn": "warn admins about {}",
    "notify": "tell {} in chat",
    "digest": "put a line into a list for {}",
    "reply": "reply in {}",
}

_ACTION: Final = msgspec.json.Decoder(Action)
_ITEM: Final = msgspec.json.Decoder(Item)


@dataclass(frozen=True)
class Jobs:
    """The worker's jobs, with all they need."""

    queue: Queue
    ledger: Ledger
    gatherer: Gatherer
    effects: Effects
    pings: Pings
    sweeper: Sweeper
    rounds: Rounds
    find_out: Callable[[], Awaitable[Site]]
    team: Team
    current: Current
    clock: Clock

    async def work(self, key: str, token: str) -> None:
        """Works on the record `key` while it is leased under `token`; whatever goes wrong ends up on the record."""
        work = await self.queue.claim(key, token)
        if work is None:
            return
        with structlog.contextvars.bound_contextvars(rule=work.rule, subject=work.subject):
            result = await self._result(work)
            await self._finish(work, result)

    @retry(
        retry=retry_if_exception_type(RedisAway),
        stop=stop_after_delay(FINISH_SECONDS),
        wait=wait_random_exponential(0.1, 5),
        reraise=True,
    )
    async def _finish(self, work: Work, result: Result) -> None:
        """What was done is recorded even if Redis is away for a moment; after that the lease brings the record back."""
        if not await self.queue.finish(work, result):
            log.warning("work.lease_lost", kind=work.kind)

    async def _result(self, work: Work) -> Result:
        try:
            async with asyncio.timeout(WORK_SECONDS):
                if work.format > FORMAT or work.kind not in self._kinds():
                    return self._later(work, _FOREIGN, timedelta(0))
                await self.current.at(work.version)
                return await self._kinds()[work.kind](work)
        except NotFound as gone:
            return self._gone(work, f"{gone}")
        except CannotAct as refusal:
            return await self._refused(work, refusal)
        except (TryLater, RedisAway, TimeoutError, msgspec.ValidationError) as fault:
            return self._later(work, *_passing(fault))
        except Exception as error:
            log.exception("work.failed", kind=work.kind)
            return self._failed(work, f"unexpected {type(error).__name__}")

    def _kinds(self) -> Mapping[str, Callable[[Work], Awaitable[Result]]]:
        return {
            "look": self._look,
            "perform": self._perform,
            "digest": self._digest,
            "site": self._site,
            "sweep": self._sweep,
            "doctor": self.rounds.examine,
        }

    async def _look(self, work: Work) -> Result:
        if await self.ledger.is_writing(work.rule, work.subject):
            return Result(ending="blocked", due=self.clock() + _backoff(work.tries))
        book = self.current.book
        rule = book.rule(work.rule)
        if rule is None:
            return self._without_rule(work)
        now = self.clock()
        situation = await self.gatherer.situation(rule, work.subject, book, now)
        key = situation.subject.key
        if key != work.subject:
            moved = self._effect(work, "skipped", f"{work.subject} is {key} now, so Crafty looks there")
            return Result(ending="done", entries=[moved], wishes=[look_again(work.rule, key, now)], moved=key)
        due = Due(at=now, about=situation.subject)
        decisions = evaluate(due, situation, team=self.team, book=book, now=now, only=work.rule)
        if not decisions:
            return Result(ending="done")
        setting = book.setting(work.rule, decisions[0].cell)
        seen = seen_by(situation, setting, now)
        return msgspec.structs.replace(self._decided(work, decisions[0], situation, now), looked=seen)

    def _decided(self, work: Work, decision: Decision, situation: Situation, now: datetime) -> Result:
        """A rule that fails is given up for this subject; sweeps let that be until something of it changes."""
        if decision.error:
            return self._failed(work, decision.reason)
        refused = situation.refused
        wanted = [
            action
            for action in decision.actions
            if not isinstance(action, Recheck) and action.key(work.rule, work.subject) not in refused
        ]
        again = next_look(decision.actions)
        result = Result(
            ending="waiting" if again else "done",
            due=again and max(again, now + SOONEST),
            entries=[
                Entry(at=now, subject=subject, stage="look", decisions=(decision,)) for subject in _filed(situation)
            ],
        )
        if decision.mode == "dry-run":
            return _rehearsed(result, work, wanted, situation, now)
        wishes = [perform(one, work.rule, work.subject, now) for one in wanted]
        return msgspec.structs.replace(result, wishes=wishes)

    def _without_rule(self, work: Work) -> Result:
        return self._later(work, f"this version knows no rule {work.rule}", timedelta(0))

    async def _perform(self, work: Work) -> Result:
        now = self.clock()
        if self.current.book.rule(work.rule) is None:
            return self._without_rule(work)
        action = _ACTION.decode(work.payload)
        if not await self._is_on(work.rule, work.subject):
            return Result(ending="done", entries=[self._effect(work, "skipped", _OFF)])
        if isinstance(action, Notify) and action.person:
            opens = self.pings.opens_at(action.person, now)
            if opens > now:
                return self._held(work, action.person, opens)
        return await self._do(work, action, now)

    async def _do(self, work: Work, action: Action, now: datetime) -> Result:
        is_old = work.was_held or now - work.wanted > FRESH
        if is_old and isinstance(action, Notify) and not action.after:
            until = await self._caught_up([(work.rule, work.subject)], now)
            if until:
                return self._catching_up(until)
        if is_old and not await self._still_holds(work, action):
            stale = self._effect(work, "skipped", "it waited too long, so Crafty looks again first")
            return Result(ending="done", entries=[stale], wishes=[look_again(work.rule, work.subject, now)])
        if not action.is_sticky and await self.ledger.is_done(work.key):
            return Result(ending="done", entries=[self._effect(work, "skipped", "it was done before")])
        if action.after and not await self.ledger.is_done(action.after):
            return await self._not_yet(work, action.after)
        allowed, postponed = await self.pings.within_budget(action, work, now)
        ledger = {} if isinstance(allowed, Comment) else {work.key: now.isoformat()}
        if allowed is None:
            told = self._effect(work, "skipped", "enough messages for a day, so it goes into the next list")
            return Result(ending="done", entries=[told], wishes=postponed, done=ledger)
        done = await self.effects.do(Order(allowed, work.key, work.rule, work.subject, now, work.is_retry))
        result = self._done(work, done, ledger)
        again = [look_again(work.rule, work.subject, now)] if done.noted else []
        return msgspec.structs.replace(result, wishes=[*postponed, *again])

    def _held(self, work: Work, person: Person, until: datetime) -> Result:
        reason = f"it is not {person.name}'s working time; it waits until then"
        return Result(ending="held", due=until, entries=[self._effect(work, "held", reason)])

    def _catching_up(self, until: datetime) -> Result:
        return Result(ending="held", due=until, error="waits until Crafty has seen what it may have missed")

    async def _caught_up(self, asked: Iterable[tuple[str, str]], now: datetime) -> datetime | None:
        """When to ask again whether these rules still ask for something about these subjects; None where that is known.

        A sweep, a look or a comment that is due or under way may end it, as when no webhook could come for a while.
        """
        keys: set[str] = set()
        for rule, subject in asked:
            cell = await self._cell_of(self.current.book.rule(rule), subject)
            keys |= {look_key(rule, subject), *([f"sweep:{cell.name}"] if cell else [])}
            if await self.ledger.is_writing(rule, subject):
                return now + SOONEST
        at_hand = await self.ledger.at_hand(keys, now)
        return at_hand and at_hand + SOONEST

    async def _is_on(self, rule: str, subject: str) -> bool:
        """Whether the rule may act on that subject at this moment."""
        known = self.current.book.rule(rule)
        if known is None:
            return True
        cell = await self._cell_of(known, subject)
        return self.current.book.setting(rule, cell.name if cell else "").mode == "on"

    async def _cell_of(self, rule: Rule | None, subject: str) -> Cell | None:
        """The cell whose setting of the rule counts for that subject."""
        is_ticket = is_issue_key(subject) and (rule is None or rule.subject is not Contribution)
        about = Ticket(key=subject) if is_ticket else await self.ledger.contribution(subject)
        return cell_of(about, self.team) if about else None

    async def _still_holds(self, work: Work, action: Action) -> bool:
        """A message that waited long is still wanted where it tells of a deed, or while the rule's comment asks.

        A look would not want such a message twice.
        """
        if not isinstance(action, Notify):
            return False
        case = await self.ledger.case(work.rule, work.subject)
        return action.after is not None or (case is not None and case.open)

    async def _not_yet(self, work: Work, first: str) -> Result:
        """What tells of something that was not done waits for it, and is dropped where that was given up."""
        if await self.ledger.has_failed(first):
            return Result(
                ending="done", entries=[self._effect(work, "skipped", "what it would tell of could not be done")]
            )
        return self._later(work, f"waits for {first}", timedelta(0))

    async def _digest(self, work: Work) -> Result:
        """Lines of rules that are off by now are dropped, so that they may be wanted again when those are on again."""
        digest, lines = _ACTION.decode(work.payload), await self.ledger.lines(work.key)
        if not isinstance(digest, Digest):
            return Result(ending="done")
        off = [name for name in lines if not await self._is_on(*of_line(name)[:2])]
        kept = {name: line for name, line in lines.items() if name not in off}
        sent = await self._send(work, digest, kept) if kept else Result(ending="done")
        told = [_on_line(self._effect(work, "skipped", _OFF), name) for name in off]
        return msgspec.structs.replace(sent, entries=[*told, *sent.entries], dropped=off)

    async def _send(self, work: Work, digest: Digest, lines: Mapping[str, str]) -> Result:
        now = self.clock()
        asked = [(rule, subject) for rule, subject, deed in map(of_line, lines) if not deed]
        until = await self._caught_up(asked, now)
        if until:
            return self._catching_up(until)
        true = [name for name in lines if await self._is_still_asked(name)]
        if not true:
            nothing = self._effect(work, "skipped", "nothing in it is asked for any more")
            return Result(ending="done", sent=list(lines), entries=[nothing])
        opens, sending = self.pings.opens_at(digest.person, now), f"{work.key}:{min(lines)}"
        if opens <= now and not await self.pings.may_ping(digest.person, sending, now):
            opens = self.pings.next_day(digest.person, now)
        if opens > now:
            return self._held(work, digest.person, opens)
        items = [_ITEM.decode(lines[name]) for name in true]
        done = await self.effects.send(digest, items, sending, is_retry=work.is_retry)
        told = self._done(work, done, {})
        entries = [_on_line(entry, name) for entry in told.entries for name in true]
        return msgspec.structs.replace(told, entries=entries, sent=list(lines))

    async def _is_still_asked(self, line: str) -> bool:
        """A line is sent as long as the comment that asks for the same stands; some rules ask without a comment.

        One that tells of a deed stays true.
        """
        rule, subject, deed = of_line(line)
        case = await self.ledger.case(rule, subject)
        return bool(deed) or case is None or case.open

    async def _sweep(self, work: Work) -> Result:
        cell = next((cell for cell in self.team.cells if cell.name == work.subject), None)
        if cell is None:
            return Result(ending="done")
        now = self.clock()
        await self.ledger.totals(now)
        swept = await self.sweeper.sweep(cell, now)
        until = now - GRACE
        return Result(ending="waiting", due=swept.again, wishes=swept.wishes, swept=until, missed=swept.missed)

    async def _site(self, _: Work) -> Result:
        try:
            site = await self.find_out()
        except CannotAct as refusal:
            log.warning("site.refused", reason=f"{refusal}")
            return Result(ending="waiting", due=self.clock() + LONGEST_WAIT, error=f"{refusal}")
        await self.ledger.keep_site(_still_known(site, (await self.ledger.site())[0]))
        for problem in site.problems:
            log.warning("site.problem", problem=problem)
        return Result(ending="waiting", due=self.clock() + (SITE_IS_MENDED if site.problems else SITE_IS_FRESH))

    def _done(self, work: Work, done: Done, ledger: Mapping[str, str]) -> Result:
        entry = self._effect(work, done.result, done.reason)
        log.info("effect.performed", kind=entry.effect.kind if entry.effect else work.kind, result=done.result)
        return Result(ending="done", entries=[entry], done=ledger, case=done.case, noted=done.noted)

    def _later(self, work: Work, reason: str, at_least: timedelta) -> Result:
        now = self.clock()
        if work.kind in _GIVEN_UP and now - work.wanted > GIVE_UP:
            return self._failed(work, f"given up after a day: {reason}")
        wait = max(at_least, _backoff(work.tries))
        log.warning("work.retry", kind=work.kind, reason=reason, seconds=wait.total_seconds())
        return Result(ending="retry", due=now + wait, error=reason)

    def _gone(self, work: Work, reason: str) -> Result:
        if work.kind in PERIODIC:
            return self._failed(work, reason)
        return Result(ending="done", entries=[self._effect(work, "skipped", reason)], gone=work.kind == "look")

    def _failed(self, work: Work, reason: str) -> Result:
        if work.kind in PERIODIC:
            log.error("work.failed_for_now", kind=work.kind, subject=work.subject, reason=reason)
            return Result(ending="waiting", due=self.clock() + EVERY, error=reason)
        log.error("work.given_up", kind=work.kind, reason=reason)
        return Result(ending="failed", error=reason, entries=[self._effect(work, "failed", reason)])

    async def _refused(self, work: Work, refusal: CannotAct) -> Result:
        """What the other side does not let us do: admins are warned, and the rule looks at what is left to do."""
        if isinstance(refusal, NotSignedInError):
            return self._later(work, f"{refusal}", LONGEST_WAIT)
        failed = self._failed(work, f"{refusal}")
        action = _action_of(work)
        what = action.kind if action else work.kind
        about, told = (work.rule, f"{work.subject}: {refusal}") if work.rule else (work.subject, f"{refusal}")
        await self.ledger.warn(f"{what} of {about}", told)
        if work.kind != "perform":
            return failed
        again = look_again(work.rule, work.subject, self.clock())
        return msgspec.structs.replace(failed, refused=True, wishes=[again])

    def _effect(self, work: Work, result: Literal["done", "skipped", "held", "failed"], reason: str) -> Entry:
        action = _action_of(work)
        kind, target = (action.kind, action.target) if action else (work.kind, work.subject)
        effect = Effect(rule=work.rule, kind=kind, target=target, result=result, reason=reason)
        return Entry(at=self.clock(), subject=work.subject, stage="effect", effect=effect)


def _still_known(site: Site, before: Site | None) -> Site:
    """With the accounts that a system did not tell of this time: Crafty knows itself though one of them is away."""
    untold = [name for name in _OWN_ACCOUNTS if before and not getattr(site, name)]
    return msgspec.structs.replace(site, **{name: getattr(before, name) for name in untold})


def _on_line(entry: Entry, line: str) -> Entry:
    """The same on the timeline of what a digest's line is about, under the rule that it comes from."""
    rule, subject, _ = of_line(line)
    effect = msgspec.structs.replace(entry.effect, rule=rule) if entry.effect else None
    return msgspec.structs.replace(entry, subject=subject, effect=effect)


def _rehearsed(result: Result, work: Work, wanted: Sequence[Action], situation: Situation, now: datetime) -> Result:
    """What a rule in dry-run would have done is noted as if it were, so that it goes on from there like any other."""
    new = [one for one in wanted if one.is_sticky or one.key(work.rule, work.subject) not in situation.done]
    effects = [
        Effect(
            rule=work.rule,
            kind=one.kind,
            target=one.target,
            result="would have",
            reason=f"would {_WOULD[one.kind].format(one.target)}",
        )
        for one in new
    ]
    told = [Entry(at=now, subject=work.subject, stage="effect", effect=effect) for effect in effects]
    comment = next((one for one in new if isinstance(one, Comment)), None)
    return msgspec.structs.replace(
        result,
        entries=[*result.entries, *told],
        done={one.key(work.rule, work.subject): now.isoformat() for one in new if not one.is_sticky},
        case=_rehearsed_case(work, comment, situation.said, now) if comment else None,
        rehearsed=True,
    )


def _rehearsed_case(work: Work, comment: Comment, said: Said | None, now: datetime) -> Case:
    before = said if said and said.occasion == comment.occasion else None
    return Case(
        rule=work.rule,
        subject=work.subject,
        comment="",
        occasion=comment.occasion,
        state=comment.state,
        at=before.at if before and before.state.startswith(ASKING) else now,
        turns=before.turns + 1 if before else 0,
        open=comment.is_asking,
    )


def _filed(situation: Situation) -> Iterator[str]:
    """What a decision is filed under: its subject, and the ticket that was made for it."""
    yield situation.subject.key
    ticket = situation.subject.known().get("ticket")
    if ticket:
        yield ticket


def _action_of(work: Work) -> Action | None:
    """The action that the work does; None for a look, and where it can't be read (another version wrote it)."""
    try:
        return _ACTION.decode(work.payload) if work.kind in {"perform", "digest"} else None
    except msgspec.DecodeError:
        return None


def _passing(fault: Exception) -> tuple[str, timedelta]:
    """What is wrong for now, and after what time at least another try may find it mended."""
    if isinstance(fault, msgspec.ValidationError):
        return _FOREIGN, timedelta(0)
    at_least = fault.after or 0 if isinstance(fault, TryLater) else 0
    return f"{fault}" or f"it took longer than {WORK_SECONDS} seconds", timedelta(seconds=at_least)


def _backoff(tries: int) -> timedelta:
    """Doubles with every try, give or take a fifth, so that many failures do not come back at one instant."""
    doubled: timedelta = FIRST_WAIT * 2.0 ** min(tries - 1, 10)
    return min(doubled, LONGEST_WAIT) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, keeps no secret
