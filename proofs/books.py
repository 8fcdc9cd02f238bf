"""What survives a crash: the orders, sessions, proofs and the leader's term, as the database keeps them.

Every method is one transaction; `DatabaseGone` while the database is lost.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from app.domain.commands import Outcome
from app.domain.limits import LimitEntry, LimitIntent
from app.domain.snapshot import EvseSpec
from app.scheduling import orders
from app.scheduling.following import Line, Sun
from app.scheduling.uncontrolled import MeterReading
from proofs.parks import Park

SAME_W = 1.0


class DatabaseGone(Exception):
    """The database does not answer; nothing was written."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent reading of everything that the limit loop looks at."""

    evses: tuple[EvseSpec, ...]
    entries: tuple[LimitEntry, ...]
    newest: Mapping[str, LimitEntry]
    lines: tuple[Line, ...]
    readings: tuple[MeterReading, ...]
    sun: Sun


class Books:
    """The durable store of one site."""

    def __init__(self, park: Park) -> None:
        self.is_lost = False
        self.term = 0
        self.holder = ""
        self.leads_until_s = -1.0
        self.sessions: dict[int, str] = {}
        self.wanted_w: dict[int, float] = {}
        self.planned: dict[str, Line] = {}
        self.sun = Sun(0.0, None)
        self.readings: tuple[MeterReading, ...] = ()
        self._evses = {evse.evse_id: evse for evse in park.evses}
        self._open: dict[int, LimitEntry] = {}
        self._newest: dict[str, LimitEntry] = {}
        self._reasons: dict[int, str] = {}
        self._order_no = 0
        self.once_proven: set[int] = set()

    @property
    def evses(self) -> dict[int, EvseSpec]:
        """The EVSEs as they are known now."""
        return self._evses

    @property
    def entries(self) -> tuple[LimitEntry, ...]:
        """The open orders."""
        return tuple(self._open.values())

    def lead(self, holder: str, now_s: float, lease_s: float) -> int | None:
        """Take or keep the leadership; return the term, None while another holds it."""
        self._need()
        if self.holder != holder:
            if now_s < self.leads_until_s:
                return None
            self.term, self.holder = self.term + 1, holder
        self.leads_until_s = now_s + lease_s
        return self.term

    def read(self) -> Snapshot:
        """Return what the limit loop looks at."""
        self._need()
        lines = tuple(self._line(evse_id, session_id) for evse_id, session_id in sorted(self.sessions.items()))
        newest = {each.session_id: self._newest[each.session_id] for each in lines if each.session_id in self._newest}
        return Snapshot(tuple(self._evses.values()), self.entries, newest, lines, self.readings, self.sun)

    def _line(self, evse_id: int, session_id: str) -> Line:
        """Return what is planned for a session; where only a target is wanted, neither more nor less."""
        if session_id in self.planned:
            return self.planned[session_id]
        target_w = self.wanted_w.get(evse_id, 0.0)
        return Line(evse_id, session_id, target_w, target_w, target_w, 0.0, None)

    def close(self, order_nos: Iterable[int]) -> None:
        """Forget orders that cannot be in force any more."""
        self._need()
        for order_no in order_nos:
            self._open.pop(order_no, None)

    def write(self, intents: Iterable[LimitIntent], term: int, now: datetime) -> tuple[LimitEntry, ...] | None:
        """Write intents, superseding what no socket has taken; None: the term is over and nothing is written (R9)."""
        self._need()
        if not may_write(term, self.term):
            return None
        found = []
        for intent in intents:
            self.drop_untaken({intent.evse_id})
            self._order_no += 1
            entry = LimitEntry(
                order_no=self._order_no,
                evse_id=intent.evse_id,
                power_w=intent.power_w,
                intended_at=now,
                ends_at=intent.ends_at,
                session_id=intent.session_id,
                lease_ends_at=intent.lease_ends_at,
                switched_at=intent.switched_at,
            )
            self._keep(entry)
            self._reasons[entry.order_no] = intent.reason
            found.append(entry)
        return tuple(found)

    def drop_untaken(self, evse_ids: set[int]) -> None:
        """Close as never sent what no socket has taken."""
        self._need()
        for entry in [each for each in self._open.values() if each.evse_id in evse_ids and each.taken_at is None]:
            if entry.accepted_at is None and not entry.is_refused:
                self._drop(entry)

    def take(self, evse_ids: set[int], now: datetime) -> tuple[LimitEntry, ...]:
        """Hand a station's orders to its socket; the others that wait there are closed as never sent."""
        self._need()
        untaken = [
            each
            for each in self._open.values()
            if each.evse_id in evse_ids and each.taken_at is None and each.accepted_at is None and not each.is_refused
        ]
        taken = orders.taken(untaken, self.sessions, now)
        kept = {entry.order_no for entry in taken}
        for entry in untaken:
            if entry.order_no not in kept:
                self._drop(entry)
        for entry in taken:
            self._keep(entry)
        return taken

    def settle(self, order_no: int, outcome: Outcome | None, now: datetime) -> bool:
        """Keep what came of an order; return whether that is news for the limit loop (a plain renewal is not)."""
        self._need()
        entry = self._open.get(order_no)
        if entry is None:
            return False
        after = orders.settled(entry, outcome, now)
        if after is entry:
            return False
        self._keep(after)
        is_wanted = abs(self.wanted_w.get(entry.evse_id, entry.power_w) - entry.power_w) < SAME_W
        return not (after.accepted_at is not None and self._reasons[order_no] == "renew" and is_wanted)

    def start_session(self, evse_id: int, session_id: str) -> None:
        """The station said that a session has begun."""
        self._need()
        self.sessions[evse_id] = session_id

    def note_reading(self, reading: MeterReading, kept_s: float) -> None:
        """Keep what the site's meters said; nothing is kept while the database is lost."""
        if not self.is_lost:
            recent = [each for each in self.readings if (reading.at - each.at).total_seconds() < kept_s]
            self.readings = (*recent, reading)

    def end_session(self, evse_id: int, session_id: str, now: datetime) -> None:
        """The station said that a session is over: its accepted leases end now, unanswered ones keep theirs."""
        self._need()
        if self.sessions.get(evse_id) == session_id:
            del self.sessions[evse_id]
        self._newest.pop(session_id, None)
        for entry in [each for each in self._open.values() if each.session_id == session_id]:
            if entry.taken_at is None and entry.accepted_at is None and not entry.is_refused:
                del self._open[entry.order_no]
            elif entry.accepted_at is not None and entry.ends_at > now:
                self._open[entry.order_no] = replace(entry, ends_at=now, lease_ends_at=now)

    def set_proof(self, evse_ids: Iterable[int], proven_at: datetime | None, *, is_obedient: bool = True) -> None:
        """Keep that the defaults of EVSEs are proven since then, or (None) not."""
        self._need()
        for evse_id in evse_ids:
            if proven_at is not None:
                self.once_proven.add(evse_id)
            self._evses[evse_id] = replace(
                self._evses[evse_id],
                is_verified=proven_at is not None,
                verified_at=proven_at,
                is_controllable=is_obedient,
            )

    def set_online(self, evse_ids: Iterable[int], *, is_online: bool) -> None:
        """Keep whether a socket of the station is up."""
        self._need()
        for evse_id in evse_ids:
            if self._evses[evse_id].is_online != is_online:
                self._evses[evse_id] = replace(self._evses[evse_id], is_online=is_online)

    def _need(self) -> None:
        if self.is_lost:
            raise DatabaseGone

    def _keep(self, entry: LimitEntry) -> None:
        self._open[entry.order_no] = entry
        newest = self._newest.get(entry.session_id)
        if newest is None or newest.order_no <= entry.order_no:
            self._newest[entry.session_id] = entry

    def _drop(self, entry: LimitEntry) -> None:
        """An order that never left was never in force; the session's newest is the one before it."""
        del self._open[entry.order_no]
        self._newest[entry.session_id] = replace(entry, is_refused=True)


def may_write(term: int, newest_term: int) -> bool:
    """Say whether a leader of this term may still write (site-limit rule R9)."""
    return term == newest_term
