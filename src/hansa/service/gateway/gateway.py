"""The gateway of one member: keeps Envoy's files equal to what the member says, Envoy running, and the member told.

What it last knew lies in its folder. After a restart it serves that at once, whether or not member and hub answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from hansa.base.certificates import KeyPair
from hansa.base.clock import Clock
from hansa.kube.client import Client
from hansa.runtime.private_file import replace
from hansa.service.gateway import files, metrics
from hansa.service.gateway.endpoints import ready_pods
from hansa.service.gateway.envoy import AdminError, Envoy
from hansa.service.gateway.health import (
    SILENT_PATTERN,
    PeerHealth,
    peer_health,
    rejected_updates,
    silent_inbounds,
    unheard,
)
from hansa.service.gateway.hosts import REFRESH_SECONDS, Hosts
from hansa.service.gateway.layout import Layout
from hansa.service.gateway.listeners import listener_names
from hansa.service.gateway.publisher import Publisher
from hansa.service.gateway.settings import Settings
from hansa.service.gateway.site import Site, site_of
from hansa.service.gateway.sources import Sources

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.1
"""Changes of so long are written at once."""
SETTLE_SECONDS = 1.0
"""By then Envoy has taken its listeners from clusters that are to go."""
LOOK_SECONDS = 0.5
"""How often Envoy is asked whether own pods answer; less often where there are very many ports."""
PORTS_PER_LOOK = 250
REPORT_LOOKS = 5
"""After so many looks Envoy is asked about everything else."""
COUNT_SECONDS = 0.1
"""Pause between two counts of the connections that are still open."""


class Gateway:
    """Runs with `run`, once `use` has given it an identity. `envoy`: the command that starts Envoy."""

    def __init__(
        self,
        member: Client,
        directory: Path,
        settings: Settings,
        clock: Clock,
        *,
        envoy: Sequence[str],
        hosts: Hosts | None = None,
    ) -> None:
        self._layout = Layout(directory.absolute())
        self._layout.prepare()
        self._settings = settings
        self._changed = asyncio.Event()
        self._startable = asyncio.Event()
        self._writing = asyncio.Lock()
        self._identity: tuple[KeyPair, bytes] | None = None
        self._sources = Sources(member, self._changed.set)
        self._hosts = hosts or Hosts()
        self._hosts.recall(self._layout.hosts)
        self._publisher = Publisher(member, settings, clock)
        self._envoy = Envoy(envoy, self._layout, settings)
        self._site: Site | None = self._recalled()
        self._written: tuple[Site, tuple[KeyPair, bytes]] | None = None
        self._silent: frozenset[str] = frozenset()
        self._unheard: frozenset[str] | None = None
        self._health: dict[str, PeerHealth] = {}
        self._leaving = False
        self.rejected = 0
        """How many files Envoy has refused since it started."""

    @property
    def envoy_pid(self) -> int | None:
        """None while it does not run."""
        return self._envoy.pid

    def fault(self) -> str:
        """Why it does not serve; empty when it does."""
        if self._leaving:
            return "it drains, and is about to end"
        if self._identity is None:
            return "no certificate yet"
        if self._written is None:
            return self._sources.waiting() or "Envoy's files are not written yet"
        if self._envoy.pid is None:
            return "Envoy does not run"
        if self._unheard is None:
            return "Envoy has not been seen to listen yet"
        if self._unheard:
            return f"Envoy does not listen for {', '.join(sorted(self._unheard))}: see {self._layout.log}"
        return ""

    def use(self, pair: KeyPair, authorities: bytes) -> None:
        """Show this certificate from now on, and believe those that `authorities` (PEM) have signed."""
        self._identity = pair, authorities
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled; Envoy ends with it."""
        files.write(files.start_documents(self._layout, self._settings))
        async with asyncio.TaskGroup() as group:
            for name, work in (
                ("sources", self._sources.run()),
                ("files", self._keep_files()),
                ("hosts", self._keep_hosts()),
                ("envoy", self._keep_envoy()),
                ("health", self._keep_looking()),
            ):
                group.create_task(work, name=f"gateway {name}")

    async def drain(self, leave_seconds: float, finish_seconds: float) -> None:
        """Take leave, while `run` runs. At first nothing but `fault` changes, until whoever sends connections has heard
        of it; then no more are taken, and those under way may finish. Returns when none is left, or the time is over.

        Other gateways that are refused go elsewhere within the same request. A gateway beside this one, with the same
        addresses, takes what this one takes no more.
        """
        self._leaving = True
        if self._envoy.pid is None:
            return
        await asyncio.sleep(leave_seconds)
        left = 0
        try:
            async with asyncio.timeout(finish_seconds):
                await self._envoy.stop_listening()
                while True:
                    await asyncio.sleep(COUNT_SECONDS)
                    left = await self._envoy.connections()
                    if not left:
                        return
        except TimeoutError:
            log.warning("%d connections are open after %g s, and are cut", left, leave_seconds + finish_seconds)
        except AdminError as error:
            log.warning("connections under way are cut, Envoy's administration does not answer: %s", error)

    # -- files --------------------------------------------------------------------------------------------------------

    async def _keep_files(self) -> None:
        """A disk that is full, say, keeps what serves as it is; it does not end it."""
        untidy = False
        while True:
            try:
                async with asyncio.timeout(SETTLE_SECONDS if untidy else None):
                    await self._changed.wait()
            except TimeoutError:
                untidy = False
                await self._tried(self._clear_up)
                continue
            self._changed.clear()
            await asyncio.sleep(GATHER_SECONDS)
            site, identity = self._wanted(), self._identity
            if site is None or identity is None or (site, identity) == self._written:
                continue
            if site != self._site:
                for fault in site.faults:
                    log.error("%s", fault)
            if await self._tried(lambda site=site, identity=identity: self._write(site, identity)):
                self._site, self._written = site, (site, identity)
                self._startable.set()
                untidy = True

    async def _tried(self, work: Callable[[], None]) -> bool:
        """Whether it worked; else it will be tried again."""
        try:
            async with self._writing:
                await asyncio.to_thread(work)
        except OSError as error:
            log.error("Envoy's files not written: %s", error)
            asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._changed.set)
            return False
        return True

    def _write(self, site: Site, identity: tuple[KeyPair, bytes]) -> None:
        """Raises OSError."""
        pair, authorities = identity
        former = self._site or site
        replace(self._layout.site, msgspec.json.encode(site))
        files.write(
            files.identity_document(self._layout, pair.certificate, pair.key)
            | files.documents(site, former, self._layout, self._settings, authorities)
        )

    def _clear_up(self) -> None:
        """Remove what was kept for the sake of what was there before. Raises OSError."""
        if self._written is not None:
            site, (_, authorities) = self._written
            final = files.documents(site, site, self._layout, self._settings, authorities)
            files.write(final)
            files.sweep(self._layout, final)

    def _wanted(self) -> Site | None:
        """What is to be done by all that is known, else what was to be done before; None for neither."""
        facts = self._sources.facts()
        if facts is None:
            return self._site.withholding(self._silent) if self._site is not None else None
        pods = ready_pods(facts.slices, frozenset(facts.routes))
        gateways = self._hosts.gateways(facts.peers)
        port = self._settings.port
        site = site_of(facts.peers, facts.routes, facts.exported, pods, gateways, inbound_port=port)
        return site.withholding(self._silent)

    def _recalled(self) -> Site | None:
        with suppress(FileNotFoundError):
            try:
                return msgspec.json.decode(self._layout.site.read_bytes(), type=Site)
            except msgspec.MsgspecError as error:
                log.warning("%s is of no use: %s", self._layout.site, error)
        return None

    # -- names, Envoy, health -----------------------------------------------------------------------------------------

    async def _keep_hosts(self) -> None:
        while True:
            facts = self._sources.facts()
            if facts is not None and await self._hosts.refresh(facts.peers):
                await self._tried(lambda: self._hosts.remember(self._layout.hosts))
                self._changed.set()
            await asyncio.sleep(REFRESH_SECONDS if facts is not None else GATHER_SECONDS)

    async def _keep_envoy(self) -> None:
        await self._startable.wait()
        await self._envoy.run()

    async def _keep_looking(self) -> None:
        """A pod that its cluster takes for ready may be gone with its node for a long while. Other gateways go
        elsewhere when its port is not offered, so they are not kept waiting for the cluster to notice."""
        looks = 0
        suspected: frozenset[str] = frozenset()
        looked_at: int | None = None
        while True:
            site = self._site
            ports = len(site.inbounds) + len(site.outbounds) if site is not None else 0
            await asyncio.sleep(LOOK_SECONDS * (1 + ports // PORTS_PER_LOOK))
            if site is None or self._envoy.pid is None:
                continue
            if looked_at != self._envoy.pid:
                looked_at, self._unheard = self._envoy.pid, None
            try:
                if self._unheard is None and not await self._missing(site):
                    self._unheard = frozenset()
                stats = await self._envoy.ask(f"/stats?format=json&filter={quote(SILENT_PATTERN)}")
                found = silent_inbounds(stats.get("stats") or (), site)
                # twice in a row, because pods that are new have not been looked at yet
                if (silent := found & suspected) != self._silent:
                    log.warning("not offered, because no pod answers: %s", ", ".join(sorted(silent)) or "nothing now")
                    self._silent = silent
                    self._changed.set()
                suspected = found
                looks += 1
                if looks % REPORT_LOOKS == 0:
                    await self._report(site)
            except AdminError as error:
                log.info("Envoy's administration does not answer: %s", error)

    async def _report(self, site: Site) -> None:
        """Show and tell how the peers are. Raises AdminError."""
        clusters = await self._envoy.ask("/clusters?format=json")
        stats = await self._envoy.ask("/stats?format=json&filter=update_rejected$")
        await self._listen_again(await self._missing(site))
        found = peer_health(clusters, site)
        metrics.show(site.cluster, self._health, found)
        self._health = found
        self._tell_rejections(site.cluster, rejected_updates(stats.get("stats") or ()))
        await self._publisher.tell(found)

    async def _missing(self, site: Site) -> frozenset[str]:
        """Listeners that Envoy has not. Raises AdminError."""
        return unheard(await self._envoy.ask("/listeners?format=json"), listener_names(site))

    async def _listen_again(self, missing: frozenset[str]) -> None:
        """Envoy tries a listener again only when it reads its file again; by then the address may be free."""
        if self._leaving:
            return
        if missing - (self._unheard or frozenset()):
            log.error("Envoy does not listen for: %s", ", ".join(sorted(missing)))
        self._unheard = missing
        if missing:
            path = self._layout.listeners
            await self._tried(lambda: replace(path, path.read_bytes()))

    def _tell_rejections(self, cluster: str, rejected: int) -> None:
        if rejected > self.rejected and not self._unheard:
            log.error("Envoy refused a file, and goes on with the one before; see %s", self._layout.log)
        self.rejected = rejected
        metrics.REJECTED.labels(cluster).set(rejected)
