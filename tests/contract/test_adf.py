"""Every document that we write, and that the stand-in of Jira answers, is one of Atlassian's format."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from service.facts import Person
from service.texts import (
    Checklist,
    Inline,
    Item,
    Link,
    Mention,
    Message,
    Moment,
    Paragraph,
    Small,
    Strong,
    Text,
    to_adf,
)
from tests.contract.calls import Exchange
from tests.contract.document import FOLDER

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the vendors' documents do not lie beside the project")

WORDS = st.text(max_size=6)
PEOPLE = st.builds(lambda name, account: Person(name=name, jira=account), WORDS, st.none() | WORDS | st.just("ann"))
INLINES: st.SearchStrategy[tuple[Inline, ...]] = st.lists(
    st.builds(Text, WORDS)
    | st.builds(Strong, WORDS)
    | st.builds(Mention, PEOPLE)
    | st.builds(Link, WORDS, WORDS | st.just("https://x.example/y"))
    | st.builds(Moment, st.just(datetime(2026, 11, 13, 14, tzinfo=UTC)), st.sampled_from(["UTC", "Asia/Kolkata"])),
    max_size=3,
).map(tuple)
ITEMS = st.lists(st.builds(Item, INLINES, st.booleans()), max_size=2).map(tuple)
BLOCKS = st.builds(Paragraph, INLINES) | st.builds(Checklist, ITEMS) | st.builds(Small, INLINES)


@pytest.fixture(scope="module")
def schema() -> Draft4Validator:
    return Draft4Validator(json.loads((FOLDER / "adf-full.schema.json").read_text()))


@given(blocks=st.lists(BLOCKS, max_size=3).map(tuple))
def test_any_message_is_a_document(schema: Draft4Validator, blocks: tuple[Any, ...]) -> None:
    assert not list(schema.iter_errors(to_adf(Message(blocks))))


def documents_in(part: Any) -> Iterator[Any]:
    if isinstance(part, dict) and part.get("type") == "doc":
        yield part
    elif isinstance(part, dict | list):
        for one in part.values() if isinstance(part, dict) else part:
            yield from documents_in(one)


def test_the_stand_in_answers_with_documents(
    schema: Draft4Validator, exchanges: dict[tuple[str, str], list[Exchange]]
) -> None:
    answers = [answer for (client, _), pairs in exchanges.items() if client == "cloud" for _, answer in pairs]
    shown = [one for answer in answers if answer.content for one in documents_in(answer.json())]
    assert shown
    assert [error.message for one in shown for error in schema.iter_errors(one)] == []
