"""What the logs show, and what they never show."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from service import log

SECRETS = ("hush+/1", 'sw"ord')

Read = Callable[[], str]


@pytest.fixture
def read(capsys: pytest.CaptureFixture[str]) -> Iterator[Read]:
    """What was logged since the last reading; logging is put back afterwards as it was."""
    names = [None, "arq", "httpcore", "httpx", "uvicorn", "uvicorn.access", "uvicorn.error"]
    loggers = [logging.getLogger(name) for name in names]
    before = [(one.handlers, one.level, one.propagate, list(one.filters)) for one in loggers]
    yield lambda: capsys.readouterr().err
    for one, (handlers, level, propagate, filters) in zip(loggers, before, strict=True):
        one.handlers, one.level, one.propagate, one.filters = handlers, level, propagate, filters
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def fail(message: str) -> None:
    raise ValueError(message)


def test_an_event_is_a_line_of_json(read: Read) -> None:
    log.configure("json", "INFO")
    structlog.get_logger("crafty.engine").info("rule.evaluated", outcome="wait", seconds=0.5, tried=[1, None, True])
    (event,) = events(read())
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "rule.evaluated",
        "level": "info",
        "logger": "crafty.engine",
        "outcome": "wait",
        "seconds": 0.5,
        "tried": [1, None, True],
    }


async def test_what_happens_in_one_turn_of_the_loop_is_one_line(read: Read) -> None:
    log.configure("json", "INFO", SECRETS)
    gathered = log.Gathered(structlog.get_logger("crafty.intake"), "things.came", "things")
    for name in ("first", f"second, {SECRETS[0]}"):
        gathered.add(name=name)
    await asyncio.sleep(0)
    gathered.add(name="third")
    await asyncio.sleep(0)
    assert [(line["event"], line["logger"], line["things"]) for line in events(read())] == [
        ("things.came", "crafty.intake", [{"name": "first"}, {"name": f"second, {log.REDACTED}"}]),
        ("things.came", "crafty.intake", [{"name": "third"}]),
    ]


@pytest.mark.parametrize("name", ["crafty.engine", "redis"])
def test_what_an_event_is_about_stands_in_every_line(read: Read, name: str) -> None:
    log.configure("json", "INFO")
    with structlog.contextvars.bound_contextvars(delivery="d1", subject="SE-1", rule="green-ticket"):
        structlog.get_logger(name).info("inside")
        logging.getLogger(name).info("inside too")
    logging.getLogger(name).info("outside")
    first, second, third = events(read())
    for event in (first, second):
        assert (event["delivery"], event["subject"], event["rule"]) == ("d1", "SE-1", "green-ticket")
    assert "delivery" not in third


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        pytest.param("DEBUG", ["debug", "info", "warning"], id="debug shows all"),
        pytest.param("INFO", ["info", "warning"], id="info hides debug"),
        pytest.param("WARNING", ["warning"], id="warning hides both"),
    ],
)
def test_the_level_is_a_threshold(read: Read, level: str, expected: list[str]) -> None:
    log.configure("json", level)
    for name in ("debug", "info", "warning"):
        getattr(structlog.get_logger("ours"), name)("said")
        getattr(logging.getLogger("theirs"), name)("said")
    assert [event["level"] for event in events(read())] == [name for name in expected for _ in ("ours", "theirs")]


def test_an_unknown_level_is_refused(read: Read) -> None:
    with pytest.raises(ValueError, match="LOUD"):
        log.configure("json", "LOUD")


def test_configuring_again_does_not_log_twice(read: Read) -> None:
    log.configure("json", "INFO")
    log.configure("json", "INFO")
    structlog.get_logger("crafty").info("once")
    logging.getLogger("uvicorn.access").info("GET %s", "/")
    assert len(events(read())) == 2


@pytest.mark.parametrize(
    ("key", "is_hidden"),
    [
        pytest.param("token", True, id="a token"),
        pytest.param("jira_token", True, id="one vendor's token"),
        pytest.param("Authorization", True, id="a header in capitals"),
        pytest.param("X-Hub-Signature", True, id="a signature's header"),
        pytest.param("Api-Key", True, id="a dash in a key"),
        pytest.param("apikey", True, id="no dash in a key"),
        pytest.param("webhook_secret", True, id="a secret"),
        pytest.param("PASSWORD", True, id="a password"),
        pytest.param("set-cookie", True, id="a cookie"),
        pytest.param("key", False, id="a ticket's key"),
        pytest.param("author", False, id="an author"),
        pytest.param("subject", False, id="a subject"),
    ],
)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_keys_that_sound_secret_are_hidden(read: Read, log_format: log.Format, key: str, is_hidden: bool) -> None:
    log.configure(log_format, "INFO")
    structlog.get_logger("crafty").info("sent", **{key: "va1ue"})
    structlog.get_logger("crafty").info("sent", headers=[{key: "va1ue"}])
    logging.getLogger("library").info("sent", extra={key: "va1ue"})
    assert read().count("va1ue") == (0 if is_hidden else 3)


@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param("hush+/1", id="as it is"),
        pytest.param("hush%2B%2F1", id="in an address"),
        pytest.param("hush%2B/1", id="in an address's path"),
        pytest.param('sw"ord', id="with a quote"),
        pytest.param('sw\\"ord', id="in JSON"),
    ],
)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_known_secrets_are_hidden_wherever_they_stand(read: Read, log_format: log.Format, spelled: str) -> None:
    log.configure(log_format, "INFO", SECRETS)
    logger = structlog.get_logger("crafty")
    logger.info("calling %s", spelled, url=f"https://x/?q={spelled}", nested={"a": [spelled, (spelled,)], spelled: 1})
    logger.info("bytes", body=spelled.encode(), error=ValueError(spelled))
    logging.getLogger("library").warning("called %s", spelled)
    try:
        fail(f"no luck with {spelled}")
    except ValueError:
        logger.exception("failed")
        logging.getLogger("library").exception("failed too")
    text = read()
    assert "hush" not in text
    assert "ord" not in text.replace("word", "")
    assert text.count(log.REDACTED) == 10


@pytest.mark.parametrize("secrets", [pytest.param((), id="no secret"), pytest.param(("",), id="an empty one")])
def test_without_secrets_nothing_is_hidden(read: Read, secrets: tuple[str, ...]) -> None:
    log.configure("json", "INFO", secrets)
    structlog.get_logger("crafty").info("plain", text="all of it")
    assert events(read())[0]["text"] == "all of it"


@given(
    secret=st.text(st.characters(exclude_categories=["Cs"], exclude_characters=" .:é"), min_size=1, max_size=12),
    around=st.text(alphabet=" .:é", max_size=5),
)
def test_no_secret_survives_redaction(secret: str, around: str) -> None:
    told = log.redactor([secret])(None, "info", {"event": f"{around}{secret}{around}", "deep": {"a": [secret]}})
    assert told == {"event": f"{around}{log.REDACTED}{around}", "deep": {"a": [log.REDACTED]}}


def test_a_longer_secret_leaves_nothing_of_itself_when_a_shorter_one_begins_it() -> None:
    told = log.redactor(["abcd", "abcdefgh"])(None, "info", {"event": "abcdefgh abcd"})
    assert told == {"event": f"{log.REDACTED} {log.REDACTED}"}


def test_a_value_that_contains_itself_is_logged() -> None:
    endless: list[Any] = ["hush+/1"]
    endless.append(endless)
    told = log.redactor(SECRETS)(None, "info", {"endless": endless})
    assert "hush" not in json.dumps(told)


@pytest.mark.parametrize(
    ("outside", "shown"),
    [
        pytest.param("one\ntwo", r"one\ntwo", id="a line break"),
        pytest.param("one\r\x1b[2Jtwo", r"one\r\x1b[2Jtwo", id="a terminal's command"),
        pytest.param("one\u2028two", r"one\u2028two", id="a line separator"),
        pytest.param("one\u202etwo", r"one\u202etwo", id="text turned around"),
        pytest.param("one\ud800two", r"one\ud800two", id="half a character"),
        pytest.param("Zoë 李 🙂", "Zoë 李 🙂", id="people's names"),
    ],
)
def test_text_from_outside_stays_on_its_line_in_the_console(read: Read, outside: str, shown: str) -> None:
    log.configure("console", "INFO")
    logger = structlog.get_logger("crafty")
    logger.info("seen", summary=outside)
    logger.info(outside)
    logger.info("seen", people=[{outside: outside}])
    logging.getLogger("library").info("seen %s", outside)
    lines = read().split("\n")
    assert len(lines) == 5
    assert all(shown in line.replace("\\\\", "\\") for line in lines[:4])


def test_a_traceback_keeps_its_lines_in_the_console_but_starts_none_of_the_log_s(read: Read) -> None:
    log.configure("console", "INFO")
    try:
        fail("first\n2026-01-01T00:00:00Z [info] forged\x1b[2J")
    except ValueError:
        structlog.get_logger("crafty").exception("failed")
    first, *rest = read().rstrip("\n").split("\n")
    assert "failed" in first
    assert all(line.startswith("    ") for line in rest)
    assert rest[-1] == r"    2026-01-01T00:00:00Z [info] forged\x1b[2J"


def test_an_event_of_json_is_one_line_whatever_it_says(read: Read) -> None:
    log.configure("json", "INFO")
    structlog.get_logger("crafty").info("one\ntwo\u2028", summary="\x1b\ud800")
    (event,) = events(read())
    assert (event["event"], event["summary"]) == ("one\ntwo\u2028", "\x1b\ud800")


def test_uvicorn_s_access_log_has_no_query_strings(read: Read) -> None:
    log.configure("json", "INFO")
    arguments = ("127.0.0.1:5", "POST", "/webhooks/jira?token=va1ue&x=1", "1.1", 202)
    logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', *arguments)
    assert events(read())[0]["event"] == '127.0.0.1:5 - "POST /webhooks/jira HTTP/1.1" 202'


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "arq.worker", "arq.jobs"])
@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_chatty_libraries_only_warn(read: Read, level: str, name: str) -> None:
    log.configure("json", level)
    logging.getLogger(name).info("HTTP Request: GET https://x/?token=va1ue")
    logging.getLogger(name).warning("something is wrong")
    assert [event["event"] for event in events(read())] == ["something is wrong"]


def test_a_library_s_own_handlers_are_replaced(read: Read) -> None:
    own = io.StringIO()
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(own))
    logging.getLogger("uvicorn").propagate = False
    log.configure("json", "INFO")
    logging.getLogger("uvicorn.error").info("started")
    assert own.getvalue() == ""
    assert [event["event"] for event in events(read())] == ["started"]
