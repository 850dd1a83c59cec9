"""What evaluation rests on and may change at any moment: the site's facts, and the rules as admins have set them."""

from __future__ import annotations

import asyncio

from service.engine import Rulebook
from service.ledger import Ledger, Site
from service.tuning import Tunings, tuned


class Current:
    """Both as of one version, which Redis counts up with each change; one for each process.

    configured: the rules as the configuration sets them.
    """

    def __init__(self, ledger: Ledger, configured: Rulebook) -> None:
        self._ledger = ledger
        self.configured = configured
        self.site = Site()
        self.book = configured
        self.tunings: Tunings = {}
        self.version = ""
        self._reading = asyncio.Lock()  # an answer that comes late must not undo a newer one

    async def at(self, version: str) -> None:
        """Makes sure that nothing older than this version is used from now on; raises RedisAway."""
        if version != self.version:
            await self.reload()

    async def reload(self) -> None:
        """Reads all of it anew; raises RedisAway."""
        async with self._reading:
            site, self.tunings, self.version = await self._ledger.standing_rules()
            self.site, self.book = site or Site(), tuned(self.configured, self.tunings)
