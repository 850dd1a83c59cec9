"""What counts as a command to Crafty, and what is said to others, quoted, or merely about it."""

from datetime import timedelta
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.commands import LONGEST_SNOOZE, Command, commands_in, said_to_us
from service.facts import Person, Remark
from tests.builders import ANN, wall

NOON = wall("2026-11-04 12:00")
LONGEST_COMMENT = 32_767
"""Characters, Jira's own limit."""

BOT = frozenset({"712020:c0ffee", "Crafty Bot"})
CRAFTY = Person(name="Crafty", jira="712020:c0ffee")

HELP, WHY, ACCEPT, URGENT = (Command(name=name) for name in ("help", "why", "accept", "urgent"))


def snooze(**span: int) -> Command:
    return Command(name="snooze", span=timedelta(**span))


def plan(**span: int) -> Command:
    return Command(name="plan", span=timedelta(**span))


def reason(text: str) -> Command:
    return Command(name="spillover", text=text)


def unknown(word: str) -> Command:
    return Command(name="unknown", text=word)


def remark(text: str, author: Person | None = ANN, number: int = 1) -> Remark:
    return Remark(id=str(number), at=NOON, author=author, text=text)


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        pytest.param("[~crafty] help", [HELP], id="a mention of Jira Data Center"),
        pytest.param("@crafty why", [WHY], id="a mention of the forum"),
        pytest.param("[~712020:c0ffee] accept", [ACCEPT], id="a mention of Jira Cloud, by the account"),
        pytest.param("[~accountid:712020:c0ffee] accept", [ACCEPT], id="the same in Cloud's wiki markup"),
        pytest.param("[~Crafty Bot] urgent", [URGENT], id="an account with a space"),
        pytest.param("[~CRAFTY]:  HELP", [HELP], id="capitals and a colon"),
        pytest.param("@Crafty, why?", [WHY], id="a comma and a question mark"),
        pytest.param("@crafty – help!", [HELP], id="a dash"),
        pytest.param("*[~crafty]* help", [HELP], id="a mention in bold"),
        pytest.param("@crafty\u00a0help", [HELP], id="a space that does not break"),
        pytest.param("@crafty help\r\n", [HELP], id="a line that ends as in e-mail"),
        pytest.param("@crafty please accept", [ACCEPT], id="a polite one"),
        pytest.param("Hi @crafty, can you help?", [HELP], id="a polite question"),
        pytest.param("Fine with me, @crafty accept", [ACCEPT], id="in the middle of a line"),
        pytest.param("Fine.\n\n  @crafty accept\nThanks", [ACCEPT], id="on a line of its own"),
        pytest.param("- @crafty why", [WHY], id="in a list"),
        pytest.param("@crafty why\n@crafty snooze 2d", [WHY, snooze(days=2)], id="two lines"),
        pytest.param("@crafty why @crafty help", [WHY, HELP], id="two on one line"),
        pytest.param("@crafty why and help", [WHY], id="one command after each name"),
        pytest.param("@crafty help\n@bob help", [HELP], id="one for Crafty and one for Bob"),
    ],
)
def test_who_is_spoken_to(text: str, commands: list[Command]) -> None:
    assert list(commands_in(text, BOT)) == commands


