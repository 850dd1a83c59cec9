"""What Prometheus is told is true and names nobody; every metric is documented, dashboard and alerts name no other."""

import asyncio
import json
import random
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import respx
import yaml
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from service.clients._http import Api, Credential
from service.contributions import Acknowledgement
from service.errors import CraftyError
from service.findings import Examined, Finding, fine, unchecked, wrong
from service.gate import SharedGate
from service.ledger import Ledger
from service.limits import GITHUB, Call, answer_class
from service.metrics import MetricsPort
from service.metrics import _catalogue as tell
from service.metrics._catalogue import OWN, Measure
from service.metrics._reference import referenced
from service.metrics._telling import _BY_ONE, _BY_TWO, _meant
from service.queue import Queue, Result, examination, look_again, site, sweep
from service.rules import all_rules
from tests.admin.calling import app_with_tokens, calling, deliver
from tests.conftest import SetClock
from tests.test_ledger import effect
from tests.test_reconciliation import crafty, swept
from tests.test_sweeps import Sweeping

__all__ = ["crafty"]

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "metrics.md").read_text()
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "crafty.json").read_text())
NOON = datetime.fromisoformat("2026-11-03T12:00:00Z")
FAMILIES = {"process_", "python_"}
PARTS = ("", "_bucket", "_sum", "_count")
Told = dict[tuple[str, ...], float]


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    return Ledger(redis)


@pytest.fixture
async def api(redis: Redis, redis_url: str, clock: SetClock) -> Any:
    """Somebody without a token."""
    async with calling(app_with_tokens(redis_url, clock), token=None) as client:
        yield client


async def scraped(client: httpx.AsyncClient) -> str:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.text


def values(text: str, name: str) -> Told:
    """The samples of that name by their labels' values, in the order of the labels' names."""
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {tuple(value for _, value in sorted(one.labels.items())): one.value for one in samples if one.name == name}


async def counted(redis: Any, at: datetime, **times: int) -> None:
    """What any process counts, as the scripts do."""
    for name, number in times.items():
        await redis.hincrby(f"crafty:counts:{int(at.timestamp()) // 3600}", f"source {name}", number)


# Totals


async def test_what_an_hour_has_counted_is_added_once_however_often_somebody_asks(ledger: Ledger, redis: Redis) -> None:
    await counted(redis, NOON, jira=3)
    assert [await ledger.totals(NOON) for _ in range(3)] == [{"source jira": 3}] * 3
    await counted(redis, NOON, jira=2, github=1)
    assert await ledger.totals(NOON) == {"source jira": 5, "source github": 1}


async def test_processes_that_ask_at_one_instant_add_nothing_twice(ledger: Ledger, redis: Redis) -> None:
    await counted(redis, NOON, jira=3)
    assert await asyncio.gather(*(ledger.totals(NOON) for _ in range(8))) == [{"source jira": 3}] * 8


async def test_totals_outlive_the_hours(ledger: Ledger, redis: Redis) -> None:
    await counted(redis, NOON, jira=3)
    await ledger.totals(NOON)
    await redis.delete(f"crafty:counts:{int(NOON.timestamp()) // 3600}")
    assert await ledger.totals(NOON + timedelta(days=30)) == {"source jira": 3}


async def test_what_an_hour_was_told_late_is_added_by_whoever_goes_back_far_enough(
    ledger: Ledger, redis: Redis
) -> None:
    await counted(redis, NOON, jira=1)
    await ledger.totals(NOON)
    await counted(redis, NOON - timedelta(hours=70), jira=1)
    assert await ledger.totals(NOON, 3) == {"source jira": 1}
    assert await ledger.totals(NOON) == {"source jira": 2}


async def test_a_machine_whose_clock_is_ahead_is_counted(ledger: Ledger, redis: Redis) -> None:
    await counted(redis, NOON + timedelta(minutes=59), jira=1)
    assert await ledger.totals(NOON, 3) == {"source jira": 1}


