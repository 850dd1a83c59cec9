"""The questions that the list of expected effects is made of; each says yes or no to what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Final

from service.commitments import clean_shares
from service.demo.story.scenes import PARIS
from service.demo.story.seen import Seen, rule_of

Check = Callable[[Seen], bool]

_LABEL_OF_ITS_OWN: Final = "crafty-"
"""How the label begins by which Crafty finds a ticket that it made."""


def _was_at(when: str, at: datetime, patience: timedelta) -> bool:
    """Whether it was then, by the minute, give or take `patience`. when: weekday, day and time, or a part of these."""
    most = patience // timedelta(minutes=1)
    return any(when in f"{at - timedelta(minutes=late):%a %d %b %H:%M}" for late in range(-most, most + 1))


def has_comment(ticket: str, rule: str, *words: str, since: str = "") -> Check:
    """The rule has exactly one comment there, which says these words by now. since: when it was written, in Paris."""

    def check(seen: Seen) -> bool:
        written = [one for one in seen.own_comments(ticket) if rule_of(one) == rule]
        return (
            len(written) == 1
            and _says(written[0].text, words)
            and _was_at(since, written[0].created.astimezone(PARIS), seen.patience)
        )

    return check


def has_comments(ticket: str, rule: str, *beginnings: str) -> Check:
    """The rule's comments there begin like this, oldest first, and there are no others."""

    def check(seen: Seen) -> bool:
        written = [one.text for one in seen.own_comments(ticket) if rule_of(one) == rule]
        return len(written) == len(beginnings) and all(map(str.startswith, written, beginnings))

    return check


def is_let_be(*tickets: str) -> Check:
    """Each of them is there, and Crafty wrote nothing on it."""
    return lambda seen: seen.tickets.keys() >= set(tickets) and not seen.own_comments(*tickets)


def wrote_comments(count: int) -> Check:
    """So many comments are Crafty's, on all tickets together."""
    return lambda seen: len(seen.own_comments()) == count


def _says(text: str, words: tuple[str, ...]) -> bool:
    return all(word in text for word in words)


def is_in(ticket: str, sprint: int) -> Check:
    """The sprint is the last one that the ticket went into."""
    return lambda seen: ticket in seen.tickets and seen.tickets[ticket].sprints[-1:] == [sprint]


def is_ranked(sprint: int, *tickets: str) -> Check:
    """These are the first of the sprint, in this order."""

    def check(seen: Seen) -> bool:
        ranked = [key for key in seen.ranking if is_in(key, sprint)(seen)]
        return tuple(ranked[: len(tickets)]) == tickets

    return check


def has_labels(ticket: str, *labels: str) -> Check:
    """These and no others, but for the one by which Crafty finds its own tickets."""

    def check(seen: Seen) -> bool:
        found = seen.tickets[ticket].labels if ticket in seen.tickets else None
        return found is not None and {one for one in found if not one.startswith(_LABEL_OF_ITS_OWN)} == set(labels)

    return check


def is_reviewed_by(ticket: str, account: str) -> Check:
    return lambda seen: ticket in seen.tickets and seen.tickets[ticket].reviewer == account


def is_told(recipient: str, when: str, *words: str) -> Check:
    """Exactly one message to that person or channel says these words. when: on the clock of whoever reads it."""

    def check(seen: Seen) -> bool:
        told = [one for one in seen.messages_to(recipient) if _says(one.text, words)]
        zone = seen.zones.get(recipient, PARIS)
        return len(told) == 1 and _was_at(when, told[0].at.astimezone(zone), seen.patience)

    return check


def got_messages(**counts: int) -> Check:
    """So many messages went to each person, and none to others."""

    def check(seen: Seen) -> bool:
        return Counter(one.recipients for one in seen.messages if one.is_direct) == {
            (name,): count for name, count in counts.items()
        }

    return check


def got_posts(channel: str, count: int) -> Check:
    """So many messages went to that channel, and none to others."""
    return lambda seen: [one.recipients for one in seen.messages if not one.is_direct] == [(f"#{channel}",)] * count


