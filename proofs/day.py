"""A recorded working day on a tight tree: the real planner and cycle, recorded cars and sun, and what the sun gave."""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import numpy as np

from app.domain.intervals import Interval
from app.domain.snapshot import Demand, EvseSpec, IntentSource, SiteSnapshot, SiteSpec, SurplusSlot
from app.domain.wiring import Feeder, FeederKind, Wiring
from app.scheduling.following import Line, Sun
from app.scheduling.orders import in_force
from app.scheduling.planner import plan
from proofs.agenda import START_AT, at_of
from proofs.arithmetic import branches_of
from proofs.chargers import Car, Charger, Outlet
from proofs.faults import Faults
from proofs.parks import APPLY_MOST_S, LEASE, LONG_AGO, SETTLE, Park, Wires
from proofs.watch import Watch
from proofs.weather import Weather
from proofs.world import World
from simulators.commuters import Commuter
from simulators.electrical import Steps
from simulators.feeders import Node, Overload, Supply
from simulators.prepared import PreparedDay, prepare

VOLTAGE_V, RATED_A, SAFE_A = 200.0, 30.0, 6.0
WIRINGS = (Wiring.L1_L2, Wiring.L2_L3, Wiring.L3_L1)
PANELS, BREAKERS_PER_PANEL = 2, 2
ROOM_SHARE = 0.35
PLAN_S, LOOK_S, SLOT_S = 300.0, 60.0, 900.0
FULL_WH = 1.0
SURPLUS_RATIO = 1.5


@dataclass(frozen=True, slots=True)
class Useful:
    """What a day came to, in Wh; binding are the quarter hours in which a conductor carried all that it may."""

    solar_wh: float
    delivered_wh: float
    need_wh: float
    slot_count: int
    binding_slot_count: int
    overloads: list[Overload]


