"""Messages read well in every place, and nothing from outside does anything there."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from markdown_it import MarkdownIt
from markdown_it.token import Token

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
    in_words,
    item,
    paragraph,
    small,
    to_adf,
    to_discourse,
    to_mattermost,
    to_plain,
    to_wiki,
)

BREAK = "\u200b"
ANN = Person(name="Ann Lee", jira="ann", mattermost="ann.lee", discourse="ann_lee")
BOB = Person(name="Bob", jira="bob", mattermost="bob", discourse="bob")
CY = Person(name="Cy")
FRIDAY = datetime(2026, 11, 13, 14, 0, tzinfo=UTC)
TICKET = Link("SE-12", "https://jira.example/browse/SE-12")

MESSAGE = Message(
    (
        paragraph(
            "{assignee}, who reviews {ticket}? It is due {due}.",
            assignee=ANN,
            ticket=TICKET,
            due=Moment(FRIDAY, "Europe/Paris"),
        ),
        Checklist((item("Ask {people}", people=(BOB, CY)), item("Estimate: {points} points", is_done=True, points=3))),
        small("Rule {rule}: say why to {person}", rule=Strong("missing-reviewer"), person=BOB),
    )
)

WIKI = """\
[~ann], who reviews [SE&#45;12|https://jira.example/browse/SE-12]&#63; It is due \
Friday 13 November at 15&#58;00 &#40;Europe&#47;Paris&#41;&#46;

* (x) Ask [~bob] and Cy
* (/) Estimate&#58; 3 points

{color:#6b778c}Rule *missing-reviewer*&#58; say why to [~bob]{color}"""

MATTERMOST = """\
@ann.lee, who reviews [SE-12](https://jira.example/browse/SE-12)? It is due \
Friday 13 November at 15:00 (Europe/Paris)\\.

- ⬜ Ask @bob and Cy
- ✅ Estimate: 3 points

*Rule **missing-reviewer**: say why to @bob*"""

DISCOURSE = """\
@ann_lee, who reviews [SE-12](https://jira.example/browse/SE-12)? It is due \
Friday 13 November at 15:00 (Europe/Paris)\\.

- ⬜ Ask @bob and Cy
- ✅ Estimate: 3 points

<small>Rule **missing-reviewer**: say why to @bob</small>"""

PLAIN = """\
Ann Lee, who reviews SE-12 (https://jira.example/browse/SE-12)? It is due \
Friday 13 November at 15:00 (Europe/Paris).
[ ] Ask Bob and Cy
[x] Estimate: 3 points
Rule missing-reviewer: say why to Bob"""

NASTY = st.one_of(
    st.sampled_from(
        [
            *("@all", "@channel", "@here", "[~bob]", "[~accountid:x]", "{code}", "{{x}}", "!x.png!", "h1. x", "bq. x"),
            *("http://evil.example", "www.evil.example", "evil.com", "//evil.com", "a@b.co", "mailto:a@b.co"),
            *(
                "![](http://x)",
                "[x](http://x)",
                "[a]: http://x",
                "<b>",
                "<!--",
                "<http://x.y>",
                "[poll]",
                "[date=2026-01-01]",
            ),
            *(
                "/close",
                "SE-123",
                "&#91;",
                "&lt;",
                "~town-square",
                "#tag",
                "# x",
                "- x",
                "1. x",
                "1) x",
                "---",
                "===",
                "```",
            ),
            *(
                ":smile:",
                "$x$",
                "||a||",
                "(/)",
                ":)",
                "\u202eabc",
                "\u200b",
                "\x1b[31m",
                "\r\n",
                "    x",
                "**x**",
                "~~x~~",
            ),
        ]
    ),
    st.text("@[]{}()~#*_\\`<>&/:.-|!^+?\"'=$,;% \n\tax1", max_size=8),
    st.text(max_size=4),
)
TEXTS = st.lists(NASTY, max_size=5)


def said(*inlines: Inline) -> Message:
    return Message((Paragraph(inlines),))


def outside(texts: list[str]) -> Message:
    return said(*map(Text, texts))


def shown(rendered: str) -> str:
    """What is left to see when breaks, backslashes and references are undone."""
    return html.unescape(re.sub(r"\\(.)", r"\1", rendered.replace(BREAK, "")))


# Composing


@pytest.mark.parametrize(
    ("value", "inlines"),
    [
        pytest.param("@all", (Text("@all"),), id="a string is data"),
        pytest.param("{x}", (Text("{x}"),), id="a string is not a template"),
        pytest.param(3, (Text("3"),), id="a whole number"),
        pytest.param(0.5, (Text("0.5"),), id="half a point"),
        pytest.param(8.0, (Text("8"),), id="a whole number of points as a float"),
        pytest.param(ANN, (Mention(ANN),), id="a person"),
        pytest.param((), (), id="nobody"),
        pytest.param((ANN,), (Mention(ANN),), id="one of several"),
        pytest.param((ANN, BOB), (Mention(ANN), Text(" and "), Mention(BOB)), id="two people"),
        pytest.param(
            (ANN, BOB, CY), (Mention(ANN), Text(", "), Mention(BOB), Text(" and "), Mention(CY)), id="three people"
        ),
        pytest.param(Strong("no"), (Strong("no"),), id="strong words"),
        pytest.param(TICKET, (TICKET,), id="a link"),
        pytest.param(Moment(FRIDAY, "UTC"), (Moment(FRIDAY, "UTC"),), id="a moment"),
    ],
)
def test_a_field_becomes_what_its_value_is(value: Any, inlines: tuple[Inline, ...]) -> None:
    assert paragraph("{x}", x=value) == Paragraph(inlines)


def test_literal_words_stay_around_the_fields() -> None:
    assert item("{{a}} {x}, b", is_done=True, x="y") == Item(
        (Text("{"), Text("a}"), Text(" "), Text("y"), Text(", b")), True
    )
    assert small("no field") == Small((Text("no field"),))


@pytest.mark.parametrize(
    ("template", "values", "error"),
    [
        pytest.param("{x} {y}", {"x": "1"}, KeyError, id="a field without a value"),
        pytest.param("{x}", {"x": "1", "y": "2"}, KeyError, id="a value without a field"),
        pytest.param("{}", {"x": "1"}, KeyError, id="a field without a name"),
        pytest.param("{x.name}", {"x": "1"}, KeyError, id="an attribute"),
        pytest.param("{x:>9}", {"x": "1"}, ValueError, id="a format"),
        pytest.param("{x!r}", {"x": "1"}, ValueError, id="a conversion"),
    ],
)
def test_a_template_that_does_not_fit_is_refused(template: str, values: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        paragraph(template, **values)


# What each place shows


@pytest.mark.parametrize(
    ("render", "expected"),
    [
        pytest.param(to_wiki, WIKI, id="Jira Data Center"),
        pytest.param(to_mattermost, MATTERMOST, id="Mattermost"),
        pytest.param(to_discourse, DISCOURSE, id="Discourse"),
        pytest.param(to_plain, PLAIN, id="plain"),
    ],
)
def test_a_message_reads_as_meant(render: Callable[[Message], str], expected: str) -> None:
    assert render(MESSAGE) == expected


def test_a_message_reads_as_meant_in_jira_cloud() -> None:
    message = Message(
        (
            paragraph("{a}: {b}", a=ANN, b=TICKET),
            Checklist((item("{p}", p=Strong("now")),)),
            small("by {c}", c=CY),
        )
    )
    assert to_adf(message) == {
        "type": "doc",
        "version": 1,
        "content": [
            {
                "type": "paragraph",
                "content": [
                    {"type": "mention", "attrs": {"id": "ann", "text": "@Ann Lee"}},
                    {"type": "text", "text": ": "},
                    {
                        "type": "text",
                        "text": "SE-12",
                        "marks": [{"type": "link", "attrs": {"href": "https://jira.example/browse/SE-12"}}],
                    },
                ],
            },
            {
                "type": "bulletList",
                "content": [
                    {
                        "type": "listItem",
                        "content": [
                            {
                                "type": "paragraph",
                                "content": [
                                    {"type": "text", "text": "⬜ "},
                                    {"type": "text", "text": "now", "marks": [{"type": "strong"}]},
                                ],
                            }
                        ],
                    }
                ],
            },
            {
                "type": "paragraph",
                "content": [
                    {"type": "text", "text": "by ", "marks": [{"type": "em"}]},
                    {"type": "text", "text": "Cy", "marks": [{"type": "em"}]},
                ],
            },
        ],
    }


TEXT_FORMATS = pytest.mark.parametrize(
    "render",
    [
        pytest.param(to_wiki, id="wiki"),
        pytest.param(to_mattermost, id="Mattermost"),
        pytest.param(to_discourse, id="Discourse"),
        pytest.param(to_plain, id="plain"),
    ],
)


@TEXT_FORMATS
def test_blocks_without_words_leave_no_trace(render: Callable[[Message], str]) -> None:
    message = Message((paragraph(""), Checklist(()), small("{x}", x=" \n"), paragraph("{x}", x=())))
    assert render(message) == ""
    assert render(Message(())) == ""


def test_blocks_without_words_leave_no_trace_in_jira_cloud() -> None:
    assert to_adf(Message((paragraph(""), Checklist(()), small("{x}", x=""))))["content"] == []


@pytest.mark.parametrize(
    ("rendered", "expected"),
    [
        pytest.param(to_wiki(said(Mention(CY))), "Cy", id="wiki: nobody we know"),
        pytest.param(to_wiki(said(Mention(Person(name="J", jira="a b")))), "[~a b]", id="wiki: a name with a space"),
        pytest.param(to_wiki(said(Mention(Person(name="J", jira="x] {y}")))), "J", id="wiki: a name that is markup"),
        pytest.param(
            to_wiki(said(Mention(Person(name="[~bob]")))), "&#91;&#126;bob&#93;", id="wiki: a name that mentions"
        ),
        pytest.param(to_mattermost(said(Mention(CY))), "Cy", id="Mattermost: nobody we know"),
        pytest.param(
            to_mattermost(said(Mention(Person(name="All", mattermost="ALL")))), "All", id="Mattermost: everyone"
        ),
        pytest.param(
            to_mattermost(said(Mention(Person(name="L", mattermost="allan")))), "@allan", id="Mattermost: allan"
        ),
        pytest.param(to_mattermost(said(Mention(Person(name="H", mattermost="a b")))), "H", id="Mattermost: two words"),
        pytest.param(to_discourse(said(Mention(Person(name="H", discourse="here")))), "H", id="Discourse: everyone"),
        pytest.param(to_discourse(said(Mention(Person(name="H", mattermost="h")))), "H", id="Discourse: other account"),
        pytest.param(to_plain(said(Mention(ANN))), "Ann Lee", id="plain: always the name"),
    ],
)
def test_a_person_who_cannot_be_notified_is_named(rendered: str, expected: str) -> None:
    assert rendered == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("https://x.example/a?b=c#d", "[t](https://x.example/a?b=c#d)", id="https"),
        pytest.param("http://x.example/ä", "[t](http://x.example/%C3%A4)", id="http with another script"),
        pytest.param("http://x/a)(b", "[t](http://x/a%29%28b)", id="parentheses"),
        pytest.param("http://x/a%20b c\n", "[t](http://x/a%20b%20c%0A)", id="spaces"),
        pytest.param("http://x/@all~y*_z_", "[t](http://x/%40all~y%2A_z_)", id="signs"),
        pytest.param("http://x/\ud800", "[t](http://x/?)", id="half a character"),
        pytest.param("javascript:alert(1)", "t", id="script"),
        pytest.param("ftp://x/y", "t", id="another protocol"),
        pytest.param("//x/y", "t", id="no protocol"),
        pytest.param("https:", "t", id="no host"),
        pytest.param("http://[x", "[t](http://%5Bx)", id="brackets"),
        pytest.param(" http://x/y", "t", id="a space before it"),
        pytest.param("ht\ntp://x/y", "t", id="a broken protocol"),
        pytest.param("http://x/" + "a" * 1_991, f"[t](http://x/{'a' * 1_991})", id="2,000 characters"),
        pytest.param("http://x/" + "a" * 1_992, "t", id="2,001 characters"),
    ],
)
def test_only_web_links_become_links(url: str, expected: str) -> None:
    assert to_mattermost(said(Link("t", url))) == expected


@pytest.mark.parametrize(
    ("rendered", "expected"),
    [
        pytest.param(
            to_wiki(said(Link("a|b]", "http://x/|]{y}"))), "[a&#124;b&#93;|http://x/%7C%5D%7By%7D]", id="wiki"
        ),
        pytest.param(to_wiki(said(Link("a]", "file:///x"))), "a&#93;", id="wiki: a file"),
        pytest.param(to_plain(said(Link("a", "http://x/y"))), "a (http://x/y)", id="plain"),
        pytest.param(to_plain(said(Link("a", "data:x"))), "a", id="plain: not the web"),
        pytest.param(to_plain(said(Link(" ", "http://x/y"))), "http://x/y (http://x/y)", id="a link without words"),
        pytest.param(
            to_wiki(said(Text("a "), Strong(" b "), Strong(" "))), "a *b*", id="strong words close to their signs"
        ),
    ],
)
def test_markup_holds_together(rendered: str, expected: str) -> None:
    assert rendered == expected


# Moments


@pytest.mark.parametrize(
    ("at", "zone", "expected"),
    [
        pytest.param(
            "2026-11-13T14:00+00:00", "Europe/Paris", "Friday 13 November at 15:00 (Europe/Paris)", id="afternoon"
        ),
        pytest.param(
            "2026-11-12T22:59+00:00", "Europe/Paris", "Thursday 12 November at 23:59 (Europe/Paris)", id="23:59"
        ),
        pytest.param(
            "2026-11-12T23:00+00:00", "Europe/Paris", "the end of Thursday 12 November (Europe/Paris)", id="00:00"
        ),
        pytest.param(
            "2026-11-12T23:01+00:00", "Europe/Paris", "Friday 13 November at 00:01 (Europe/Paris)", id="00:01"
        ),
        pytest.param("2026-07-01T13:05+00:00", "Europe/Paris", "Wednesday 1 July at 15:05 (Europe/Paris)", id="summer"),
        pytest.param(
            "2027-01-01T00:00+00:00", "UTC", "the end of Thursday 31 December (UTC)", id="the end of the year"
        ),
        pytest.param("2026-11-13T14:00+00:00", "Mars/Base", "Friday 13 November at 14:00 (UTC)", id="no such zone"),
        pytest.param("2026-11-13T14:00+00:00", "", "Friday 13 November at 14:00 (UTC)", id="no zone"),
        pytest.param("2026-11-13T14:00+00:00", "../x", "Friday 13 November at 14:00 (UTC)", id="a path"),
        pytest.param("2026-11-13T14:00+00:00", "Europe", "Friday 13 November at 14:00 (UTC)", id="a folder"),
        pytest.param("2026-11-13T14:00+00:00", "\x00\ud800", "Friday 13 November at 14:00 (UTC)", id="no text"),
        pytest.param("2026-11-13T14:00+00:00", "x" * 9_999, "Friday 13 November at 14:00 (UTC)", id="far too long"),
        pytest.param("9999-12-31T23:59+00:00", "Asia/Tokyo", "9999-12-31T23:59:00+00:00", id="past the last day"),
        pytest.param("0001-01-01T00:00+00:00", "UTC", "0001-01-01T00:00:00+00:00", id="before the first day"),
    ],
)
def test_an_instant_in_words(at: str, zone: str, expected: str) -> None:
    assert in_words(datetime.fromisoformat(at), zone) == expected


@pytest.mark.parametrize("render", [to_mattermost, to_discourse])
@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        pytest.param(None, "Friday 13 November at 15:00 (Europe/Paris)", id="the moment's zone by default"),
        pytest.param("Asia/Tokyo", "Friday 13 November at 23:00 (Asia/Tokyo)", id="the reader's zone wins"),
        pytest.param("Nowhere", "Friday 13 November at 14:00 (UTC)", id="UTC when the reader's is unknown"),
    ],
)
def test_chat_shows_the_readers_time(render: Callable[..., str], zone: str | None, expected: str) -> None:
    assert shown(render(said(Moment(FRIDAY, "Europe/Paris")), zone)) == expected


