"""`absent`: the controller is gone for 24 hours while cars come and go.

No rating is exceeded, and every car gets its fallback.

Played twice per seed: a controller that never was there, and one that vanishes at the worst moment, just after raises
have left. The uncontrolled load, the voltage and rebooting stations go on as they do in `limit`. A station that
limits W pauses its car where its safe power is less than 6 A at the voltage of the moment (up to 10 % above the nominal
one); such cars are counted apart.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from app.domain.commands import RateUnit
from app.domain.limits import LimitEntry
from app.scheduling.feeders import Loads
from proofs.books import Snapshot
from proofs.faults import CALM, Faults
from proofs.parks import LEASE, SETTLE, park_of
from proofs.people import People, Stay
from proofs.table import Table, quantile_wh
from proofs.watch import Watch
from proofs.weather import HOUR_S, Weather
from proofs.world import World

GONE = replace(CALM, reboots_per_h=0.5, load_steps_per_h=20.0)
PRESENT = replace(Faults(), surprises_per_h=0.0, database_losses_per_h=0.0, crashes_per_h=0.0, crash_share=0.0)
WARM_S = HOUR_S
SENT_S = 1.0
SHORT_S = 900.0
LEAST_A = 5.9
HIGH_SHARE = 1.15
BEGINS_S = 10.0
LONGEST_S = 900.0


@dataclass(frozen=True, slots=True)
class Absence:
    """A day without a controller: `energies_wh` by car that came after it was gone.

    `currents_a` are the mean currents where limits are in A, `in_w_currents_a` where they are in W. `still_raised_s` is
    how long anything was above its fallback after the controller vanished.
    """

    seed: int
    vanished_s: float
    overloads: list[str]
    energies_wh: list[float]
    currents_a: list[float]
    in_w_currents_a: list[float]
    still_raised_s: float

    @property
    def starved_count(self) -> int:
        """How many cars got less than their fallback current."""
        return sum(current_a < LEAST_A for current_a in self.currents_a)


class _Vanishing:
    """Waits for a cycle that raises several EVSEs at once, and has the controller vanish when that has left."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known = world.watch
        self.vanished_s: float | None = None
        world.watch = self.note

    def note(self, snapshot: Snapshot, loads: Loads | None, written: Sequence[LimitEntry]) -> None:
        """Look at what was written."""
        self._known(snapshot, loads, written)
        safe_w = {evse.evse_id: evse.safe_power_w for evse in snapshot.evses}
        is_raise = sum(entry.power_w > safe_w[entry.evse_id] for entry in written) > 1
        if self.vanished_s is None and self._world.agenda.now_s > WARM_S and is_raise:
            self.vanish_after(SENT_S)

    def vanish_after(self, delay_s: float) -> None:
        """Have it vanish a little later."""
        self.vanished_s = self._world.agenda.now_s + delay_s
        self._world.agenda.after(delay_s, self._world.vanish)


def play_absence(seed: int, hours: float, *, is_never_there: bool) -> Absence:
    """Play a site whose controller is gone for so many hours."""
    park = park_of(random.Random(f"{seed} park"))
    world = World(seed, park, replace(GONE if is_never_there else PRESENT, surprised_count=1))
    watch = Watch(world)
    people, weather = People(world), Weather(world, watch)
    vanishing = _Vanishing(world)
    world.begin()
    people.begin()
    weather.begin()
    watch.begin()
    if is_never_there:
        vanishing.vanish_after(0.0)
    while vanishing.vanished_s is None:
        world.agenda.run(world.agenda.now_s + HOUR_S)
    ends_s = vanishing.vanished_s + hours * HOUR_S
    world.agenda.run(ends_s)
    settled_s = vanishing.vanished_s + (0.0 if is_never_there else (LEASE + SETTLE).total_seconds())
    stays = [stay for stay in people.stays if stay.came_s >= settled_s and _lasts_s(stay, ends_s) >= SHORT_S]
    energies_wh = [stay.outlet.energy_wh(stay.came_s, stay.left_s or ends_s) for stay in stays]
    return Absence(
        seed,
        round(vanishing.vanished_s, 1),
        [str(each) for each in world.tree.overloads(0, int(ends_s))],
        energies_wh,
        [_mean_a(stay, ends_s) for stay in stays if stay.outlet.spec.rate_unit is RateUnit.A],
        [_mean_a(stay, ends_s) for stay in stays if stay.outlet.spec.rate_unit is RateUnit.W],
        _still_raised_s(people.stays, vanishing.vanished_s),
    )


