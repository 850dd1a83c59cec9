"""No delivery, text or value from outside does more than it may: what the fuzzer holds, a little of it each time.

`make fuzz` runs the same deliveries for as long as one likes. What it found has a test at the end.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import cache
from time import thread_time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from fuzz.door import NOW, Broken, Door, check_delivery, check_entry
from fuzz.mutations import Mutator
from fuzz.seeds import SOURCES, Sent, seeds
from service.commands import LONGEST_TEXT, commands_in
from service.engine import Decision
from service.facts import Person
from service.jira_shapes import RawField, discover, instant_from, sprint_from_text, text_from
from service.ledger import Delivery, Entry
from service.texts import Link, Mention, Message, Paragraph, Text, to_adf, to_discourse, to_mattermost, to_wiki
from service.values import Holiday, WorkingTime, Zone, parse_duration
from service.webhooks.intake import FAILED_ON
from tests.test_texts import NASTY, kinds_of, mentioned, tokens_of
from tests.webhooks import payloads

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
EVERY_SOURCE = pytest.mark.parametrize("source", SOURCES)

door = cache(Door)


@pytest.fixture(scope="module", autouse=True)
def _closed_doors() -> Iterator[None]:
    yield
    for source in SOURCES:
        door(source).close()


@cache
def mutator(source: str) -> Mutator:
    return Mutator(seeds(source))


@cache
def packed(source: str) -> tuple[bytes, ...]:
    return tuple(sent.packed() for sent in seeds(source))


# Deliveries


@EVERY_SOURCE
def test_what_the_fuzzer_starts_from_is_accepted(source: str) -> None:
    assert {door(source).knock(sent.headers, sent.body) for sent in seeds(source)} == {202}


@EVERY_SOURCE
@given(seed=st.integers(0, 2**32), again=st.integers(0, 3))
@settings(max_examples=100)
def test_an_almost_right_delivery_is_accepted_or_rejected(source: str, seed: int, again: int) -> None:
    data = packed(source)[seed % len(packed(source))]
    for step in range(again + 1):
        data = mutator(source).mutated(data, 64 * 1024, seed + step)
    sent = Sent.unpacked(data)
    assert door(source).knock(sent.headers, sent.body) in {202, 400, 413, 422}


@EVERY_SOURCE
@given(data=st.binary(max_size=200))
@settings(max_examples=50)
def test_any_bytes_are_rejected_or_of_no_concern(source: str, data: bytes) -> None:
    sent = Sent.unpacked(data)
    assert door(source).knock(sent.headers, sent.body) in {202, 400, 422}


@given(
    st.dictionaries(st.from_regex(r"[a-z-]+", fullmatch=True), st.from_regex(r"[ -~]*", fullmatch=True)), st.binary()
)
@settings(max_examples=50)
def test_a_delivery_is_read_from_its_file_as_it_was_written(headers: dict[str, str], body: bytes) -> None:
    assert Sent.unpacked(Sent(headers, body).packed()) == Sent(headers, body)


def test_the_same_seed_makes_the_same_delivery_and_others_make_others() -> None:
    start = packed("jira")[0]
    made = [mutator("jira").mutated(start, 64 * 1024, seed) for seed in (1, 2, 3, 1)]
    assert made[0] == made[3]
    assert len(set(made)) == 3


@pytest.mark.parametrize(
    ("decision", "is_broken"),
    [
        pytest.param({}, False, id="a rule that decides"),
        pytest.param({"error": "KeyError()"}, True, id="one that fails"),
    ],
)
def test_the_fuzzer_notices_a_rule_that_fails(decision: dict[str, Any], is_broken: bool) -> None:
    usual = {
        "rule": "r",
        "subject": "SE-1",
        "cell": "Serenity",
        "mode": "on",
        "outcome": "wait",
        "reason": "",
        "facts": {},
    }
    entry = Entry(at=NOW, subject="SE-1", stage="webhook", decisions=(Decision(**{**usual, **decision}),))
    assert raises_broken(lambda: check_entry(entry)) is is_broken


def test_the_fuzzer_notices_what_crafty_failed_on() -> None:
    delivery = Delivery(id="d", source="jira", event="", subject=None, received=NOW)
    failed = msgspec.structs.replace(delivery, note=f"{FAILED_ON} (KeyError)")
    assert [raises_broken(lambda one=one: check_delivery(one)) for one in (delivery, failed)] == [False, True]


def raises_broken(deed: Any) -> bool:
    try:
        deed()
    except Broken:
        return True
    return False


# Shapes and values


@given(ANYTHING)
def test_any_json_is_words_or_a_validation_error(anything: Any) -> None:
    try:
        words = text_from(msgspec.Raw(msgspec.json.encode(anything)))
    except (msgspec.ValidationError, OverflowError):
        return
    assert isinstance(anything, str | dict | None)
    assert words == words.strip()


@given(st.text() | st.integers())
def test_any_time_of_jira_s_is_an_instant_or_none(value: str | int) -> None:
    at = instant_from(value)
    assert at is None or (at.utcoffset() == timedelta() and 1900 <= at.year < 2200)


@given(
    st.lists(st.builds(RawField, id=st.text(), name=st.text()), max_size=5),
    st.dictionaries(st.just("reviewer"), st.text()),
)
def test_any_fields_of_a_site_are_found_or_told_of(known: list[RawField], names: dict[str, str]) -> None:
    found, problems = discover(known, names)
    assert len(problems) == sum(getattr(found, name) is None for name in names)


@given(ANYTHING)
def test_any_value_is_a_time_span_or_a_value_error(value: Any) -> None:
    with suppress(ValueError):
        assert timedelta() <= parse_duration(value) <= timedelta(days=365)


@pytest.mark.parametrize("kind", [Zone, Holiday, WorkingTime], ids=["a zone", "a holiday", "a working time"])
@given(value=ANYTHING)
@settings(max_examples=30)
def test_any_value_of_the_configuration_is_taken_or_explained(kind: Any, value: Any) -> None:
    adapter = TypeAdapter(kind)
    with suppress(ValidationError):
        taken = adapter.validate_python(value)
        assert adapter.validate_python(taken) == taken


# Renderers


@given(account=NASTY | st.sampled_from(["all", "Channel", "here", "ann", "ann.lee @bob", "ann\n@bob"]))
@settings(max_examples=100)
def test_a_strange_account_never_mentions_anybody_else(account: str) -> None:
    message = Message((Paragraph((Mention(Person(name="Ann", mattermost=account, discourse=account)), Text("x"))),))
    for render in (to_mattermost, to_discourse):
        assert set(mentioned(render(message))) <= {f"@{account.rstrip('.:-_')}"} - {"@all", "@channel", "@here"}


@given(rest=NASTY, scheme=st.sampled_from(["https://forum.example/", "http://", "javascript:", "//", ""]))
@settings(max_examples=100)
def test_a_strange_address_is_one_link_or_none(rest: str, scheme: str) -> None:
    message = Message((Paragraph((Text("a "), Link("words", scheme + rest), Text(" b"))),))
    for render in (to_mattermost, to_discourse):
        links = [token.attrs["href"] for token in tokens_of(render(message)) if token.type == "link_open"]
        assert len(links) <= 1
        assert all(str(link).startswith(("https://forum.example/", "http://")) for link in links)
        assert kinds_of(render(message)) <= {
            "paragraph_open",
            "inline",
            "paragraph_close",
            "text",
            "link_open",
            "link_close",
        }
    assert re.fullmatch(r"a (words|\[words\|https?://[^\s\[\]|{}\\]*\]) b", to_wiki(message))


# What was found


LARGE = 1024 * 1024


def large(piece: str) -> str:
    """A text of that piece, as large as a delivery may well be."""
    return piece * (LARGE // len(piece.encode()))


def quotes() -> dict[str, Any]:
    """Quotes in quotes, of a text of many lines."""
    node: dict[str, Any] = {"type": "text", "text": large("\n")}
    for _ in range(90):
        node = {"type": "blockquote", "content": [node]}
    return node


@pytest.mark.parametrize(
    ("source", "payload"),
    [
        pytest.param("jira", payloads.comment_created(large("[~crafty] plan 1h for review ")), id="commands"),
        pytest.param("jira", payloads.comment_created(large("@crafty <spillover>")), id="directives without end"),
        pytest.param("jira", payloads.issue_updated(payloads.issue_fields(description=large("[~"))), id="mentions"),
        pytest.param(
            "jira", payloads.issue_updated(payloads.issue_fields(description=quotes())), id="quotes in quotes"
        ),
        pytest.param(
            "jira",
            payloads.issue_updated(payloads.issue_fields(customfield_10020=[large("[id=1,") * 4])),
            id="a sprint's keys",
        ),
        pytest.param("github", payloads.pull_request(title=large("\ue000")), id="a title of invisible signs"),
        pytest.param("github", payloads.pull_request(html_url="http://x/" + large('"')), id="an address of quotes"),
    ],
)
def test_a_long_text_is_read_and_rendered_in_no_time(source: str, payload: dict[str, Any]) -> None:
    headers = {"x-github-event": "pull_request"}
    started = thread_time()
    assert door(source).knock(headers, msgspec.json.encode(payload)) in {202, 413}
    assert thread_time() - started < 1


def test_only_as_much_of_a_text_is_read_as_a_comment_may_have() -> None:
    before = " " * (LONGEST_TEXT - len("@crafty help"))
    assert [command.name for command in commands_in(f"{before}@crafty help")] == ["help"]
    assert commands_in(f"{before}x @crafty help") != commands_in(f"{before}@crafty help")


def test_a_long_title_is_cut_and_says_so() -> None:
    hidden = "a" + "\u200b" * 20_000 + "b"
    (paragraph,) = to_adf(Message((Paragraph((Text(hidden),)),)))["content"]
    assert paragraph["content"][0]["text"] == "a…"


@pytest.mark.parametrize(
    ("source", "payload", "status"),
    [
        pytest.param("jira", payloads.issue_updated(timestamp=17936964000000), 202, id="Jira's timestamp does without"),
        pytest.param(
            "jira", payloads.issue_updated(payloads.issue_fields(created="2538-01-01T00:00Z")), 202, id="a field"
        ),
        pytest.param("github", payloads.pull_request(created_at="2538-01-01T00:00:00Z"), 422, id="GitHub's time"),
        pytest.param("github", payloads.pull_request(created_at="0001-01-01T00:00:00+14:00"), 422, id="the first day"),
        pytest.param("gitlab", payloads.merge_request(created_at="9999-12-31 00:00:00 UTC"), 422, id="the last day"),
    ],
)
def test_a_time_outside_the_calendar_breaks_no_rule(source: str, payload: dict[str, Any], status: int) -> None:
    headers = {"x-github-event": "pull_request"}
    assert door(source).knock(headers, payloads.body(payload)) == status


@given(st.text(alphabet="[,=idname0123456789Date<>", max_size=200))
def test_a_sprint_in_greenhopper_s_words_has_a_number_or_is_none(text: str) -> None:
    sprint = sprint_from_text(text)
    assert sprint is None or sprint.id >= 0