@given(st.datetimes(timezones=st.just(UTC)), st.one_of(st.text(), st.sampled_from(["Asia/Tokyo", "America/Lima"])))
def test_any_instant_has_words(at: datetime, zone: str) -> None:
    assert str(at.day) in in_words(at, "UTC") or str((at - timedelta(days=1)).day) in in_words(at, "UTC")
    assert in_words(at, zone).strip()


# Lengths


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a" * 500, "a" * 500, id="500 characters stay"),
        pytest.param("a" * 501, "a" * 499 + "…", id="501 are cut"),
        pytest.param("a" * 498 + " " + "a" * 9, "a" * 498 + "…", id="no space before the ellipsis"),
        pytest.param("a\r\n\tb\x1b\u2028c\x00d", "a b c d", id="one line"),
        pytest.param("\u202ea\u200bb\ufeffc\u2066\ud800\ufdd0\uffff\ue000", "abc", id="nothing invisible"),
        pytest.param("Zoë 日本 👍", "Zoë 日本 👍", id="every script"),
    ],
)
def test_text_is_one_visible_line_of_limited_length(text: str, expected: str) -> None:
    assert to_plain(outside([text])) == expected
    assert to_adf(outside([text]))["content"][0]["content"] == [{"type": "text", "text": expected}]


