"""The bad days: what breaks when.

At most k stations are surprised and not contained at once, unless `beyond_count` has more of them surprised.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from proofs.chargers import Charger, Surprise
from proofs.meters import Meters
from proofs.parks import LEASE, SETTLE
from proofs.watch import Watch
from proofs.world import World
from simulators.feeders import ANGLES_DEGREES, Load, Trace

HOUR_S = 3600.0
DATABASE_GONE_S = (5.0, 300.0)
PARTITION_LEAST_S = 5.0
FROZEN_S = (20.0, 600.0)
BOOT_S = (20.0, 90.0)
VOLTAGE_S = 120.0
WINDOW_S = (LEASE + SETTLE).total_seconds() + 60.0
VOLTAGE_SHARE = (0.9, 1.1)
LOW_SHARE = 0.05


class Weather:
    """Plays the faults at random times, and the uncontrolled load and the mains' voltage with them."""

    def __init__(self, world: World, watch: Watch) -> None:
        self._world = world
        self._watch = watch
        self._agenda = world.agenda
        self._rng = world.chance("weather")
        self._others = {
            (node, line): _Other(reserve_a, world.park.rises_a.get(node), world.tree.add(self._load(node, line)))
            for node, reserve_a in world.park.own_reserves_a.items()
            for line in ANGLES_DEGREES[world.tree.supply]
        }
        self._meters = Meters(world, self._others) if world.park.rises_a else None

    def _load(self, node: str, line: str) -> Load:
        return Load(node, f"{line}-N", Trace(), self._rng.uniform(0.0, 30.0))

    def begin(self) -> None:
        """Put everything down that will come."""
        faults = self._world.faults
        for per_h, act in (
            (faults.crashes_per_h, self._crash),
            (faults.database_losses_per_h, self._lose_database),
            (faults.partitions_per_h, self._partition),
            (faults.hang_ups_per_h, self._hang_up),
            (faults.reboots_per_h, self._reboot),
            (faults.freezes_per_h, self._freeze),
            (faults.surprises_per_h, self._surprise),
            (faults.load_steps_per_h, self._step_load),
        ):
            if per_h > 0:
                self._again(per_h, act)
        self._change_voltage()
        if self._meters is not None:
            self._meters.begin()

    def _again(self, per_h: float, act: Callable[[], None]) -> None:
        def happen() -> None:
            act()
            self._again(per_h, act)

        self._agenda.after(self._rng.expovariate(per_h / HOUR_S), happen)

    def _any(self) -> Charger:
        return self._rng.choice(list(self._world.chargers.values()))

    def _crash(self) -> None:
        if self._world.controllers:
            self._world.crash(self._world.controllers[self._rng.choice(sorted(self._world.controllers))])

    def _lose_database(self) -> None:
        books = self._world.books
        if books.is_lost:
            return

        def find() -> None:
            books.is_lost = False

        books.is_lost = True
        self._agenda.note("database lost")
        self._agenda.after(self._rng.uniform(*DATABASE_GONE_S), find)

    def _partition(self) -> None:
        """Nothing gets through to some stations; some lines are cut by it, others go on where they stood."""
        until_s = self._agenda.now_s + self._rng.uniform(PARTITION_LEAST_S, self._world.faults.partition_most_s)
        share = self._rng.choice([0.2, 0.5, 1.0])
        self._agenda.note("partition", f"until {until_s:.1f}")
        for station_id in self._world.chargers:
            if self._rng.random() < share and self._world.is_connected(station_id):
                self._world.lines[station_id].stick(until_s)
                if self._rng.choice([True, False]):
                    cut_s = self._rng.uniform(self._agenda.now_s, until_s)
                    self._agenda.at(cut_s, partial(self._world.hang_up, station_id, until_s - cut_s))

    def _hang_up(self) -> None:
        station_id = self._any().station_id
        self._agenda.note("hang-up", station_id)
        self._world.hang_up(station_id)

    def _reboot(self) -> None:
        charger = self._any()
        if charger.surprise is None:
            self._agenda.note("station reboots", charger.station_id)
            charger.reboot()
            self._boot(charger)

    def _boot(self, charger: Charger) -> None:
        self._world.hang_up(charger.station_id, self._rng.uniform(*BOOT_S))
        self._world.tell(charger.station_id, "boot")

    def _freeze(self) -> None:
        charger = self._any()
        charger.frozen_until_s = self._agenda.now_s + self._rng.uniform(*FROZEN_S)
        self._agenda.note("station frozen", charger.station_id, f"until {charger.frozen_until_s:.1f}")

    def _surprise(self) -> None:
        faults = self._world.faults
        sound = [each for each in self._world.chargers.values() if each.surprise is None]
        count = faults.beyond_count or 1
        if len(sound) < count or (not faults.beyond_count and self._watch.open_count() >= faults.surprised_count):
            return
        for charger in self._rng.sample(sound, count):
            surprise = self._rng.choice(list(Surprise))
            self._agenda.note(f"surprise: {surprise}", charger.station_id)
            charger.be_surprised(surprise)
            self._watch.note_surprise(charger)
            if surprise is Surprise.RESET:
                self._boot(charger)

    def _step_load(self) -> None:
        """The uncontrolled load somewhere becomes another one, below its reserve and no further up than ΔB allows."""
        if not self._others:
            return
        place = self._rng.choice(list(self._others))
        other, now_s = self._others[place], self._agenda.now_s
        most_a = other.most_a(now_s)
        if not self._world.faults.is_load_adverse:
            load_a = self._rng.choice([0.0, most_a, most_a, self._rng.uniform(0.0, most_a)])
        elif self._meters is not None and self._meters.is_broken:
            load_a = most_a
        else:
            load_a = min(most_a, LOW_SHARE * other.reserve_a)
        other.trace.cut(now_s, load_a)
        other.past.append((now_s, load_a))
        self._agenda.note("load step", *place, f"{load_a:.1f} A")
        if self._meters is not None:
            self._meters.loads_a[place] = load_a

    def _change_voltage(self) -> None:
        voltage_share = self._rng.choice([*VOLTAGE_SHARE, self._rng.uniform(*VOLTAGE_SHARE)])
        for charger in self._world.chargers.values():
            charger.note_voltage(voltage_share)
        self._agenda.after(self._rng.expovariate(1 / VOLTAGE_S), self._change_voltage)


@dataclass(slots=True)
class _Other:
    """Uncontrolled load in one conductor. `rise_a` is what it may rise by within WINDOW_S (None: up to the reserve)."""

    reserve_a: float
    rise_a: float | None
    trace: Trace
    past: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.0)])

    def most_a(self, now_s: float) -> float:
        """Return the most that it may be from now on."""
        if self.rise_a is None:
            return self.reserve_a
        while len(self.past) > 1 and self.past[1][0] < now_s - WINDOW_S:
            del self.past[0]
        return min(self.reserve_a, min(load_a for _, load_a in self.past) + self.rise_a)