class Commuters:
    """The day's recorded cars, and the planner that serves them."""

    def __init__(self, world: World, day: PreparedDay) -> None:
        self._world = world
        self._day = day
        self._agenda = world.agenda
        self._by_session: dict[str, Commuter] = {}
        self._outlets: dict[str, tuple[Charger, Outlet]] = {}
        self._delivered_wh: dict[str, float] = {}
        self._looked_s = 0.0

    def begin(self) -> None:
        """Have the day's cars come, and plan for them."""
        for number, commuter in enumerate(self._day.roll.commuters):
            arrives_s = float(commuter.arrives_s - self._day.starts_s)
            self._agenda.at(arrives_s, partial(self._come, f"session {number}", commuter))
        self._look()
        self._plan_again()

    def _come(self, session_id: str, commuter: Commuter) -> None:
        charger = self._world.chargers[self._day.station_id(commuter.station_no)]
        outlet = charger.outlets[1]
        if outlet.car is not None:
            self._agenda.after(LOOK_S, partial(self._come, session_id, commuter))
            return
        car = Car(session_id, commuter.max_power_w / VOLTAGE_V, outlet.wires.pairs)
        self._by_session[session_id], self._outlets[session_id] = commuter, (charger, outlet)
        self._delivered_wh[session_id] = 0.0
        charger.plug_in(outlet, car)
        self._world.tell(charger.station_id, "started", outlet.spec.evse_id, session_id)
        self._agenda.at(float(commuter.leaves_s - self._day.starts_s), partial(self._go, session_id))
        self._agenda.after(1.0, self._plan)

    def _go(self, session_id: str) -> None:
        self._look_at(session_id)
        charger, outlet = self._outlets.pop(session_id)
        charger.unplug(outlet)
        self._world.tell(charger.station_id, "ended", outlet.spec.evse_id, session_id)
        self._world.books.planned.pop(session_id, None)
        self._plan()

    def _look(self) -> None:
        """Read the meters; who is full draws nothing any more."""
        for session_id in list(self._outlets):
            self._look_at(session_id)
        self._looked_s = self._agenda.now_s
        books = self._world.books
        books.sun = replace(books.sun, measured_w=self._surplus_w())
        self._world.ring_leader()
        self._agenda.after(LOOK_S, self._look)

    def _look_at(self, session_id: str) -> None:
        charger, outlet = self._outlets[session_id]
        self._delivered_wh[session_id] += outlet.energy_wh(self._looked_s, self._agenda.now_s)
        if self._left_wh(session_id) <= FULL_WH and outlet.car is not None and outlet.car.max_current_a > 0:
            outlet.car.max_current_a = 0.0
            charger.note_car(outlet)

    def _left_wh(self, session_id: str) -> float:
        return self._by_session[session_id].need_wh - self._delivered_wh[session_id]

    def _surplus_w(self) -> float:
        return self._day.sun.surplus.power_w_at(self._day.starts_s + int(self._agenda.now_s))

    def _plan_again(self) -> None:
        self._plan()
        self._agenda.after(PLAN_S, self._plan_again)

    def _plan(self) -> None:
        """Have the production planner plan from what is known now."""
        books, now = self._world.books, self._agenda.now_at
        if books.is_lost:
            return
        demands = tuple(self._demand(session_id) for session_id in sorted(self._outlets) if self._wants(session_id))
        snapshot = SiteSnapshot(
            self._world.park.site,
            tuple(books.evses.values()),
            tuple(sorted(demands, key=lambda each: each.evse_id)),
            surplus=self._expected(),
            measured_surplus_w=self._surplus_w(),
        )
        made = plan(snapshot, now)
        by_session = {demand.session_id: demand for demand in demands}
        books.planned = {
            line.session_id: Line(
                line.evse_id,
                line.session_id,
                line.power_w[0],
                line.must_w,
                line.most_w,
                by_session[line.session_id].need_wh,
                by_session[line.session_id].departs_at,
            )
            for line in made.lines
        }
        books.sun = Sun(made.surplus_w[0], self._surplus_w())
        self._world.ring_leader()

    def _wants(self, session_id: str) -> bool:
        evse_id = self._outlets[session_id][1].spec.evse_id
        return self._left_wh(session_id) > FULL_WH and self._world.books.sessions.get(evse_id) == session_id

    def _demand(self, session_id: str) -> Demand:
        commuter, spec = self._by_session[session_id], self._outlets[session_id][1].spec
        accepted = in_force(
            [each for each in self._world.books.entries if each.session_id == session_id], self._agenda.now_at
        )
        return Demand(
            session_id=session_id,
            evse_id=spec.evse_id,
            arrived_at=at_of(commuter.arrives_s - self._day.starts_s),
            departs_at=at_of(commuter.declared_s - self._day.starts_s),
            need_wh=self._left_wh(session_id),
            max_power_w=min(spec.nameplate_w, commuter.max_power_w),
            min_power_w=spec.min_power_w,
            source=IntentSource.DRIVER,
            limit_w=None if accepted is None else accepted.power_w,
            switched_at=None if accepted is None else accepted.switched_at,
        )

    def _expected(self) -> tuple[SurplusSlot, ...]:
        sun, slot = self._day.sun, timedelta(seconds=SLOT_S)
        first = int(self._agenda.now_s // SLOT_S)
        found = []
        for number in range(first, int((self._day.ends_s - self._day.starts_s) // SLOT_S)):
            at_s = self._day.starts_s + int(number * SLOT_S)
            surplus_w = max(0.0, sun.forecast_pv.power_w_at(at_s) - sun.building.power_w_at(at_s))
            starts_at = at_of(number * SLOT_S)
            found.append(SurplusSlot(Interval(starts_at, starts_at + slot), surplus_w))
        return tuple(found)


def tight_park(day: PreparedDay, room_share: float = ROOM_SHARE, surprised_count: int = 1) -> Park:
    """Return the day's stations on a tree of three levels that holds their defaults, k surprises, and a bit more."""
    feeders = [Feeder("main", None, FeederKind.CONNECTION)]
    for panel in range(PANELS):
        feeders.append(Feeder(f"panel {panel}", "main", FeederKind.PANEL))
        feeders += [Feeder(f"breaker {panel}{each}", f"panel {panel}") for each in range(BREAKERS_PER_PANEL)]
    leaves = [each.feeder_id for each in feeders if each.feeder_id.startswith("breaker")]
    evses = tuple(
        EvseSpec(
            evse_id=number + 1,
            station_id=day.station_id(number),
            evse_number=1,
            nameplate_w=RATED_A * VOLTAGE_V,
            min_power_w=SAFE_A * VOLTAGE_V,
            safe_power_w=SAFE_A * VOLTAGE_V,
            w_per_a=VOLTAGE_V,
            phase_count=1,
            is_verified=True,
            is_online=False,
            verified_at=START_AT - LONG_AGO,
            feeder_id=leaves[number % len(leaves)],
            wiring=WIRINGS[(number // len(leaves)) % len(WIRINGS)],
            lease_slack=timedelta(seconds=APPLY_MOST_S),
        )
        for number in range(day.station_count)
    )
    unrated = tuple(replace(each, rating_a=1.0) for each in feeders)
    site = SiteSpec("site", "Asia/Tokyo", 1e7, 0.0, 0.0, LEASE, SETTLE, surprised_count=surprised_count)
    site = replace(site, feeders=unrated)
    ratings_a: dict[str, float] = {}
    for branch in branches_of(site, evses):
        least_a = sum(each.safe_a for each in branch.members) + branch.surprise_a(1)
        most_a = sum(each.nameplate_a for each in branch.members)
        rating_a = least_a + room_share * max(0.0, most_a - least_a)
        ratings_a[branch.feeder_id] = max(ratings_a.get(branch.feeder_id, 1.0), rating_a)
    site = replace(site, feeders=tuple(replace(each, rating_a=ratings_a[each.feeder_id]) for each in feeders))
    nodes = tuple(Node(each.feeder_id, each.parent_id, ratings_a[each.feeder_id]) for each in feeders)
    wires = {evse.evse_id: Wires((evse.wiring.value,), VOLTAGE_V) for evse in evses}
    offsets = dict.fromkeys((evse.station_id for evse in evses), 0.0)
    return Park(site, evses, Supply.THREE_PHASE, nodes, wires, offsets, branches_of(site, evses))


def recorded_day(seed: int, stations: int, surplus_ratio: float = SURPLUS_RATIO) -> PreparedDay:
    """Return a recorded day with its cars and sun, by seed."""
    return prepare(stations, seed, None, as_recorded=False, surplus_ratio=surplus_ratio)


def play_day(day: PreparedDay, park: Park, faults: Faults, seed: int) -> Useful:
    """Play the day; return what it came to."""
    world = World(seed, park, faults)
    watch = Watch(world)
    commuters, weather = Commuters(world, day), Weather(world, watch)
    world.begin()
    commuters.begin()
    weather.begin()
    watch.begin()
    ends_s = day.ends_s - day.starts_s
    world.agenda.run(float(ends_s))
    return _useful(world, day, watch, ends_s)


def _useful(world: World, day: PreparedDay, watch: Watch, ends_s: int) -> Useful:
    seconds = np.arange(ends_s, dtype=np.float64)
    power_w = np.zeros(ends_s)
    for charger in world.chargers.values():
        for outlet in charger.outlets.values():
            for trace in outlet.traces.values():
                power_w += trace.by_second(seconds) * VOLTAGE_V
    surplus: Steps = day.sun.surplus
    surplus_w = surplus.by_second(day.starts_s, day.ends_s)
    return Useful(
        solar_wh=float(np.minimum(power_w, surplus_w).sum()) / 3600,
        delivered_wh=float(power_w.sum()) / 3600,
        need_wh=sum(each.need_wh for each in day.roll.commuters),
        slot_count=int(ends_s // SLOT_S),
        binding_slot_count=len(watch.binding_slots),
        overloads=world.tree.overloads(0, ends_s),
    )
