"""How requests arrive: whoever is slow to send one, sends endless headers, or comes when too many are here, is cut off.

uvicorn itself waits without limit for a request's end, and reads headers of any size.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.webhooks.routes import problem


class Arrival(HttpToolsProtocol):
    """uvicorn's protocol with limits.

    seconds: how long a request may take to arrive whole; head_bytes: how much of it may be no body, but headers, sizes
    of chunks and trailers, unless all of it comes in a single read; connections_at_once: of this process.
    """

    seconds: ClassVar[float] = 30
    head_bytes: ClassVar[int] = 64 * 1024
    connections_at_once: ClassVar[int] = 500

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._beside_body = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._start_clock()
        if len(self.connections) > self.connections_at_once:
            self._cut_off(problem(503, "there are too many connections; deliver again"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > self.head_bytes:
            self._cut_off(problem(431, f"the headers are larger than {self.head_bytes} bytes"))

    def on_message_begin(self) -> None:
        self._start_clock()
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        self._beside_body -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._beside_body = 0
        self._stop_clock()
        super().on_message_complete()

    def _start_clock(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.seconds, self._end_late)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end_late(self) -> None:
        self._cut_off(problem(408, f"the request did not arrive within {self.seconds:g} seconds"))

    def _cut_off(self, answer: Response) -> None:
        """Ends the connection, with an answer where this request has none yet."""
        self._stop_clock()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.scope is not self.scope or not self.cycle.response_started:
            headers = [*answer.raw_headers, (b"connection", b"close")]
            lines = b"".join(b"%b: %b\r\n" % header for header in headers)
            self.transport.write(STATUS_LINE[answer.status_code] + lines + b"\r\n" + bytes(answer.body))
        self.transport.close()
