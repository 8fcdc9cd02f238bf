"""Bringing one station the certificates that it asked for: signed by the authority, delivered, the answer recorded.

Level-triggered as `reconcile`: every round rereads the database. A lost answer is asked for again after 1, 2, 4 …
minutes, five times at most; a station that comes back later is sent what it has not taken yet.
"""

import asyncio
from datetime import timedelta

import structlog

from app.bus import Bus
from app.bus.subjects import station_certificates
from app.domain.certificates import CertificateAuthority, Signing
from app.domain.commands import Outcome, Rejected
from app.domain.errors import Invalid, StationFault, StationTimeout
from app.domain.upkeep import DeliverCertificate
from app.ocpp_central.boot import BootGate
from app.ocpp_central.reconcile import Look, Perform
from app.operations import certificates
from app.operations.certificates import CertificateDue
from app.operations.transaction import Transactions

log = structlog.get_logger()

SWEEP = timedelta(hours=1)
AUTHORITY_RETRY = timedelta(minutes=5)
AUTHORITY_TIMEOUT_S = 30.0


class Certification:
    """One station's loop."""

    def __init__(
        self,
        station_id: str,
        transactions: Transactions,
        bus: Bus,
        gate: BootGate,
        perform: Perform,
        authority: CertificateAuthority,
        organisation: str | None,
        look: Look,
    ) -> None:
        self._station_id = station_id
        self._transactions = transactions
        self._bus = bus
        self._gate = gate
        self._perform = perform
        self._authority = authority
        self._organisation = organisation
        self._look = look

    async def run(self) -> None:
        """Run until the connection ends."""
        while True:
            await self._gate.opened()
            with self._bus.listen(station_certificates(self._station_id)) as bell:
                while self._gate.is_open:
                    pause = await self._round()
                    await bell.next(self._transactions.clock.now() + pause)

    async def _round(self) -> timedelta:
        """See to everything that is due; return when to look again."""
        standing = await self._look(self._station_id)
        if standing is None or not standing.has_certificates:
            return SWEEP
        async with self._transactions() as tx:
            due = await certificates.due(tx, self._station_id, self._organisation)
        pauses = [await self._see_to(each) for each in due]
        return min([SWEEP, *pauses])

    async def _see_to(self, due: CertificateDue) -> timedelta:
        if due.chain is None:
            try:
                signing = await self._sign(due)
            except OSError as unreachable:
                log.warning("authority_unreachable", station_id=self._station_id, error=type(unreachable).__name__)
                return AUTHORITY_RETRY
            async with self._transactions() as tx:
                if not await certificates.record_signing(tx, due.certificate_id, signing):
                    return SWEEP
        return await self._deliver(due)

    async def _sign(self, due: CertificateDue) -> Signing:
        async with asyncio.timeout(AUTHORITY_TIMEOUT_S):
            return await self._authority.sign(due.request, due.use, self._transactions.clock.now())

    async def _deliver(self, due: CertificateDue) -> timedelta:
        async with self._transactions() as tx:
            chain = await certificates.record_attempt(tx, due.certificate_id)
        if chain is None:
            return SWEEP
        try:
            outcome: Outcome = await self._perform(DeliverCertificate(chain, due.use))
        except (StationTimeout, StationFault) as failed:
            log.warning("certificate_delivery_unknown", station_id=self._station_id, error=failed.code)
            return due.pause
        except Invalid as unspeakable:
            outcome = Rejected(unspeakable.detail)
        async with self._transactions() as tx:
            await certificates.record_delivery(tx, due.certificate_id, outcome)
        log.info("certificate_delivery", station_id=self._station_id, outcome=type(outcome).__name__)
        return SWEEP