def nobody_is_disturbed(opens: int, closes: int, holidays: frozenset[date]) -> Check:
    """People got messages on their working days between these hours of their own clocks; and some got any."""

    def check(seen: Seen) -> bool:
        times = [seen.local(one) for one in seen.messages if one.is_direct]
        return bool(times) and all(
            at.weekday() < 5 and at.date() not in holidays and opens <= at.hour < closes for at in times
        )

    return check


def nobody_gets_more_a_day_than(count: int) -> Check:
    """So many messages at most within one of a person's days; and some got any."""

    def check(seen: Seen) -> bool:
        days = Counter((one.recipients, seen.local(one).date()) for one in seen.messages if one.is_direct)
        return bool(days) and max(days.values()) <= count

    return check


def has_internal_ticket(contribution: str, ticket: str, assignee: str, due: date) -> Check:
    """One ticket links to the contribution: this one, which has that assignee and due date."""

    def check(seen: Seen) -> bool:
        link = f"crafty={contribution}"
        linked = [one for one in seen.tickets.values() if link in one.remote_links]
        return [(one.key, one.assignee, one.due) for one in linked] == [(ticket, assignee, due)]

    return check


def made_tickets(label: str, count: int) -> Check:
    """So many tickets bear the label of those that Crafty makes."""
    return lambda seen: sum(label in ticket.labels for ticket in seen.tickets.values()) == count


def is_answered(contribution: str, by: str, after: timedelta, *, is_missed: bool = False) -> Check:
    """The statistics say so."""

    def check(seen: Seen) -> bool:
        line = seen.acknowledgements.get(contribution)
        return line is not None and (line.answered_by, line.took, line.is_missed) == (by, after, is_missed)

    return check


def is_counted(*contributions: str) -> Check:
    """The statistics know these contributions and no others."""
    return lambda seen: seen.acknowledgements.keys() == set(contributions)


def was_ready(ticket: str, status: str) -> Check:
    """The ledger says that the ticket had this status at the close, and did not spill over."""
    return _has_line(ticket, status=status, is_spillover=False, reason="")


def spilled_over(ticket: str, status: str, reason: str, by: str) -> Check:
    """The ledger says so, with the reason and who gave it."""
    return _has_line(ticket, status=status, is_spillover=True, reason=reason, reason_by=by)


def _has_line(ticket: str, **expected: Any) -> Check:
    def check(seen: Seen) -> bool:
        line = seen.commitments.get(ticket)
        return line is not None and {name: getattr(line, name) for name in expected} == expected

    return check


def has_lines(*tickets: str) -> Check:
    """The ledger of the sprint has these tickets and no others."""
    return lambda seen: seen.commitments.keys() == set(tickets)


def has_shares(**shares: float) -> Check:
    """Each member's share of clean sprints."""

    def check(seen: Seen) -> bool:
        return {one.person_id: one.share for one in clean_shares(seen.commitments.values())} == shares

    return check


def has_replies(title: str, count: int, *words: str) -> Check:
    """So many posts of that topic or message are Crafty's, and each says these words."""

    def check(seen: Seen) -> bool:
        posts = [topic.posts for topic in seen.topics.values() if title in topic.title]
        own = [post.raw for one in posts for post in one if post.author == "crafty"]
        return len(posts) == 1 and len(own) == count and all(_says(raw, words) for raw in own)

    return check


def webhooks_are_accepted(duplicates: int) -> Check:
    """Each at its first attempt, and so many of them as seen before.

    Data Center numbers no deliveries, so in rough weather an edit that Crafty has to repeat within one moment tells of
    itself twice in the same words.
    """

    def check(seen: Seen) -> bool:
        answers = [[one.status for one in delivery.answers] for delivery in seen.deliveries]
        known = [delivery for delivery in seen.deliveries if (delivery.content or {}).get("duplicate")]
        repeated = len(known) - duplicates
        is_expected = repeated >= 0 if seen.patience else repeated == 0
        return is_expected and duplicates > 0 and all(one in ([200], [202]) for one in answers)

    return check


def nothing_is_given_up(seen: Seen) -> bool:
    return not seen.dead_letters


def admins_have_nothing_to_mend(seen: Seen) -> bool:
    return not seen.warnings
