"""The pure part of a cycle: rows of the tree, ledgers, following the sun, allocation."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from app.scheduling.allocation import allocate
from app.scheduling.cycle import Decision, decide, open_books
from app.scheduling.feeders import grid_of
from app.scheduling.following import Room, Sun, claims_of, floors_w, follow
from app.scheduling.orders import Wanted, aims
from benchmarks.ocpp_parts.tables import Result, Table
from benchmarks.real_time_parts.parks import NOW, Park, park_of

SCENES = {"steady": 1.0, "dark": 0.0, "bright": 3.0}
"""How the measured surplus compares with the one that the plan reckoned with."""


def cpu_ms(work: Callable[[], object], rounds: int) -> float:
    """Return the median CPU time of one call in ms."""
    times = []
    gc.collect()
    for _ in range(rounds):
        began_s = time.process_time()
        work()
        times.append((time.process_time() - began_s) * 1000)
    return statistics.median(times)


def run(sizes: Sequence[int], rounds: int) -> Result:
    """Measure whole cycles in every scene, and their parts in the brightest."""
    figures = [_figures(park_of(size), rounds) for size in sizes]
    cycles = [
        (each["evses"], *(f"{each['cycle_ms'][scene]:.2f} ({each['intents'][scene]})" for scene in SCENES))
        for each in figures
    ]
    parts = [(each["evses"], *(f"{part_ms:.2f}" for part_ms in each["parts_ms"].values())) for each in figures]
    heads = tuple(figures[0]["parts_ms"])
    return Result(
        figures,
        [
            Table("Pure cycle, CPU ms (intents)", ("EVSEs", *SCENES), cycles),
            Table("Its parts when bright, CPU ms", ("EVSEs", *heads), parts),
        ],
    )


def _figures(park: Park, rounds: int) -> dict[str, Any]:
    return {
        "evses": len(park.evses),
        "cycle_ms": {scene: cpu_ms(partial(_cycle, park, scene), rounds) for scene in SCENES},
        "intents": {scene: len(_cycle(park, scene).intents) for scene in SCENES},
        "parts_ms": _parts(park, rounds),
    }


def _cycle(park: Park, scene: str) -> Decision:
    books = open_books(park.site, park.evses, park.entries, NOW)
    sun = Sun(park.expected_w, park.expected_w * SCENES[scene])
    return decide(books, park.lines, park.newest, sun, grid_of(park.site, park.evses))


def _parts(park: Park, rounds: int) -> dict[str, float]:
    books, grid = open_books(park.site, park.evses, park.entries, NOW), grid_of(park.site, park.evses)
    claims = claims_of(park.lines, park.evses, park.entries, park.newest, NOW)
    room = Room(grid, floors_w(books.ledgers, books.possible_w, claims))
    sun = Sun(park.expected_w, park.expected_w * SCENES["bright"])
    targets_w = follow(claims, room, sun, NOW)
    wanted = [Wanted(each.evse_id, each.session_id, targets_w[each.evse_id]) for each in claims]
    aimed = aims(wanted, park.entries, park.newest, NOW)
    acts: dict[str, Callable[[], object]] = {
        "rows": lambda: grid_of(park.site, park.evses),
        "books": lambda: open_books(park.site, park.evses, park.entries, NOW),
        "follow": lambda: follow(claims, room, sun, NOW),
        "aims": lambda: aims(wanted, park.entries, park.newest, NOW),
        "allocate": lambda: allocate(park.site, park.evses, books.ledgers, aimed.targets, grid, NOW),
    }
    return {name: cpu_ms(act, rounds) for name, act in acts.items()}