def filled(length: int) -> Message:
    """A message of exactly so many characters: paragraphs of up to 400, a blank line between."""
    whole, rest = divmod(length - 1, 402)
    return Message(tuple(paragraph("{x}", x="a" * size) for size in [*[400] * whole, rest + 1]))


@pytest.mark.parametrize("render", [to_wiki, to_mattermost, to_discourse])
def test_a_message_of_16383_characters_is_whole_and_a_longer_one_is_cut(render: Callable[[Message], str]) -> None:
    assert len(render(filled(16_383))) == 16_383
    assert "…" not in render(filled(16_383))
    cut = render(filled(16_384))
    assert len(cut) <= 16_383
    assert cut.endswith("a\n\n…")


@TEXT_FORMATS
def test_a_message_is_cut_whatever_it_is_made_of(render: Callable[[Message], str]) -> None:
    line = (Text("/" * 500), Strong("@" * 500), Link("[" * 500, "http://x/" + "y" * 1_900)) * 9
    assert render(said(*line)).endswith("…")
    assert len(render(Message((Paragraph(line), Checklist((Item(line),) * 9), Small(line))))) <= 16_383


# Nothing from outside does anything: Markdown

PARSER = MarkdownIt("gfm-like")
ALIVE_IN_CHAT = {
    "a mention": r"@[\w.-]",
    "a hashtag or category": r"#[^\W\d_]",
    "a channel": r"~[a-z0-9]",
    "a protocol": r"\w:/|mailto:\w",
    "a domain": r"\w\.[^\W\d_]",
    "a tag in brackets": r"\[[a-z]",
    "an emoji": r":[a-z0-9_+-]+:",
}


