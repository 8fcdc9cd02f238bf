"""One run of the simulation from one seed, and what came of it."""

import random
from collections import Counter
from dataclasses import dataclass, field

from proofs.faults import Faults
from proofs.parks import USUAL, Ground, park_of
from proofs.people import People
from proofs.watch import SLOT_S, Watch
from proofs.weather import HOUR_S, Weather
from proofs.world import World
from simulators.feeders import Overload


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run. `containments` are the seconds until containment, from the beginning and from knowable."""

    seed: int
    hours: float
    overloads: list[Overload]
    broken: list[str]
    counts: Counter[str]
    slot_count: int
    binding_slot_count: int
    containments: list[tuple[float, float | None]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was violated."""
        return not self.overloads and not self.broken


def play(seed: int, hours: float, faults: Faults, *, ground: Ground = USUAL, is_traced: bool = False) -> Result:
    """Play one site for some hours; the same seed gives the same result and trace."""
    park = park_of(random.Random(f"{seed} park"), faults.surprised_count, ground=ground)
    world = World(seed, park, faults, is_traced=is_traced)
    watch = Watch(world)
    people, weather = People(world), Weather(world, watch)
    world.begin()
    people.begin()
    weather.begin()
    watch.begin()
    ends_s = hours * HOUR_S
    world.agenda.run(ends_s)
    overloads = world.tree.overloads(0, int(ends_s))
    return Result(
        seed,
        hours,
        overloads,
        watch.broken,
        world.agenda.counts,
        int(ends_s // SLOT_S),
        len(watch.binding_slots),
        _containments(watch, overloads),
        world.agenda.lines,
    )


def _containments(watch: Watch, overloads: list[Overload]) -> list[tuple[float, float | None]]:
    """Return per incident how long until the last conductor was under its rating again; 0: it never was above."""
    found: list[tuple[float, float | None]] = []
    begun_s = [incident.began_s for incident in watch.incidents]
    for incident, next_s in zip(watch.incidents, [*begun_s[1:], float("inf")], strict=False):
        over = [each for each in overloads if incident.began_s - 10 <= each.began_s < next_s]
        if not over:
            found.append((0.0, 0.0))
            continue
        contained_s = max(each.began_s + each.duration_s for each in over)
        known_s = None if incident.knowable_s is None else max(0.0, contained_s - incident.knowable_s)
        found.append((contained_s - incident.began_s, known_s))
    return found