async def test_it_is_remembered_for_longer_than_the_hour_what_the_totals_have_of_it(
    ledger: Ledger, redis: Redis
) -> None:
    await counted(redis, NOON, jira=1)
    await ledger.totals(NOON)
    assert await redis.ttl(f"crafty:totalled:{int(NOON.timestamp()) // 3600}") > 3 * 86_400


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_counted_and_asked_when_nothing_is_lost_or_doubled(
    ledger: Ledger, redis: Redis, seed: int
) -> None:
    chance, now, ever = random.Random(seed), NOON, Counter[str]()
    for _ in range(60):
        now += timedelta(minutes=chance.choice([0, 1, 30, 90, 600]))
        late, name = timedelta(hours=chance.choice([0, 0, 1, 5])), chance.choice(["jira", "github"])
        await counted(redis, now - late, **{name: 2})
        ever[f"source {name}"] += 2
        if chance.random() < 0.5:
            assert await ledger.totals(now) == ever
        else:
            assert all(times <= ever[one] for one, times in (await ledger.totals(now, 3)).items())


async def test_each_sweep_takes_up_what_was_counted(crafty: Sweeping, redis: Any) -> None:
    await counted(redis, crafty.clock() - timedelta(hours=70), gitlab=4)
    await swept(crafty, crafty.clock() + timedelta(hours=1))
    assert await redis.hget("crafty:totals", "source gitlab") == b"4"


@pytest.mark.parametrize(
    ("name", "measure", "labels"),
    [
        pytest.param("source jira", tell.DELIVERIES, ("jira",), id="a delivery"),
        pytest.param("missed github", tell.MISSED, ("github",), id="what a sweep found"),
        pytest.param("healed github", tell.HEALED, ("github",), id="what is healed"),
        pytest.param("calls jira", tell.CALLS, ("jira",), id="a call"),
        pytest.param("waits jira", tell.CALL_WAITS, ("jira",), id="a wait"),
        pytest.param("answered jira 5xx", tell.CALL_ANSWERS, ("jira", "5xx"), id="an answer"),
        pytest.param("work look retry", tell.WORK_ENDED, ("look", "retry"), id="work that ended"),
        pytest.param("kind comment done", tell.ACTIONS, ("comment", "done"), id="an action"),
        pytest.param("kind comment would have", tell.ACTIONS, ("comment", "would have"), id="a rehearsed action"),
        pytest.param("answers act", tell.VERDICTS, ("answers", "act"), id="a verdict, of a rule with a telling name"),
        pytest.param("spillover effect done", tell.EFFECTS, ("spillover", "done"), id="an effect"),
        pytest.param("spillover effect would have", tell.EFFECTS, ("spillover", "would have"), id="a rehearsed effect"),
        pytest.param(" effect failed", tell.EFFECTS, ("", "failed"), id="an effect of no rule"),
    ],
)
def test_what_the_ledger_counts_finds_its_metric(name: str, measure: Measure, labels: tuple[str, ...]) -> None:
    assert _meant(name) == (measure, labels)


def test_no_rule_is_called_as_something_else_that_is_counted() -> None:
    assert {rule.name for rule in all_rules()} & {*_BY_ONE, *_BY_TWO} == set()


# Calls to other systems


@pytest.mark.parametrize(
    ("status", "name"),
    [(None, "none"), (200, "2xx"), (302, "3xx"), (404, "4xx"), (428, "4xx"), (429, "429"), (430, "4xx"), (503, "5xx")],
)
def test_answers_are_counted_by_class(status: int | None, name: str) -> None:
    assert answer_class(status) == name
    assert name in tell.CALL_ANSWERS.labels["answer"]


async def test_every_call_is_counted_by_its_answer(redis: Redis, clock: SetClock, ledger: Ledger) -> None:
    client = Api("GitHub", "https://api.example", Credential("x", {}, ()), limits=GITHUB, gate=SharedGate(redis, clock))
    with respx.mock(base_url="https://api.example") as router:
        router.post("/a").mock(
            side_effect=[httpx.Response(201, json={}), httpx.Response(403, json={}), httpx.ConnectError("no")]
        )
        for _ in range(3):
            try:
                await client.send("POST", "/a")
            except CraftyError:
                continue
    await client.aclose()
    counts = await ledger.counts(clock())
    assert {name: times for name, times in counts.items() if name.startswith("answered")} == {
        "answered github 2xx": 1,
        "answered github 4xx": 1,
        "answered github none": 1,
    }