def tokens_of(rendered: str) -> Iterator[Token]:
    for token in PARSER.parse(rendered):
        yield token
        yield from token.children or ()


def kinds_of(rendered: str) -> set[str]:
    return {token.type for token in tokens_of(rendered)}


def text_of(rendered: str) -> str:
    return "".join(token.content for token in tokens_of(rendered) if token.type == "text")


def mentioned(rendered: str) -> list[str]:
    """Mattermost's way: words are letters, digits and `:.-_@`; one that begins with the sign may mention."""
    words = re.split(r"[^\w:.@-]", rendered)
    return [word.rstrip(".:-_") for word in words if word.startswith("@") and word != "@"]


def assert_only_words_in_markdown(texts: list[str]) -> None:
    for render in (to_mattermost, to_discourse):
        rendered = render(outside(texts))
        assert kinds_of(rendered) <= {"paragraph_open", "inline", "paragraph_close", "text"}
        assert text_of(rendered).replace(BREAK, "") == to_plain(outside(texts))


def assert_nothing_acts_in_chat(texts: list[str]) -> None:
    """Chat looks for its own signs in the words that the parser leaves, and some of them in the raw message."""
    rendered = to_mattermost(outside(texts))
    assert mentioned(rendered) == []
    assert not rendered.startswith("/")
    for seen in (rendered, text_of(rendered)):
        assert [name for name, pattern in ALIVE_IN_CHAT.items() if re.search(pattern, seen)] == []
    assert PARSER.linkify is not None
    assert not PARSER.linkify.test(text_of(rendered))


