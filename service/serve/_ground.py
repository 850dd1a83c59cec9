"""What serving processes stand on: the address that they listen at, and the signals that end them."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable

from service.errors import CraftyError


def listen(host: str, port: int, variable: str = "CRAFTY_PORT") -> socket.socket:
    """A bound socket; CraftyError says what to do when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CraftyError(
            f"{host}:{port} can't be served on ({error.strerror}): stop what uses it, or set another {variable} (or "
            "CRAFTY_HOST)."
        ) from error
    return listener


def on_signals(stop: Callable[[], None]) -> None:
    """Calls `stop` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