async def test_waits_for_a_turn_are_counted(redis: Redis, clock: SetClock, ledger: Ledger) -> None:
    gate, lanes = SharedGate(redis, clock), GITHUB.lanes(Call("GET", "/user"))
    waits = [await gate.enter(lanes) for _ in range(81)]
    assert [wait > 0 for wait in waits[-3:]] == [False, True, True]
    assert (await ledger.counts(clock()))["waits github"] == 2


# What is told


async def test_a_webhook_is_counted_as_it_was_answered(api: httpx.AsyncClient) -> None:
    await deliver(api, "d-1")
    await deliver(api, "d-1")
    await api.post("/webhooks/jira", json={})
    await api.post("/webhooks/elsewhere", json={})
    text = await scraped(api)
    answers = {("jira", "202"): 1, ("jira", "200"): 1, ("jira", "401"): 1, ("unknown", "404"): 1}
    assert values(text, "crafty_webhook_answers_total") == answers
    assert values(text, "crafty_webhook_seconds_count") == {(): 4}
    assert values(text, "crafty_deliveries_total") == {("jira",): 1, ("discourse",): 0, ("github",): 0, ("gitlab",): 0}
    assert values(text, "crafty_verdicts_total")["wait", "missing-reviewer"] == 1
    assert values(text, "crafty_last_delivery_timestamp_seconds") == {("jira",): 1793696400}


async def test_what_one_process_did_another_tells(
    api: httpx.AsyncClient, redis_url: str, clock: SetClock, redis: Redis
) -> None:
    await deliver(api, "d-1")
    async with calling(app_with_tokens(redis_url, clock), token=None) as other:
        text = await scraped(other)
    assert values(text, "crafty_deliveries_total")["jira",] == 1
    assert values(text, "crafty_webhook_answers_total") == {}


async def test_how_work_ends_is_counted(api: httpx.AsyncClient, redis: Any, clock: SetClock) -> None:
    queue = Queue(redis, clock)
    await queue.want(look_again("missing-reviewer", "SE-1", clock()))
    await queue.release(1)
    work = await queue.claim("look:missing-reviewer:SE-1", (await redis.get("crafty:leases")).decode())
    assert work is not None
    await queue.finish(work, Result(ending="failed", entries=[effect(1)], error="because"))
    text = await scraped(api)
    assert values(text, "crafty_work_ended_total")["failed", "look"] == 1
    assert values(text, "crafty_actions_total") == {("comment", "done"): 1}
    assert values(text, "crafty_effects_total") == {("done", "missing-reviewer"): 1}
    assert values(text, "crafty_work") == {("queued",): 0, ("deferred",): 0, ("failed",): 1}


async def test_it_is_told_how_long_work_of_each_kind_has_been_due(
    api: httpx.AsyncClient, redis: Redis, clock: SetClock
) -> None:
    queue, now = Queue(redis, clock), clock()
    await queue.want(site(now), sweep("Serenity", now))
    clock.advance(seconds=90)
    later = msgspec.structs.replace(examination("webhooks", clock() + timedelta(hours=1)), cap=3_600_000)
    await queue.want(sweep("Bebop", clock()), later)
    clock.advance(seconds=10)
    text = await scraped(api)
    due = {("doctor",): 0, ("site",): 1, ("sweep",): 2, ("look",): 0, ("perform",): 0, ("digest",): 0}
    assert values(text, "crafty_work_due") == due
    oldest = values(text, "crafty_work_oldest_due_seconds")
    assert (oldest["site",], oldest["sweep",], oldest["look",]) == (100, 100, 0)
    assert values(text, "crafty_work")["deferred",] == 1


async def test_a_worker_is_up_while_it_says_so(api: httpx.AsyncClient, redis: Any) -> None:
    assert values(await scraped(api), "crafty_worker_up") == {(): 0}
    await redis.set("crafty:arq:health-check", "fine")
    assert values(await scraped(api), "crafty_worker_up") == {(): 1}