@given(texts=TEXTS)
@settings(max_examples=400)
def test_outside_words_are_only_words_in_markdown(texts: list[str]) -> None:
    assert_only_words_in_markdown(texts)
    assert_nothing_acts_in_chat(texts)


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(["1", ") x"], id="a number and a parenthesis"),
        pytest.param(["1", ". x"], id="a number and a dot"),
        pytest.param(["-", " x"], id="a hyphen and a space"),
        pytest.param(["evil.", "com"], id="a dot at the end"),
        pytest.param(["evil", ".com"], id="a dot at the start"),
        pytest.param(["http:", "//x.y"], id="a protocol's colon at the end"),
        pytest.param(["http:/", "/x.y"], id="a protocol's slashes parted"),
        pytest.param(["a/", "/localhost"], id="two slashes parted"),
        pytest.param(["mailto:", "a@b.co"], id="a mail protocol's colon at the end"),
        pytest.param([":", "smile:"], id="an emoji's colon at the end"),
        pytest.param(["@", "all"], id="a sign and its name"),
        pytest.param(["#", "tag"], id="a hash and its tag"),
        pytest.param(["!", "[x](http://y)"], id="an image's mark at the end"),
        pytest.param(["\\", "[x](http://y)"], id="a backslash at the end"),
        pytest.param(["&", "lt;"], id="a reference parted"),
        pytest.param([" ", "/close"], id="a space before a quick action"),
    ],
)
def test_neighbours_do_not_act_together_in_markdown(texts: list[str]) -> None:
    assert_only_words_in_markdown(texts)
    assert_nothing_acts_in_chat(texts)


