"""What the console's pages tell, and what its forms do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from service.commitments import Commitment
from service.contributions import Acknowledgement, Note
from service.findings import Examined, fine, wrong
from service.jira_shapes import FieldMap
from service.ledger import Contributed, Ledger, Site
from service.queue import Queue, look_again
from service.rounds import EVERYTHING
from service.rules import all_rules
from tests.admin.calling import ADMIN, VIEWER, app_with_tokens, calling, deliver
from tests.admin.visiting import Visitor
from tests.builders import NEXT, RUNNING
from tests.conftest import SetClock
from tests.test_steering import comment, given_up
from tests.webhooks.payloads import FIELDS, issue_fields

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
async def http(redis: Any, redis_url: str, clock: SetClock) -> AsyncIterator[httpx.AsyncClient]:
    await Ledger(redis).keep_site(Site(fields=FieldMap(**FIELDS), jira_bot=("acc-bot",)))
    async with calling(app_with_tokens(redis_url, clock), None) as client:
        yield client


@pytest.fixture
async def admin(http: httpx.AsyncClient) -> Visitor:
    visitor = Visitor(http)
    await visitor.log_in()
    return visitor


def pressed(visitor: Visitor, group: str) -> str:
    """The mode that a group of buttons shows as the one that holds."""
    buttons = visitor.html.partition(f'aria-label="{group}"')[2].partition("</div>")[0]
    (mode,) = re.findall(r'value="([a-z-]+)" aria-pressed="true"', buttons)
    return str(mode)


# Rules


async def test_every_rule_is_listed_with_its_mode_and_its_promise(admin: Visitor) -> None:
    await admin.open("/rules")
    for rule in all_rules():
        assert rule.name in admin.words
        assert rule.summary in admin.words
        assert pressed(admin, f"Mode of {rule.name}") == "on"


@pytest.mark.parametrize(("mode", "told"), [("off", "off"), ("dry-run", "in dry-run")])
async def test_a_click_sets_a_rule_for_the_very_next_event(
    admin: Visitor, http: httpx.AsyncClient, mode: str, told: str
) -> None:
    await admin.open("/rules")
    await admin.send("/rules/missing-reviewer/mode", mode=mode, **{"from": "rules"})
    assert f"missing-reviewer is {told} now." in admin.words
    assert pressed(admin, "Mode of missing-reviewer") == mode
    decisions = (await deliver(http, "d-1")).json()["decisions"]
    assert {one.get("mode") for one in decisions if one["rule"] == "missing-reviewer"} == {mode}


async def test_what_was_done_is_told_once(admin: Visitor) -> None:
    await admin.send("/rules/missing-reviewer/mode", mode="off")
    assert "missing-reviewer is off now" in admin.words
    await admin.open("/rules")
    assert "missing-reviewer is off now" not in admin.words


async def test_a_rule_is_set_for_one_cell_and_follows_the_others_again(admin: Visitor) -> None:
    where = {"cell": "Serenity", "from": "rule"}
    await admin.send("/rules/missing-reviewer/mode", mode="off", **where)
    assert "off now in Serenity" in admin.words
    assert pressed(admin, "Mode of missing-reviewer") == "on"
    assert pressed(admin, "Mode of missing-reviewer in Serenity") == "off"
    await admin.send("/rules/missing-reviewer/mode", mode="", **where)
    assert pressed(admin, "Mode of missing-reviewer in Serenity") == "on"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"mode": "perhaps"}, "mode: should be", id="a mode that there is not"),
        pytest.param({"mode": "off", "cell": "Firefly"}, "Firefly is not a cell", id="a cell that there is not"),
    ],
)
async def test_a_mode_that_cannot_be_set_is_explained(admin: Visitor, fields: dict[str, str], told: str) -> None:
    answer = await admin.send("/rules/missing-reviewer/mode", **fields)
    assert (answer.status_code, told in admin.words) == (422, True)


async def test_it_is_told_where_a_rule_stays_as_it_was(admin: Visitor) -> None:
    await admin.send("/rules/missing-reviewer/mode", mode="dry-run", cell="Serenity")
    await admin.send("/rules/missing-reviewer/mode", mode="off")
    assert "missing-reviewer is off now. That holds from the next event on. It stays in dry-run in Serenity." in (
        admin.words
    )


async def test_a_parameter_is_saved_and_taken_back(admin: Visitor) -> None:
    await admin.open("/rules/green-ticket")
    form = {"cell": "", "etag": admin.value_of("etag"), "settle": "2m", "params.push_unassigned": "yes"}
    await admin.send("/rules/green-ticket", **form, **{"params.reminder_lead": "36h"})
    assert "Saved: reminder lead, push unassigned." in admin.words
    assert 'value="36h"' in admin.html
    assert "Back to 24h" in admin.words
    await admin.send("/rules/green-ticket/back", cell="", key="params.reminder_lead")
    assert "The change of reminder lead is taken back." in admin.words
    assert 'value="24h"' in admin.html
    assert "Back to 24h" not in admin.words


async def test_a_parameter_is_set_for_one_cell(admin: Visitor) -> None:
    await admin.open("/rules/green-ticket?cell=Serenity")
    form = {"cell": "Serenity", "etag": admin.value_of("etag"), "params.reminder_lead": "12h"}
    await admin.send("/rules/green-ticket", **form)
    assert "Saved: reminder lead in Serenity." in admin.words
    assert 'value="12h"' in admin.html
    await admin.open("/rules/green-ticket")
    assert 'value="24h"' in admin.html


async def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_stays(admin: Visitor) -> None:
    await admin.open("/rules/community-ack")
    etag = admin.value_of("etag")
    typed = {"etag": etag, "params.promise": "soon", "params.due_days": "many", "params.labels": "a\nb", "settle": "1m"}
    answer = await admin.send("/rules/community-ack", **typed)
    assert answer.status_code == 422
    assert {"soon", "many"} <= set(re.findall(r'value="([^"]*)"', admin.html))
    for field, told in (("promise", "Write the time with its units"), ("due_days", "should be a whole number")):
        (attributes,) = re.findall(rf'<input id="params\.{field}"([^>]*)>', admin.html)
        assert 'aria-invalid="true"' in attributes
        assert f"params.{field}-error" in attributes
        assert told in admin.html.partition(f'id="params.{field}-error">')[2].partition("</p>")[0]
    await admin.open("/rules/community-ack")
    assert "Changed here" not in admin.words


async def test_a_value_out_of_range_is_told_at_its_field(admin: Visitor) -> None:
    await admin.open("/rules/community-ack")
    await admin.send("/rules/community-ack", etag=admin.value_of("etag"), **{"params.due_days": "999"})
    assert "should be 365 or less" in admin.html.partition('id="params.due_days-error">')[2].partition("</p>")[0]


async def test_a_rule_that_somebody_else_has_changed_is_not_overwritten(admin: Visitor) -> None:
    await admin.open("/rules/green-ticket")
    etag = admin.value_of("etag")
    await admin.send("/rules/green-ticket/mode", mode="off", cell="")
    answer = await admin.send("/rules/green-ticket", etag=etag, cell="", **{"params.reminder_lead": "36h"})
    assert answer.status_code == 409
    assert "Somebody else has changed this rule" in admin.words
    assert 'value="36h"' in admin.html
    assert admin.value_of("etag") != etag
    await admin.send("/rules/green-ticket", etag=admin.value_of("etag"), cell="", **{"params.reminder_lead": "36h"})
    assert "Saved: reminder lead." in admin.words


async def test_saving_what_holds_already_changes_nothing(admin: Visitor) -> None:
    await admin.open("/rules/green-ticket")
    await admin.send("/rules/green-ticket", etag=admin.value_of("etag"), settle="2m")
    assert "Nothing was different" in admin.words
    await admin.open("/audit")
    assert "Nobody has changed anything yet." in admin.words


@pytest.mark.parametrize("page", ["/rules/no-such-rule", "/rules/green-ticket?cell=Firefly", "/nowhere"])
async def test_what_there_is_not_is_said_kindly(admin: Visitor, page: str) -> None:
    answer = await admin.open(page)
    assert (answer.status_code, "There is no" in admin.words or "there is no" in admin.words) == (404, True)


async def test_every_change_is_in_the_audit_log(admin: Visitor) -> None:
    await admin.send("/rules/green-ticket/mode", mode="dry-run", cell="Serenity")
    await admin.open("/audit")
    assert "rule green-ticket in Serenity" in admin.words
    assert "ada (203.0.113.7)" in admin.words
    assert "mode: dry-run" in admin.words


async def test_the_audit_log_tells_of_other_deeds_than_settings(admin: Visitor, http: httpx.AsyncClient) -> None:
    await deliver(http, "d-1")
    await http.post("/api/v1/deliveries/d-1/replay", headers={"authorization": f"Bearer {ADMIN}"})
    await admin.open("/audit")
    assert "replay delivery d-1" in admin.words
    assert "answers: pass" in admin.words
    assert "as configured" not in admin.words


# Decisions and subjects


async def test_a_rule_that_is_off_is_the_reason_on_the_subjects_page(admin: Visitor, http: httpx.AsyncClient) -> None:
    await admin.send("/rules/missing-reviewer/mode", mode="off")
    await deliver(http, "d-1")
    await admin.open("/subjects/SE-1")
    assert "the rule is off" in admin.words
    assert 'href="https://jira.example/browse/SE-1"' in admin.html


async def test_a_subjects_page_tells_facts_words_and_what_is_planned(admin: Visitor, http: httpx.AsyncClient) -> None:
    await deliver(http, "d-1")
    await admin.open("/subjects/SE-1")
    for told in ("d-1", "jira:issue_updated", "who could review this ticket?", "Need Review", "It looks again on"):
        assert told in admin.words


@pytest.mark.parametrize(
    ("url", "is_linked"), [("https://github.example/1", True), ("javascript:alert(1)", False), ("", False)]
)
async def test_a_contribution_is_linked_to_where_that_is_an_address(
    admin: Visitor, redis: Redis, clock: SetClock, url: str, is_linked: bool
) -> None:
    opened = Note(what="opened", at=clock(), title="Poll", url=url)
    key = "github:open-craft/xblock-poll#1"
    await Ledger(redis).keep_notes(Contributed(key=key, place="open-craft/xblock-poll", notes=(opened,)))
    await admin.open(f"/subjects/{quote(key, safe='')}")
    assert ("Open it where it was offered" in admin.words) == is_linked
    assert "javascript:" not in admin.html


@pytest.mark.parametrize(("mode", "told"), [("off", "The rule is off by now"), ("dry-run", "The rule is in dry-run")])
async def test_a_subjects_page_tells_how_each_rule_is_set_by_now(
    admin: Visitor, http: httpx.AsyncClient, mode: str, told: str
) -> None:
    await deliver(http, "d-1")
    await admin.open("/rules")
    await admin.send("/rules/missing-reviewer/mode", mode=mode)
    await admin.open("/subjects/SE-1")
    assert told in admin.words


async def test_nothing_known_is_said_kindly(admin: Visitor) -> None:
    await admin.open("/subjects/SE-999")
    assert "Crafty knows nothing of SE-999" in admin.words


@pytest.mark.parametrize("summary", [SCRIPT, '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}"])
async def test_words_from_outside_are_only_words(admin: Visitor, http: httpx.AsyncClient, summary: str) -> None:
    fields = issue_fields(summary=summary, status={"name": summary, "statusCategory": {"key": "indeterminate"}})
    await deliver(http, "d-1", fields=fields, webhookEvent="jira:issue_updated")
    for page in ("/subjects/SE-1", "/decisions", "/deliveries", "/deliveries/d-1"):
        await admin.open(page)
        assert SCRIPT not in admin.html
        assert "<img" not in admin.html
    assert (
        summary in admin.words or summary in admin.html.replace("&#34;", '"').replace("\\", "") or "&lt;" in admin.html
    )


@pytest.mark.parametrize(
    ("query", "rules"),
    [
        ("rule=missing-reviewer", {"missing-reviewer"}),
        ("subject=SE-2", set()),
        ("subject=SE-1&rule=green-ticket", {"green-ticket"}),
        ("cell=Serenity&outcome=act", {"missing-reviewer"}),
    ],
)
async def test_decisions_are_filtered(admin: Visitor, http: httpx.AsyncClient, query: str, rules: set[str]) -> None:
    await deliver(http, "d-1")
    await admin.open(f"/decisions?{query}")
    assert set(re.findall(r'</a> <a href="/console/rules/([a-z-]+)"', admin.html)) == rules


async def test_decisions_are_paged_to_their_end(admin: Visitor, http: httpx.AsyncClient) -> None:
    for number in range(30):
        await deliver(http, f"d-{number}")
    seen, page = 0, "/decisions"
    while page:
        await admin.open(page)
        seen += admin.html.count('<p class="reason">')
        older = re.search(r'href="/console([^"]*)">Older', admin.html)
        page = older[1].replace("&amp;", "&") if older else ""
    whole = (await http.get("/api/v1/decisions?limit=200", headers={"authorization": f"Bearer {VIEWER}"})).json()
    assert seen == len(whole["items"]) > 50


@pytest.mark.parametrize(
    "page",
    [
        "/decisions?before=never",
        "/decisions?before=99999999999999999999",
        "/decisions?before=1-99999999999999999999",
        "/audit?before=never",
        "/audit?before=99999999999999999999",
        "/deliveries?first=-1",
    ],
)
async def test_a_page_of_a_list_that_there_is_not_is_refused(admin: Visitor, page: str) -> None:
    assert (await admin.open(page)).status_code == 422


async def test_the_overview_tells_what_the_doctor_found_wrong_and_how_to_mend_it(
    admin: Visitor, redis: Redis, clock: SetClock
) -> None:
    found = (wrong("tokens", SCRIPT, "it ended", "Make a new one."), fine("fields", "Jira", "all are found"))
    await Ledger(redis).keep_examined(EVERYTHING, Examined(at=clock(), findings=found))
    await admin.open("")
    assert "it ended. Make a new one." in admin.words
    assert SCRIPT not in admin.html
    assert "all are found" not in admin.words


async def test_the_overview_counts_what_only_a_sweep_found(admin: Visitor, redis: Any, clock: SetClock) -> None:
    await redis.hset(f"crafty:counts:{int(clock().timestamp()) // 3600}", mapping={"missed jira": 3, "healed jira": 2})
    await admin.open("")
    assert "3 (2 healed)" in admin.words


async def test_the_overview_is_found_with_a_slash_at_its_end_too(admin: Visitor) -> None:
    assert (await admin.open("/")).status_code == 200
    assert '<a href="/console" aria-current="page">Overview</a>' in admin.html


async def test_without_a_subject_there_is_no_story(admin: Visitor, http: httpx.AsyncClient) -> None:
    await deliver(http, "d-1")
    await admin.open("/subjects/")
    assert "missing-reviewer" not in admin.words


# Deliveries


async def test_a_delivery_is_shown_with_its_body_and_replayed(admin: Visitor, http: httpx.AsyncClient) -> None:
    await deliver(http, "d-1")
    await admin.open("/deliveries")
    assert "jira: jira:issue_updated (d-1)" in admin.words
    await admin.open("/deliveries/d-1")
    assert '"webhookEvent": "jira:issue_updated"' in admin.words
    await admin.send("/deliveries/d-1/replay")
    assert "The rules have looked once more" in admin.words
    await admin.open("/audit")
    assert "d-1" in admin.words


@pytest.mark.parametrize(("name", "status"), [("never-came", 404), ("d-1", 410)])
async def test_a_delivery_that_is_gone_is_not_replayed(
    admin: Visitor, http: httpx.AsyncClient, redis: Any, name: str, status: int
) -> None:
    await deliver(http, "d-1")
    await redis.delete("crafty:delivery:d-1")
    assert (await admin.open(f"/deliveries/{name}")).status_code == status
    assert (await admin.open("/rules")).status_code == 200
    assert (await admin.send(f"/deliveries/{name}/replay")).status_code == status


# Jobs


@pytest.mark.parametrize(("deed", "told"), [("retry", "is tried again at once"), ("drop", "is dropped")])
async def test_a_dead_letter_is_tried_again_or_dropped(
    admin: Visitor, redis: Redis, clock: SetClock, deed: str, told: str
) -> None:
    wish = comment()
    await given_up(Queue(redis, clock), redis, wish)
    await admin.open("/")
    await admin.open("/jobs")
    assert "no right to" in admin.words
    await admin.open(f"/jobs/one?id={quote(wish.key)}")
    await admin.send(f"/jobs/{deed}", id=wish.key, state="failed")
    assert f"{wish.key} {told}." in admin.words
    assert "Nothing waits here." in admin.words
    assert (await admin.send(f"/jobs/{deed}", id="no-such-job", state="failed")).status_code == 404


async def test_all_dead_letters_are_tried_again_at_once(admin: Visitor, redis: Redis, clock: SetClock) -> None:
    await admin.open("/jobs")
    assert "Retry all" not in admin.words
    queue = Queue(redis, clock)
    await given_up(queue, redis, comment())
    await given_up(queue, redis, look_again("spillover", "SE-2", clock()))
    await admin.open("/jobs")
    assert "Retry all 2 now" in admin.words
    await admin.send("/jobs/retry-all")
    assert "2 pieces of work are tried again at once." in admin.words
    assert "Nothing waits here." in admin.words


async def test_what_failed_needs_a_hand(admin: Visitor, redis: Redis, clock: SetClock) -> None:
    await admin.open("")
    assert "Nothing. All is well." in admin.words
    await given_up(Queue(redis, clock), redis, comment())
    await Ledger(redis).warn("Serenity", "Create the sprint “Stretch Goals”.")
    await admin.open("")
    assert "1 piece of work could not be done." in admin.words
    assert "Create the sprint “Stretch Goals”." in admin.words


async def test_what_always_comes_again_is_not_dropped(admin: Visitor, redis: Redis, clock: SetClock) -> None:
    await admin.send("/rules/green-ticket/mode", mode="off")
    await admin.open("/jobs?state=queued")
    answer = await admin.send("/jobs/drop", id="sweep:Serenity", state="queued")
    assert (answer.status_code, "comes again by itself" in admin.words) == (409, True)


@pytest.mark.parametrize("state", ["queued", "deferred", "failed"])
async def test_an_empty_list_says_so(admin: Visitor, state: str) -> None:
    await admin.open(f"/jobs?state={state}")
    assert "Nothing waits here." in admin.words


# Sprints and ledgers


async def test_a_sprint_is_a_picture_and_a_table_of_the_same(admin: Visitor, redis: Redis, clock: SetClock) -> None:
    await Ledger(redis).see_sprints("Serenity", [RUNNING, NEXT])
    for ticket in ("SE-7", "OTHER-1"):
        at = int((clock() + timedelta(days=2)).timestamp() * 1000)
        await Queue(redis, clock).want(
            msgspec.structs.replace(look_again("spillover", ticket, clock()), due=at, cap=10**9)
        )
    await admin.open("/sprints")
    assert "SE Sprint 41, day 1: Mon 2 Nov 2026, 09:00 to Mon 16 Nov 2026, 09:00" in admin.words
    assert ". task-insertion Fri 13 Nov 2026, 00:00 to come" in admin.words
    assert "spillover SE-7 Thu 5 Nov 2026, 10:00" in admin.words
    assert "OTHER-1" not in admin.words
    assert admin.html.count('class="firing"') == 1
    assert admin.html.count('class="today"') == 2


def line(ticket: str, is_spillover: bool, assignee: str = "Ann") -> Commitment:
    return Commitment(
        ticket=ticket,
        summary=SCRIPT,
        url=f"https://jira.example/browse/{ticket}",
        cell="Serenity",
        sprint=41,
        sprint_name="SE Sprint 41",
        closed_at=datetime.fromisoformat("2026-11-16T09:00:00+01:00"),
        status="In Progress",
        is_spillover=is_spillover,
        assignee=assignee,
        assignee_id=assignee.lower(),
    )


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", "SE Sprint 41 1 1"),
        ("?person=Ann", "SE Sprint 41 0 1"),
        ("?person=Bob", "Every ticket was ready."),
        ("?cell=Firefly", "Nothing matches."),
    ],
)
async def test_spillovers_are_counted_by_sprint_and_person(admin: Visitor, redis: Redis, query: str, told: str) -> None:
    for one in (line("SE-1", True), line("SE-2", False, "Bob")):
        await Ledger(redis).keep_line(one)
    await admin.open(f"/spillovers{query}")
    assert told in admin.words
    assert SCRIPT not in admin.html


async def test_answers_are_counted_by_week(admin: Visitor, redis: Redis, clock: SetClock) -> None:
    for number, is_missed in enumerate((False, True)):
        answered = Acknowledgement(
            contribution=f"github:open-craft/xblock-poll#{number}",
            cell="Serenity",
            title="Poll",
            url="https://github.example/1",
            waiting_since=clock(),
            answered_at=clock() + timedelta(hours=3),
            answered_by="Bob",
            took=timedelta(hours=3),
            is_missed=is_missed,
        )
        await Ledger(redis).keep_line(answered)
    await admin.open("/acknowledgements")
    assert "2026-11-02 1 1 0" in admin.words
    assert "Half within 3h" in admin.words
    assert 'href="/console/subjects/github:open-craft%2Fxblock-poll%231"' in admin.html