@pytest.mark.parametrize(
    ("text", "command"),
    [
        pytest.param("snooze 2d", snooze(days=2), id="days"),
        pytest.param("Snooze 12H", snooze(hours=12), id="hours"),
        pytest.param("snooze 1 week", snooze(weeks=1), id="a week in words"),
        pytest.param("snooze for 3 days, thanks", snooze(days=3), id="days in a sentence"),
        pytest.param("snooze 13d", snooze(days=13), id="a day less than the most"),
        pytest.param("snooze 14d", LONGEST_SNOOZE, id="the most"),
        pytest.param("snooze 15d", LONGEST_SNOOZE, id="a day more than the most"),
        pytest.param("snooze 999w", LONGEST_SNOOZE, id="years"),
        pytest.param("snooze 0d", snooze(), id="nothing, which ends one"),
        pytest.param("snooze", unknown("snooze"), id="no time"),
        pytest.param("snooze 2 months", unknown("snooze"), id="a unit that is too long"),
        pytest.param("snooze 2 dogs", unknown("snooze"), id="a word that only begins like a unit"),
        pytest.param("snooze 1000d", unknown("snooze"), id="four digits"),
        pytest.param("plan 1h 30m for reviewing this task", plan(hours=1, minutes=30), id="hours and minutes"),
        pytest.param("PLAN 2h for review", plan(hours=2), id="hours alone"),
        pytest.param("plan 90m for reviewing", plan(minutes=90), id="minutes alone"),
        pytest.param("plan 1h30m for reviewing", plan(hours=1, minutes=30), id="without a space"),
        pytest.param("plan 2h for testing", unknown("plan"), id="a plan for something else"),
        pytest.param("plan for reviewing", unknown("plan"), id="a plan without a time"),
    ],
)
def test_how_long(text: str, command: Command | timedelta) -> None:
    expected = Command(name="snooze", span=command) if isinstance(command, timedelta) else command

    assert commands_in(f"[~crafty] {text}") == (expected,)


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        pytest.param("[~crafty]: <spillover>Ann was ill</spillover>", [reason("Ann was ill")], id="one line"),
        pytest.param(
            "[~crafty]: <SPILLOVER>\nAnn was ill,\n\nand so was Bob.\n</Spillover>",
            [reason("Ann was ill, and so was Bob.")],
            id="several lines",
        ),
        pytest.param("@crafty\n<spillover>late review</spillover>", [reason("late review")], id="on the next line"),
        pytest.param("@crafty sorry: <spillover>ill</spillover>", [reason("ill")], id="after a few words"),
        pytest.param("@crafty <spillover></spillover>", [reason("")], id="an empty one"),
        pytest.param(
            "@crafty <spillover>waits for @crafty help</spillover> @crafty why",
            [reason("waits for @crafty help"), WHY],
            id="with Crafty's name in the reason",
        ),
        pytest.param(
            "@crafty <spillover>a</spillover>\n[~crafty] <spillover>b</spillover>", [reason("a"), reason("b")]
        ),
        pytest.param(
            "@bob and @crafty: <spillover>ill</spillover>", [reason("ill")], id="spoken to Crafty beside somebody"
        ),
        pytest.param("@crafty why\n<spillover>ill</spillover>", [WHY], id="not after another command"),
        pytest.param("<spillover>ill</spillover>", [], id="without Crafty's name"),
        pytest.param("@bob <spillover>ill</spillover>", [], id="said to Bob"),
        pytest.param("@crafty <spillover>ill", [unknown("")], id="never closed"),
    ],
)
def test_the_reason_of_a_spillover(text: str, commands: list[Command]) -> None:
    assert list(commands_in(text)) == commands


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        pytest.param("@crafty dance", [unknown("dance")], id="a word that Crafty does not know"),
        pytest.param("@crafty accepted", [unknown("accepted")], id="more than a word it knows"),
        pytest.param("Hello @crafty, tanzen wir?", [unknown("tanzen")], id="after a greeting"),
        pytest.param("@crafty über alles", [unknown("über")], id="letters of other alphabets"),
        pytest.param("@crafty", [unknown("")], id="the name alone"),
        pytest.param("@crafty <b>", [unknown("")], id="no word"),
        pytest.param("@crafty " + "a" * 99, [unknown("a" * 32)], id="an endless word"),
        pytest.param("I think @crafty moved it", [], id="said about Crafty"),
        pytest.param("cc @crafty", [], id="in passing"),
        pytest.param("@crafty thanks!", [], id="thanks"),
        pytest.param("Thank you @crafty.", [], id="thanks with the name at the end"),
    ],
)
def test_words_that_are_no_command(text: str, commands: list[Command]) -> None:
    assert list(commands_in(text)) == commands