@pytest.mark.parametrize("render", [to_mattermost, to_discourse])
@given(name=NASTY, words=NASTY, linked=NASTY, around=NASTY)
@settings(max_examples=200)
def test_only_the_models_own_markup_is_in_markdown(
    render: Callable[[Message], str], name: str, words: str, linked: str, around: str
) -> None:
    parts = (
        Text(around),
        Mention(Person(name=name)),
        Link(linked, "http://x/y"),
        Text(around),
        Strong(words),
        Text(around),
    )
    rendered = render(Message((Paragraph(parts), Checklist((Item(parts),)))))
    links = [token.attrs["href"] for token in tokens_of(rendered) if token.type == "link_open"]
    assert links == ["http://x/y"] * 2
    assert (
        kinds_of(rendered) & {"image", "html_inline", "html_block", "code_inline", "heading_open", "fence", "s_open"}
        == set()
    )
    assert [token.type for token in tokens_of(rendered)].count("list_item_open") == 1


@pytest.mark.parametrize(("render", "account"), [(to_mattermost, "@ann.lee"), (to_discourse, "@ann_lee")])
@given(before=NASTY, after=NASTY)
@settings(max_examples=200)
def test_a_mention_reaches_its_person_and_no_other(
    render: Callable[[Message], str], account: str, before: str, after: str
) -> None:
    rendered = render(
        Message((Paragraph((Text(before), Mention(ANN), Text(after))), Small((Mention(ANN), Text(after)))))
    )
    assert mentioned(rendered) == [account, account]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Fix the login page, please (again)!", "Fix the login page, please (again)\\!", id="prose"),
        pytest.param(
            "A follow-up at 10:30, 3.5 points: and/or", "A follow-up at 10:30, 3.5 points: and/or", id="untouched"
        ),
        pytest.param("@channel", f"@{BREAK}channel", id="everyone"),
        pytest.param("~town-square #tag", f"\\~{BREAK}town-square \\#{BREAK}tag", id="channel and hashtag"),
        pytest.param("http://x", f"http:{BREAK}&#47;{BREAK}&#47;{BREAK}x", id="a protocol"),
        pytest.param("www.evil.com", f"www\\.{BREAK}evil\\.{BREAK}com", id="a domain"),
        pytest.param("/close", f"&#47;{BREAK}close", id="a quick action"),
        pytest.param("1. one", "1\\. one", id="a numbered list"),
        pytest.param("1) one", "1\\) one", id="another numbered list"),
        pytest.param("- one", "\\- one", id="a list"),
        pytest.param("<b>R&D</b>", f"&#60;b&#62;R&#38;D&#60;&#47;{BREAK}b&#62;", id="HTML"),
        pytest.param("[poll] `x` $y$", f"\\[{BREAK}poll\\] \\`x\\` &#36;y&#36;", id="poll, code and formula"),
    ],
)
def test_markdown_escapes_what_would_act(text: str, expected: str) -> None:
    assert to_mattermost(outside([text])) == to_discourse(outside([text])) == expected
    assert shown(expected) == text