async def test_people_are_counted_by_their_messages_of_their_own_day(
    api: httpx.AsyncClient, ledger: Ledger, clock: SetClock
) -> None:
    people = values(await scraped(api), "crafty_people_pinged")
    assert (people["0",], people["1",]) == (sum(people.values()), 0)
    for about in ("one", "two"):
        await ledger.may_ping("ann", clock().date(), about, 5)
    await ledger.may_ping("bob", clock().date(), "one", 5)
    await ledger.may_ping("sam", clock().date() - timedelta(days=1), "one", 5)
    after = values(await scraped(api), "crafty_people_pinged")
    assert after == {("0",): people["0",] - 2, ("1",): 1, ("2",): 1, ("3",): 0, ("4",): 0, ("5",): 0}


def answered(number: int, hours: float | None, *, is_missed: bool = False) -> Acknowledgement:
    return Acknowledgement(
        contribution=f"github:acme/tool#{number}",
        cell="Serenity",
        title="A stranger's title",
        url=f"https://github.com/acme/tool/pull/{number}",
        waiting_since=NOON,
        answered_at=None if hours is None else NOON,
        answered_by="Ann",
        took=None if hours is None else timedelta(hours=hours),
        is_missed=is_missed,
    )


async def test_it_is_told_how_long_contributors_waited(api: httpx.AsyncClient, ledger: Ledger) -> None:
    for line in (
        answered(1, 0.5),
        answered(2, 0.51),
        answered(3, 30, is_missed=True),
        answered(4, None, is_missed=True),
    ):
        await ledger.keep_line(line)
    text = await scraped(api)
    within = values(text, "crafty_acknowledgement_seconds_bucket")
    assert [within[name,] for name in ("1800.0", "3600.0", "86400.0", "172800.0", "+Inf")] == [1, 2, 2, 3, 3]
    assert values(text, "crafty_acknowledgement_seconds_sum") == {(): 31.01 * 3600}
    assert values(text, "crafty_acknowledgements") == {("met",): 2, ("missed",): 2, ("closed",): 0, ("open",): 1}


async def test_a_thousand_contributors_are_all_counted(api: httpx.AsyncClient, redis: Any) -> None:
    lines = {str(number): msgspec.json.encode(answered(number, 1)) for number in range(1000)}
    await redis.hset("crafty:acknowledgements", mapping=lines)
    assert values(await scraped(api), "crafty_acknowledgement_seconds_count") == {(): 1000}


@pytest.mark.parametrize(
    ("finding", "told"),
    [
        pytest.param(fine("webhooks", "jira", "registered"), {("jira",): 1}, id="registered"),
        pytest.param(wrong("webhooks", "jira", "gone", "do it"), {("jira",): 0}, id="gone"),
        pytest.param(unchecked("webhooks", "jira", "no rights"), {}, id="nobody can tell"),
    ],
)
async def test_it_is_told_whether_the_webhook_is_registered(
    api: httpx.AsyncClient, ledger: Ledger, finding: Finding, told: Told
) -> None:
    await ledger.keep_examined("webhooks", Examined(at=NOON, findings=(finding,)))
    text = await scraped(api)
    assert values(text, "crafty_webhook_registered") == told
    assert values(text, "crafty_findings")["webhooks", finding.state] == 1
    assert values(text, "crafty_examined_timestamp_seconds") == {("webhooks",): NOON.timestamp()}


async def test_of_cells_that_are_no_more_nothing_is_told(api: httpx.AsyncClient, redis: Any) -> None:
    await redis.hset("crafty:swept", mapping={"Serenity": 5000, "Long Gone": 1000})
    assert values(await scraped(api), "crafty_swept_timestamp_seconds") == {("Serenity",): 5}


async def test_without_redis_it_still_answers_and_says_so(tmp_path: Path, clock: SetClock) -> None:
    async with calling(app_with_tokens(f"unix://{tmp_path}/nowhere.sock", clock), token=None) as client:
        assert (await deliver(client, "d-1")).status_code == 503
        text = await scraped(client)
    assert values(text, "crafty_redis_up") == {(): 0}
    assert values(text, "crafty_webhook_answers_total") == {("jira", "503"): 1}
    assert values(text, "crafty_deliveries_total") == {}