@pytest.mark.parametrize(
    "text",
    [
        "",
        "help",
        "@bob help",
        "[~bob] help",
        "crafty help",
        "~crafty help",
        "@craftyfox help",
        "@crafty.fox help",
        "@crafty-fox help",
        "me@crafty.example help",
        "@@crafty help",
        "[~crafty.fox] help",
        "[~crafty",
        "> @crafty help",
        "  > > @crafty help",
        "bq. @crafty help",
        "{quote}\n@crafty help\n{quote}",
        "{code:title=x|lang=py}\n@crafty help\n{code}",
        "{noformat}@crafty help{noformat}",
        "{{@crafty help}}",
        "`@crafty help`",
        "```\n@crafty help\n```",
        "```\n@crafty help",
        '[quote="ann, post:3, topic:9"]\n@crafty help\n[/quote]',
        "Write “@crafty help” there",
        'Write "[~crafty] help" there',
    ],
)
def test_nothing_is_said_to_crafty_in(text: str) -> None:
    assert commands_in(text, BOT) == ()


@pytest.mark.parametrize(
    "text",
    [
        "> @crafty help\n@crafty why",
        "{quote}@crafty help{quote} @crafty why",
        "[quote]@crafty help[/quote]\n@crafty why",
        "`@crafty help`\n@crafty why",
        "{code}a{code}\n@crafty why\n{code}b{code}",
    ],
)
def test_a_command_beside_a_quotation_counts(text: str) -> None:
    assert commands_in(text) == (WHY,)


def test_whoever_wrote_it_the_oldest_comes_first() -> None:
    stranger = Person(name="Zoe", jira="acc-zoe")
    remarks = (
        remark("@crafty why"),
        remark("@crafty help\n@crafty urgent", stranger, 2),
        remark("@crafty why", None, 3),
    )

    spoken = [(one.remark.id, one.command) for one in said_to_us(remarks, BOT)]

    assert spoken == [("1", WHY), ("2", HELP), ("2", URGENT), ("3", WHY)]


@pytest.mark.parametrize(
    "author", [CRAFTY, Person(name="Crafty", jira="crafty-x", jira_key="Crafty Bot")], ids=["account", "user key"]
)
def test_crafty_does_not_listen_to_itself(author: Person) -> None:
    assert list(said_to_us((remark("@crafty why", author),), BOT)) == []


fragments = st.sampled_from(
    [
        "[~",
        "]",
        "@",
        "crafty",
        "bob",
        " ",
        "\n",
        "help",
        "snooze 2d",
        "<spillover>",
        "</spillover>",
        "{code}",
        "> ",
        "`",
    ]
)
texts = st.lists(fragments | st.text(max_size=5)).map("".join)


@given(text=texts)
def test_any_text_can_be_read(text: str) -> None:
    for command in commands_in(text, BOT):
        assert command.name in text.casefold() or command.name == "unknown"
        assert timedelta() <= command.span <= LONGEST_SNOOZE


@given(name=st.text(min_size=1).filter(lambda name: "crafty" not in name.casefold()), rest=texts)
def test_what_is_said_to_others_is_not_for_crafty(name: str, rest: str) -> None:
    others = rest.replace("crafty", "")

    assert commands_in(f"[~{name}] help @{name} why\n{others}") == ()


@given(text=texts)
def test_what_crafty_writes_is_never_a_command(text: str) -> None:
    assert list(said_to_us((remark(text, CRAFTY),), BOT)) == []


@pytest.mark.parametrize(
    "piece",
    [
        "{{",
        "{code:a",
        "{code:a}",
        "[quote",
        "`",
        "@crafty ",
        "@crafty <spillover>",
        "@crafty\n\n\n",
        "[~crafty]" + " " * 99,
    ],
)
def test_the_longest_comment_is_read_in_no_time(piece: str) -> None:
    text = (piece * LONGEST_COMMENT)[:LONGEST_COMMENT]
    started = process_time()

    assert {command.name for command in commands_in(text)} <= {"unknown"}
    assert process_time() - started < 2