# Nothing from outside does anything: Jira's wiki markup

WIKI_CONSTRUCTS = {
    "a link or mention": r"\[",
    "a macro": r"[{}]",
    "an image": r"!",
    "a table": r"\|",
    "a protocol": r"\w:",
    "an escape": r"\\",
    "an e-mail address": r"@",
    "a heading or quotation": r"(?i)^\s*(h\d|bq)\.",
    "a list": r"^\s*[*#-]",
    "a rule or dash": r"--",
    "a phrase": r"[*_+^~]|\?\?|(?<!\w)-\S",
    "an issue key": r"(?i)[a-z]-\d",
    "an emoticon": r"[:;]-?[)(PDp]|\([^)]{1,4}\)|:",
    "raw HTML": r"[<>]",
}


def assert_only_words_in_wiki_markup(texts: list[str]) -> None:
    rendered = to_wiki(outside(texts))
    bare = re.sub(r"&#\d+;", "\x00", rendered)
    assert [name for name, pattern in WIKI_CONSTRUCTS.items() if re.search(pattern, bare)] == []
    assert "&" not in bare
    assert html.unescape(rendered) == to_plain(outside(texts))


@given(texts=TEXTS)
@settings(max_examples=400)
def test_outside_words_are_only_words_in_wiki_markup(texts: list[str]) -> None:
    assert_only_words_in_wiki_markup(texts)


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(["h1", ". x"], id="a heading's dot at the start"),
        pytest.param(["bq", ". x"], id="a quotation's dot at the start"),
        pytest.param(["h1. x"], id="a heading"),
        pytest.param(["bq. x"], id="a quotation"),
        pytest.param(["se-", "1"], id="an issue key parted"),
        pytest.param(["se-1"], id="an issue key in lower case"),
        pytest.param(["a", "-x y-", " b"], id="words between hyphens"),
        pytest.param(["-x"], id="a hyphen at the start"),
        pytest.param(["[", "~bob]"], id="a mention parted"),
        pytest.param(["&", "#91;"], id="a reference parted"),
        pytest.param(["a;", ")"], id="an emoticon parted"),
    ],
)
def test_neighbours_do_not_act_together_in_wiki_markup(texts: list[str]) -> None:
    assert_only_words_in_wiki_markup(texts)