async def test_no_metric_names_a_person_a_ticket_or_a_contribution(
    api: httpx.AsyncClient, ledger: Ledger, clock: SetClock
) -> None:
    await deliver(api, "d-1")
    await ledger.may_ping("ann", clock().date(), "one", 5)
    await ledger.keep_line(answered(1, 3))
    await ledger.warn("SE-1", "mend it, Ann")
    lines = (await scraped(api)).splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).casefold()
    assert [word for word in ("se-1", "ann", "acc-", "acme", "stranger", "d-1") if word in text] == []


async def test_with_a_port_of_its_own_it_is_only_there(redis: Redis, redis_url: str, clock: SetClock) -> None:
    app = app_with_tokens(redis_url, clock, metrics_port=9100)
    served = MetricsPort(app, app.state.metrics, 9100)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(served)) as client:
        answers = {
            (port, path): (await client.get(f"http://crafty.test:{port}{path}")).status_code
            for port in (8000, 9100)
            for path in ("/metrics", "/healthz")
        }
    assert answers == {
        (8000, "/metrics"): 404,
        (8000, "/healthz"): 200,
        (9100, "/metrics"): 200,
        (9100, "/healthz"): 404,
    }


# Documents, dashboard and alerts


def expressions() -> Iterator[tuple[str, str]]:
    """Every PromQL expression of dashboard and alerts, by where it stands."""
    for panel in DASHBOARD["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel.get("targets", []))
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]:
        yield from ((rule["alert"], rule["expr"]) for rule in group["rules"])


def named(text: str) -> set[str]:
    return set(re.findall(r"\b(?:crafty|process|python)_[a-z_]+", text))


SHOWN = {measure.name + part: measure for measure in OWN for part in (PARTS if measure.kind == "histogram" else ("",))}


async def test_every_metric_of_the_catalogue_is_told_and_no_other(api: httpx.AsyncClient) -> None:
    await deliver(api, "d-1")
    text = await scraped(api)
    told = {name for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE) if not name.startswith(tuple(FAMILIES))}
    assert told == {measure.name for measure in OWN}


def test_the_reference_is_up_to_date() -> None:
    assert referenced(PAGE) == PAGE, "run: python -m service.metrics docs/metrics.md"


def test_a_page_without_its_marks_gets_no_reference() -> None:
    with pytest.raises(ValueError, match="has no <!-- metrics -->"):
        referenced("# A page\n<!-- metrics -->\n")


@pytest.mark.parametrize(("place", "expression"), list(expressions()))
def test_dashboard_and_alerts_name_what_there_is_and_count_nothing_twice(place: str, expression: str) -> None:
    ours = {name for name in named(expression) if name.startswith("crafty_")}
    assert ours | named(expression) <= SHOWN.keys() | {"process_cpu_seconds_total", "process_resident_memory_bytes"}
    if any(SHOWN[name].scope == "all" for name in ours):
        assert re.search(r"\b(max|min)\b", expression)


def test_every_alert_says_what_to_do_and_has_a_test() -> None:
    tested = (PROMETHEUS / "alerts_test.yml").read_text()
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"].keys() == {"summary", "description"}
            assert rule["labels"]["severity"] in {"critical", "warning", "info"}
            assert f'alertname="{rule["alert"]}"' in tested


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool comes with Debian's prometheus; CI has it")
@pytest.mark.parametrize("what", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]])
def test_prometheus_own_tool_is_content_with_the_alerts(what: list[str]) -> None:
    done = subprocess.run(["promtool", *what], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def log_events() -> set[str]:
    sources = (path.read_text() for path in (ROOT / "service").rglob("*.py") if "demo" not in path.parts)
    return {name for text in sources for name in re.findall(r'\b(?:log\.\w+\(|Gathered\(log,)\s*"([a-z_.]+)"', text)}


def test_every_event_of_the_log_is_documented() -> None:
    assert {name for name in log_events() if f"`{name}`" not in PAGE} == set()
    assert {"deliveries.stored", "effect.performed"} <= log_events()
