"""Structured logs on standard error, one line an event, without secrets.

Everything that is logged takes the same way, whether it comes from Crafty or from a library. What an event is about is
bound with `structlog.contextvars.bound_contextvars(delivery=..., subject=..., rule=...)`, and stands in every line
that is logged inside.
"""

import asyncio
import json
import logging
import re
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final, Literal
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

Format = Literal["json", "console"]

REDACTED: Final = "[redacted]"

_SECRET_KEY = re.compile(r"token|secret|passw|authorization|api_?key|signature|cookie|credential")
_MULTI_LINE: Final = ("exception", "stack")
_QUIET: Final = ("arq", "httpcore", "httpx")
_OWN_HANDLERS: Final = ("uvicorn", "uvicorn.access", "uvicorn.error", *_QUIET)
_DEEPEST: Final = 5
_ENCODER: Final = json.JSONEncoder()

_EMAIL: Final = re.compile(r"(?<![\w.%+-])[\w.%+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")
"""An e-mail address, also as an address of the web spells it."""

Scrub = Callable[[str], str]
"""Takes secrets and e-mail addresses out of a text."""


def configure(log_format: Format, level: str, secrets: tuple[str, ...] = ()) -> None:
    """Sends all logs of this process to standard error; may be called again.

    log_format: "json" for machines, "console" for people; level: a name such as "INFO", ValueError for an unknown one;
    secrets: texts that no line may ever show, wherever they come from. uvicorn must not set up its own logging
    (`log_config=None`).
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(log_format, secrets))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    _take_over_libraries()
    structlog.configure(
        processors=[*_shared(), *_ending(log_format, secrets)],
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )


class _Lines:
    """Where our own lines go: by way of `logging`, as a library's do, one would take three times as long."""

    def __init__(self, *names: str) -> None:
        self.name = structlog.stdlib.LoggerFactory()(*names).name

    def info(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")

    debug = warning = error = critical = info


class Gathered:
    """What happens to many things in one turn of the event loop, as one line, which lists them under `name`.

    A line for each delivery would take 8 % of its time.
    """

    def __init__(self, log: FilteringBoundLogger, event: str, name: str) -> None:
        self._log, self._event, self._name = log, event, name
        self._told: list[dict[str, Any]] = []

    def add(self, **told: Any) -> None:
        """Tells of one more; to be called inside of a running loop."""
        if not self._told:
            asyncio.get_running_loop().call_soon(self._tell)
        self._told.append(told)

    def _tell(self) -> None:
        told, self._told = self._told, []
        self._log.info(self._event, **{self._name: told})


def _shared() -> list[Processor]:
    """What is added to an event, of ours or of a library's, where it happens."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _formatter(log_format: Format, secrets: tuple[str, ...]) -> structlog.stdlib.ProcessorFormatter:
    """For the lines of libraries."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared(), structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_ending(log_format, secrets)],
    )


def _ending(log_format: Format, secrets: tuple[str, ...]) -> list[Processor]:
    """Makes a line of an event."""
    first: list[Processor] = [structlog.processors.format_exc_info, redactor(secrets)]
    if log_format == "json":
        return [*first, _as_json]
    plain, colours = structlog.dev.plain_traceback, sys.stderr.isatty()
    return [*first, _escaped, structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)]


def _take_over_libraries() -> None:
    """httpx and arq tell of every call at INFO, httpcore shows headers at DEBUG; all of them only warn here."""
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").addFilter(_without_query)


def _without_query(record: logging.LogRecord) -> bool:
    """Cuts the query string off the path that uvicorn logs of a request: `?token=` is a secret."""
    if isinstance(record.args, tuple):
        record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
    return True


def redactor(secrets: Iterable[str]) -> Processor:
    """A processor that hides values of keys that sound secret, and what `scrubber` hides wherever it stands."""
    scrub = scrubber(secrets)

    def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {str(key): _shown(str(key), value, scrub, _DEEPEST) for key, value in event.items()}

    return redact


def scrubber(secrets: Iterable[str], mark: str = REDACTED) -> Scrub:
    """Puts the mark in the place of these secrets, however they are spelled, and of every e-mail address."""
    spellings = {spelling for secret in secrets if secret for spelling in _spellings(secret)}
    if not spellings:
        return lambda text: _without_emails(text, mark)
    known = re.compile("|".join(re.escape(text) for text in sorted(spellings, key=len, reverse=True)))
    return lambda text: _without_emails(known.sub(mark, text), mark)


def _without_emails(text: str, mark: str) -> str:
    """The pattern, which is slow where there is none, is only asked where there may be one."""
    return _EMAIL.sub(mark, text) if "@" in text or "%40" in text else text


def _spellings(secret: str) -> set[str]:
    """A secret as it is, and as it looks in an address, in JSON, and in the repr of each of these and of its bytes."""
    plain = {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1]}
    return {*plain, *(repr(text)[1:-1] for text in plain), repr(secret.encode())[2:-1]}


def _shown(key: str, value: Any, scrub: Scrub, depth: int) -> Any:
    """The value as numbers, texts, lists and tables without secrets; what nests deeper than `depth` becomes text."""
    if value and _sounds_secret(key):
        return REDACTED
    if isinstance(value, str):
        return scrub(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth and isinstance(value, dict):
        return {scrub(str(name)): _shown(str(name), inner, scrub, depth - 1) for name, inner in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_shown("", inner, scrub, depth - 1) for inner in value]
    return scrub(repr(value))


@lru_cache
def _sounds_secret(key: str) -> bool:
    return _SECRET_KEY.search(key.lower().replace("-", "_")) is not None


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return _ENCODER.encode(event)


def _escaped(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Nothing from outside starts a line of its own or steers the terminal; tracebacks keep their lines, indented."""
    lines = {name: _indented(event[name]) for name in _MULTI_LINE if name in event}
    return {_printable(key): _printable_in(value) for key, value in event.items()} | lines


def _indented(text: Any) -> str:
    return "\n".join(f"    {_printable(line)}" for line in str(text).split("\n"))


def _printable_in(value: Any) -> Any:
    if isinstance(value, dict):
        return {_printable(name): _printable_in(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_printable_in(inner) for inner in value]
    return _printable(value) if isinstance(value, str) else value


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
