"""What the proof watches from outside: INV-1 at every write, who is surprised, and how the controller comes to know."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from app.domain.limits import LimitEntry
from app.domain.snapshot import EvseSpec
from app.scheduling import obedience
from app.scheduling.feeders import Loads
from proofs.arithmetic import broken, in_force_w
from proofs.books import DatabaseGone, Snapshot
from proofs.chargers import SILENT, Charger, Surprise
from proofs.world import World

SLOT_S = 900.0
METER_S = 60.0
REPAIR_S = (600.0, 2400.0)
AT_CAPACITY_SHARE = 0.97


@dataclass(slots=True)
class Incident:
    """More stations surprised at once than the margins are made for: since when, and since when it is knowable."""

    began_s: float
    station_ids: tuple[str, ...]
    knowable_s: float | None = None


class Watch:
    """Sums of INV-1 by the proof's own arithmetic, and the metered power that tells who does not obey."""

    def __init__(self, world: World) -> None:
        self.broken: list[str] = []
        self.binding_slots: set[int] = set()
        self.incidents: list[Incident] = []
        self._noted: dict[int, obedience.Watch] = {}
        self._world = world
        self._agenda = world.agenda
        self._rng = world.chance("watch")
        world.watch = self.note_intents

    def begin(self) -> None:
        """Have the stations send their meter values."""
        for charger in self._world.chargers.values():
            self._agenda.after(self._rng.uniform(0.0, METER_S), partial(self._meter, charger))

    # -- INV-1 --------------------------------------------------------------------------------------------------------

    def note_intents(self, snapshot: Snapshot, loads: Loads | None, written: Sequence[LimitEntry]) -> None:
        """Reckon INV-1 before and after these intents, with everything that may have left."""
        new = {entry.order_no for entry in written}
        if not new:
            return
        world = self._world
        before_w = self._in_force(snapshot.evses, new)
        after_w = self._in_force(snapshot.evses, set())
        proven = {evse.evse_id: evse.is_verified for evse in snapshot.evses}
        count, branches = world.park.site.surprised_count, world.park.branches
        loads_a = {(node or "", str(line)): load for (node, line), load in (loads or {}).items()}
        for place in broken(branches, count, before_w, after_w, proven, loads_a):
            self._agenda.note("INV-1 broken", place)
            self.broken.append(f"{self._agenda.now_s:.1f} s {place}")
        if any(each.is_full(after_w, loads_a, AT_CAPACITY_SHARE) for each in branches):
            self.binding_slots.add(int(self._agenda.now_s // SLOT_S))

    def _in_force(self, evses: Sequence[EvseSpec], without: set[int]) -> dict[int, float]:
        """Return u of every EVSE in W, leaving out the orders of these numbers."""
        now, settle = self._agenda.now_at, self._world.park.site.settle
        entries: dict[int, list[LimitEntry]] = {evse.evse_id: [] for evse in evses}
        for entry in self._world.books.entries:
            if entry.order_no not in without and entry.evse_id in entries:
                entries[entry.evse_id].append(entry)
        return {
            evse.evse_id: in_force_w(
                evse,
                entries[evse.evse_id],
                now,
                settle,
                is_proven=evse.is_verified and evse.verified_at is not None and now >= evse.verified_at + settle,
            )
            for evse in evses
        }

    # -- surprises ----------------------------------------------------------------------------------------------------

    def open_count(self) -> int:
        """Return how many stations are surprised, and neither restored nor counted at nameplate with INV-1 holding."""
        surprised = [each for each in self._world.chargers.values() if each.surprise is not None]
        for charger in surprised:
            self._settle(charger)
        surprised = [each for each in surprised if each.surprise is not None]
        books = self._world.books
        evses = tuple(books.evses.values())
        powers_w = self._in_force(evses, set())
        proven = {evse.evse_id: evse.is_verified for evse in evses}
        count, branches = self._world.park.site.surprised_count, self._world.park.branches
        if broken(branches, count, dict.fromkeys(powers_w, -1.0), powers_w, proven, {}):
            return count
        return sum(
            any(
                proven[each] or (one.surprise in SILENT and books.evses[each].is_controllable)
                for each in self._world.evse_ids(one.station_id)
            )
            for one in surprised
        )

    def _settle(self, charger: Charger) -> None:
        """A forgetful station is a good one again once its defaults are installed and have settled."""
        if charger.surprise is not None and charger.surprise not in SILENT:
            specs = [self._world.books.evses[each] for each in self._world.evse_ids(charger.station_id)]
            if all(outlet.default is not None for outlet in charger.outlets.values()) and all(
                spec.is_verified for spec in specs
            ):
                charger.surprise = None

    def note_surprise(self, charger: Charger) -> None:
        """A station was surprised just now: begin an incident, or let it belong to the one of this instant."""
        last = self.incidents[-1] if self.incidents else None
        if last is not None and last.began_s == self._agenda.now_s:
            last.station_ids = (*last.station_ids, charger.station_id)
        else:
            self.incidents.append(Incident(self._agenda.now_s, (charger.station_id,)))

    def _known(self, charger: Charger) -> None:
        for incident in self.incidents:
            if charger.station_id in incident.station_ids and incident.knowable_s is None:
                incident.knowable_s = self._agenda.now_s

    def _meter(self, charger: Charger) -> None:
        """A station sends its meter values; who draws more than may be in force there does not obey."""
        world = self._world
        self._agenda.after(METER_S, lambda: self._meter(charger))
        if not world.is_connected(charger.station_id):
            return
        specs = {each: world.books.evses[each] for each in world.evse_ids(charger.station_id)}
        possible_w = self._in_force(tuple(specs.values()), set())
        now = self._agenda.now_at
        for outlet in charger.outlets.values():
            spec = specs[outlet.spec.evse_id]
            power_w = outlet.power_w(self._agenda.now_s, charger.voltage_share)
            seen = obedience.Sight(spec, possible_w[spec.evse_id], power_w, now)
            judged = obedience.judge(seen, self._noted.get(spec.evse_id, obedience.BLANK), now)
            self._noted[spec.evse_id] = judged.watch
            if judged.is_above and spec.is_controllable:
                self._disbelieve(charger, spec, is_obedient=not judged.is_disobeying)

    def _disbelieve(self, charger: Charger, spec: EvseSpec, *, is_obedient: bool) -> None:
        """It draws more than may be in force there: it counts at nameplate, and at the second time for good."""
        if charger.surprise is None:
            self._agenda.note("honest station accused", charger.station_id)
        if is_obedient and not spec.is_verified:
            return
        self._known(charger)
        if not is_obedient:
            self._distrust(charger)
            return
        try:
            self._world.books.set_proof([spec.evse_id], None)
        except DatabaseGone:
            return
        self._agenda.note("power above what may be in force", charger.station_id)
        self._world.ring_leader()
        self._world.ring_station(charger.station_id)

    def _distrust(self, charger: Charger) -> None:
        try:
            self._world.books.set_proof(self._world.evse_ids(charger.station_id), None, is_obedient=False)
        except DatabaseGone:
            return
        self._agenda.note("disobedience found", charger.station_id)
        self._world.ring_leader()
        self._agenda.after(self._rng.uniform(*REPAIR_S), lambda: self._repair(charger))

    def _repair(self, charger: Charger) -> None:
        """Somebody has repaired it: it obeys again, and its defaults are to be proven."""
        try:
            self._world.books.set_proof(self._world.evse_ids(charger.station_id), None)
        except DatabaseGone:
            self._agenda.after(METER_S, lambda: self._repair(charger))
            return
        if charger.surprise in SILENT:
            charger.surprise = Surprise.RESET
        self._world.ring_station(charger.station_id)