@given(name=NASTY, words=NASTY, linked=NASTY)
@settings(max_examples=200)
def test_only_the_models_own_markup_is_in_wiki_markup(name: str, words: str, linked: str) -> None:
    named = Mention(Person(name=name, jira=name or None))
    parts = (Text(words), Mention(ANN), Text(words), Link(linked, f"http://x/{words}"), Mention(Person(name=name)))
    assert re.findall(r"\[~[^]]*\]", to_wiki(said(*parts))) == ["[~ann]"]
    assert len(re.findall(r"\[[^]]*\|http://x/[^]|\s]*\]", to_wiki(said(*parts)))) == 1
    assert not re.search(r"[{}|]|\[~[^]\n]*[\[~]", to_wiki(said(named)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Fix the login page, it's a follow-up.", "Fix the login page, it's a follow-up.", id="prose"),
        pytest.param("please (again)!", "please &#40;again&#41;&#33;", id="marks"),
        pytest.param("[~bob]", "&#91;&#126;bob&#93;", id="a mention"),
        pytest.param("{code}", "&#123;code&#125;", id="a macro"),
        pytest.param("SE-123", "SE&#45;123", id="an issue key"),
        pytest.param("&#91;", "&#38;&#35;91&#59;", id="a reference"),
        pytest.param("h1. x bq. y", "h1&#46; x bq&#46; y", id="a heading"),
        pytest.param("http://x", "http&#58;&#47;&#47;x", id="a URL"),
    ],
)
def test_wiki_markup_escapes_what_would_act(text: str, expected: str) -> None:
    assert to_wiki(outside([text])) == expected
    assert html.unescape(expected) == text


# Nothing from outside does anything: Atlassian Document Format

SCHEMA = Path(__file__).parents[2] / "shared" / "openapi" / "adf-full.schema.json"


@pytest.fixture(scope="module")
def schema() -> Draft4Validator:
    if not SCHEMA.exists():
        pytest.skip("the vendor's schema is not at hand")
    return Draft4Validator(json.loads(SCHEMA.read_text()))


def nodes_of(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("content", ()):
        yield from nodes_of(child)


def parts_of(text: str) -> tuple[Inline, ...]:
    return (
        Text(text),
        Strong(text),
        Mention(Person(name=text)),
        Mention(ANN),
        Link(text, "http://x/y"),
        Link("t", text),
    )


def anything(text: str) -> Message:
    parts = parts_of(text)
    return Message((Paragraph(parts), Checklist((Item(parts), Item((), True))), Small(parts)))


@given(text=NASTY)
@settings(max_examples=60, deadline=None)
def test_documents_satisfy_the_vendors_schema(schema: Draft4Validator, text: str) -> None:
    assert list(schema.iter_errors(to_adf(anything(text)))) == []


@given(text=NASTY)
@settings(max_examples=200)
def test_only_the_models_own_marks_are_in_documents(text: str) -> None:
    nodes = list(nodes_of(to_adf(said(*parts_of(text)))))
    links = [mark["attrs"]["href"] for node in nodes for mark in node.get("marks", ()) if mark["type"] == "link"]
    assert links[0] == "http://x/y"
    assert all(href.startswith(("http://", "https://")) for href in links)
    assert [node["attrs"]["id"] for node in nodes if node["type"] == "mention"] == ["ann"]
    assert all(node["text"] for node in nodes if node["type"] == "text")
    json.dumps(nodes, ensure_ascii=False).encode()


@given(text=NASTY)
def test_plain_words_hold_no_control_character(text: str) -> None:
    assert all(
        character == "\n" or character.isprintable() for character in to_plain(anything(text)) if character < "\x80"
    )
