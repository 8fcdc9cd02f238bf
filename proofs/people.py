"""Cars that come and go, and targets that are wanted: whatever is worst for a careless controller."""

from dataclasses import dataclass
from functools import partial

from proofs.chargers import Car, Charger, Outlet
from proofs.world import World

STAYS_S = (1200.0, 14_000.0)
FIRST_S, FIRST_CROWDED_S = 1800.0, 120.0
EMPTY_S = 900.0
FEWER_PHASES_SHARE = 0.5
CAR_MOST_A = (16.0, 32.0, 32.0, 48.0)
LEAST_PAUSE_S = 5.0


@dataclass(slots=True)
class Stay:
    """One car's stay at an EVSE; `left_s` None: it is still there."""

    charger: Charger
    outlet: Outlet
    car: Car
    came_s: float
    left_s: float | None = None


class People:
    """Drivers, and a planner that changes its mind."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._agenda = world.agenda
        self._rng = world.chance("people")
        self.stays: list[Stay] = []

    def begin(self) -> None:
        """Have cars come, and something wanted."""
        first_s = FIRST_CROWDED_S if self._world.faults.is_crowded else FIRST_S
        for charger in self._world.chargers.values():
            for outlet in charger.outlets.values():
                self._agenda.after(self._rng.uniform(0.0, first_s), partial(self._come, charger, outlet))
        self._retarget()

    def _come(self, charger: Charger, outlet: Outlet) -> None:
        is_crowded, pairs = self._world.faults.is_crowded, outlet.wires.pairs
        if len(pairs) > 1 and not is_crowded and self._rng.random() < FEWER_PHASES_SHARE:
            pairs = tuple(sorted(self._rng.sample(pairs, self._rng.choice([1, 1, 2]))))
        max_current_a = max(CAR_MOST_A) if is_crowded else self._rng.choice(CAR_MOST_A)
        car = Car(f"session {len(self.stays) + 1}", max_current_a, pairs)
        self._agenda.tell("car comes", charger.station_id, car)
        charger.plug_in(outlet, car)
        self._world.tell(charger.station_id, "started", outlet.spec.evse_id, car.session_id)
        self._agenda.counts["sessions"] += 1
        stay = Stay(charger, outlet, car, self._agenda.now_s)
        self.stays.append(stay)
        if not is_crowded:
            self._agenda.after(self._rng.uniform(*STAYS_S), partial(self._go, stay))

    def _go(self, stay: Stay) -> None:
        charger, outlet, car = stay.charger, stay.outlet, stay.car
        stay.left_s = self._agenda.now_s
        charger.unplug(outlet)
        self._world.tell(charger.station_id, "ended", outlet.spec.evse_id, car.session_id)
        self._agenda.after(self._rng.expovariate(1 / EMPTY_S), partial(self._come, charger, outlet))

    def _retarget(self) -> None:
        """Want something else: some, the others, everything at one feeder, anything at all, or one of every feeder."""
        rng, evses, books = self._rng, self._world.park.evses, self._world.books
        most_w = {evse.evse_id: evse.nameplate_w for evse in evses}
        swap_share = self._world.faults.swap_share
        match 4 if swap_share > 0 and rng.random() < swap_share else rng.randrange(4):
            case 4:
                firsts = {evse.feeder_id: evse for evse in rng.sample(evses, len(evses))}.values()
                wanted_w = {evse.evse_id: evse.nameplate_w if evse in firsts else evse.safe_power_w for evse in evses}
            case 0:
                share = rng.random()
                wanted_w = {key: power_w if rng.random() < share else 0.0 for key, power_w in most_w.items()}
            case 1:
                wanted_w = {
                    key: 0.0 if books.wanted_w.get(key, 0.0) > 0 else power_w for key, power_w in most_w.items()
                }
            case 2:
                leaf = rng.choice(evses).feeder_id
                wanted_w = {evse.evse_id: evse.nameplate_w if evse.feeder_id == leaf else 0.0 for evse in evses}
            case _:
                wanted_w = {key: rng.uniform(0.0, 1.1) * power_w for key, power_w in most_w.items()}
        books.wanted_w = wanted_w
        self._world.ring_leader()
        self._agenda.after(LEAST_PAUSE_S + rng.expovariate(1 / self._world.faults.retarget_s), self._retarget)