def _lasts_s(stay: Stay, ends_s: float) -> float:
    return (stay.left_s or ends_s) - stay.came_s


def _mean_a(stay: Stay, ends_s: float) -> float:
    """Return the mean current per phase, once the car has begun."""
    energy_wh = stay.outlet.energy_wh(stay.came_s + BEGINS_S, stay.left_s or ends_s)
    hours = (_lasts_s(stay, ends_s) - BEGINS_S) / HOUR_S
    return energy_wh / (stay.outlet.wires.voltage_v * len(stay.car.pairs)) / hours


def _still_raised_s(stays: Sequence[Stay], vanished_s: float) -> float:
    """Return how long after it vanished a session of before still was above its fallback."""
    longest_s = 0.0
    for stay in stays:
        left_s = float("inf") if stay.left_s is None else stay.left_s
        fallback_a = HIGH_SHARE * stay.outlet.spec.safe_power_w / (stay.outlet.wires.voltage_v * len(stay.car.pairs))
        if stay.came_s < vanished_s < left_s:
            for second in range(int(min(left_s - vanished_s, LONGEST_S))):
                at_s = vanished_s + second
                if any(trace.current_a_at(at_s) > fallback_a for trace in stay.outlet.traces.values()):
                    longest_s = max(longest_s, float(second))
    return longest_s


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds, from 1 on")
    parser.add_argument("--hours", type=float, default=24.0, help="how long nobody is there")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes play")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(options: argparse.Namespace) -> int:
    """Play all seeds both ways; return 1 if a rating was exceeded, or a car with a limit in A got less than it."""
    told: dict[str, Any] = {}
    with ProcessPoolExecutor(max_workers=options.jobs) as pool:
        for name, is_never_there in (("never there", True), ("vanishes just after raises", False)):
            one = partial(play_absence, hours=options.hours, is_never_there=is_never_there)
            told[name] = _told(list(pool.map(one, range(1, options.seeds + 1))))
    if options.json:
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        sys.stdout.write(_table(told, options))
    return 0 if all(not each["overloads"] and not each["starved"] for each in told.values()) else 1


def _told(found: Sequence[Absence]) -> dict[str, Any]:
    energies_wh = [each for absence in found for each in absence.energies_wh]
    return {
        "sites": len(found),
        "overloads": sum(len(absence.overloads) for absence in found),
        "cars": len(energies_wh),
        "starved": sum(absence.starved_count for absence in found),
        "least_a": round(min((each for absence in found for each in absence.currents_a), default=0.0), 2),
        "in_w": len([each for absence in found for each in absence.in_w_currents_a]),
        "in_w_starved": sum(each < LEAST_A for absence in found for each in absence.in_w_currents_a),
        "energy_wh": {f"{share:.0%}": quantile_wh(energies_wh, share) for share in (0.0, 0.1, 0.5, 0.9, 1.0)},
        "longest_raised_s": max(absence.still_raised_s for absence in found),
        "runs": [
            {**asdict(absence), "energies_wh": [round(each) for each in absence.energies_wh]} for absence in found
        ],
    }


def _table(told: dict[str, Any], options: argparse.Namespace) -> str:
    table = Table(f"Nobody is there for {options.hours:g} h, {options.seeds} sites")
    for name, of_it in told.items():
        table.part(f"The controller {name}")
        table.line("10-second means above a rating", f"{of_it['overloads']}")
        table.line("cars that came later", f"{of_it['cars']}")
        table.line("least mean current, limits in A", f"{of_it['least_a']:.2f} A; {of_it['starved']} cars below 6 A")
        table.line("limits in W", f"{of_it['in_w']} cars, {of_it['in_w_starved']} paused while the voltage was high")
        spread = ", ".join(f"{share} {energy_wh / 1000:.1f}" for share, energy_wh in of_it["energy_wh"].items())
        table.line("energy per car, kWh by share of cars", spread)
        table.line("longest a raise outlived the controller", f"{of_it['longest_raised_s']:.0f} s")
    return table.text()
