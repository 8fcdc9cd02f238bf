"""What recording one station's facts works with: its rows (locked), and what was decided so far."""

from dataclasses import dataclass, field, fields
from typing import Any

import orjson

from app.bus.subjects import site_changed
from app.domain.facts import (
    Activity,
    BootStatus,
    Fact,
    Recorded,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StatusReported,
    Suspicious,
    TokenStatus,
)
from app.domain.snapshot import EvseSpec
from app.operations.arrivals import Presented, present
from app.operations.transaction import Tx
from app.store.session import SessionMessageRow, remember_message
from app.store.site import SiteRow
from app.store.specs import evse_spec
from app.store.station import EvseRow, StationRow, quarantine

LONGEST_PAYLOAD_COUNT = 4000


@dataclass(slots=True)
class Hearing:
    """One call of `record_facts`. `evses` are the station's, by number, locked against other changes."""

    tx: Tx
    station: StationRow
    site: SiteRow
    evses: dict[int, EvseRow]
    boot_status: BootStatus | None = None
    token_status: TokenStatus | None = None
    station_ref: str | None = None
    is_taken: bool = False
    doubts: list[str] = field(default_factory=list)

    def recorded(self) -> Recorded:
        """Return the answer."""
        return Recorded(
            self.boot_status, self.token_status, self.station_ref, tuple(self.doubts), is_taken=self.is_taken
        )

    def spec(self, evse: EvseRow) -> EvseSpec:
        """Return an EVSE's electrical facts."""
        return evse_spec(evse, self.station, self.site)

    def ring(self) -> None:
        """Tell the planner that something it reads has changed."""
        self.tx.ring(site_changed(self.station.site_id))

    async def doubt(self, fact: Fact, reason: str) -> None:
        """Put a fact into quarantine; it is answered nevertheless."""
        self.doubts.append(reason)
        action = fact.action if isinstance(fact, Suspicious) else type(fact).__name__
        await quarantine(self.tx.session, self.station.station_id, self.tx.now, action, reason, payload_of(fact))

    async def present(self, token: str | None) -> Presented | None:
        """Look a token up and remember its status for the answer; None where none was presented."""
        if not token:
            return None
        presented = await present(self.tx, token)
        self.token_status = presented.status
        return presented

    async def remember(self, fact: SessionStarted | SessionUpdated | SessionEnded, key: str, ref: str) -> bool:
        """Keep the message's business key and return whether it is new to us."""
        kinds = {SessionStarted: "start", SessionUpdated: "update", SessionEnded: "end"}
        row = SessionMessageRow(
            station_id=self.station.station_id,
            business_key=key,
            received_at=fact.received_at,
            station_ref=ref,
            kind=kinds[type(fact)],
        )
        return await remember_message(self.tx.session, row)

    @staticmethod
    def show(evse: EvseRow, fact: StatusReported | SessionStarted | SessionUpdated | SessionEnded) -> bool:
        """Return whether a fact may move the EVSE's live state (not older than what we know), and note its time."""
        at = min(fact.at, fact.received_at)
        if evse.status_at is not None and at < evse.status_at:
            return False
        evse.status_at = at
        return True

    def set_activity(self, evse: EvseRow, activity: Activity) -> None:
        """Change what the car does, and ring where that is news."""
        if evse.activity != activity:
            evse.activity = activity
            self.ring()


def payload_of(fact: Fact) -> Any:
    """Return a fact as JSON without what its arrival says, so that a repeated message looks the same."""
    if isinstance(fact, Suspicious):
        return fact.payload.replace("\x00", "").encode("utf-8", "replace").decode()[:LONGEST_PAYLOAD_COUNT]
    values = {
        item.name: getattr(fact, item.name)
        for item in fields(fact)
        if item.name not in ("received_at", "samples", "offline")
    }
    return orjson.loads(orjson.dumps(clean(values)))


def clean(value: Any) -> Any:
    """Return the value with texts that both JSON and PostgreSQL can keep."""
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, str):
        return str(value).replace("\x00", "").encode("utf-8", "replace").decode()[:LONGEST_PAYLOAD_COUNT]
    return value
