"""`useful`: the limit must not be kept by doing nothing. What its rules cost in solar kWh, on recorded days.

The reference is the same planner and cycle on the same site where a command is in force at once, nothing is lost, and
only the last command counts. Where the limit binds in at least 20 % of the quarter hours, at least 85 % of its solar
kWh have to be reached under the faults of `limit`.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from app.domain.limits import EvseLedger, LimitEntry
from app.domain.snapshot import EvseSpec
from app.scheduling import feeders, ledger, orders
from proofs import chargers, controller, lines
from proofs.breaking import Patch, everywhere, patched
from proofs.day import ROOM_SHARE, Useful, play_day, recorded_day, tight_park
from proofs.faults import CALM, Faults
from proofs.table import Table

LEAST_SHARE, LEAST_BINDING_SHARE = 0.85, 0.2


@dataclass(frozen=True, slots=True)
class Way:
    """A way to run the day: under which faults, with what in place of the real functions."""

    name: str
    faults: Faults
    patches: Sequence[Patch] = ()
    surprised_count: int = 1


def _at_once() -> list[Patch]:
    """A command is in force as soon as it is decided, and is all that counts."""

    def highest_w(_: feeders.Sums, __: int) -> float:
        return float("inf")

    def possible_w(evse: EvseLedger, now: datetime, _: timedelta) -> float:
        known = [each for each in evse.entries if not each.is_refused]
        newest = max(known, key=lambda each: each.order_no, default=None)
        base_w = ledger.base_w(evse)
        return base_w if newest is None or now >= newest.ends_at else max(base_w, newest.power_w)

    nothing = (0.0, 0.0)
    return [
        (feeders.Sums, "highest_w", highest_w),
        *everywhere(ledger.possible_w, possible_w),
        (chargers, "APPLY_MOST_S", 0.0),
        (chargers, "LAG_MOST_S", 0.0),
        (lines, "FAST_S", nothing),
        (controller, "STEP_S", nothing),
    ]


def _unsettled() -> list[Patch]:
    """Room is free with the acknowledgement: only to measure what waiting for SETTLE costs."""
    real_freed_at, real_settled_at = ledger.freed_at, orders.settled_at

    def freed_at(evse: EvseLedger, entry: LimitEntry, _: timedelta) -> datetime:
        return real_freed_at(evse, entry, timedelta(0))

    def settled_at(evse: EvseSpec, _: timedelta) -> datetime | None:
        return real_settled_at(evse, timedelta(0))

    return [*everywhere(real_freed_at, freed_at), *everywhere(real_settled_at, settled_at)]


def ways() -> tuple[Way, ...]:
    """Return the ways that are compared, the reference first."""
    return (
        Way("reference: last command, at once, no faults", CALM, _at_once()),
        Way("real, under the faults of `limit`", Faults()),
        Way("real, no faults", CALM),
        Way("real, no faults, SETTLE = 0 (breaks the limit)", CALM, _unsettled()),
        Way("reference without the margin for k surprises", CALM, _at_once(), surprised_count=0),
    )


def play_way(number_and_seed: tuple[int, int], stations: int, room_share: float, surplus_ratio: float) -> Useful:
    """Play a recorded day one way."""
    number, seed = number_and_seed
    way = ways()[number]
    day = recorded_day(seed, stations, surplus_ratio)
    with patched(way.patches):
        park = tight_park(day, room_share, way.surprised_count)
        return play_day(day, park, replace(way.faults, surprised_count=way.surprised_count), seed)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--days", type=int, default=6, help="how many recorded days, chosen by seeds from 1 on")
    parser.add_argument("--stations", type=int, default=20, help="how many stations")
    parser.add_argument("--room", type=float, default=ROOM_SHARE, help="how much above its defaults a feeder carries")
    parser.add_argument("--surplus-ratio", type=float, default=1.5, help="the sun's surplus over what the cars need")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes play")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(options: argparse.Namespace) -> int:
    """Play every day in every way; return 1 where the real one is not useful enough, or the limit does not bind."""
    all_ways = ways()
    asked = [(number, seed) for seed in range(1, options.days + 1) for number in range(len(all_ways))]
    one = partial(play_way, stations=options.stations, room_share=options.room, surplus_ratio=options.surplus_ratio)
    with ProcessPoolExecutor(max_workers=options.jobs) as pool:
        found = list(pool.map(one, asked))
    by_way = {
        way.name: [each for (of_way, _), each in zip(asked, found, strict=True) if of_way == number]
        for number, way in enumerate(all_ways)
    }
    told = _told(by_way, options)
    sys.stdout.write(json.dumps(told, indent=2) + "\n" if options.json else _table(told))
    return 0 if told["holds"] else 1


def _told(by_way: dict[str, list[Useful]], options: argparse.Namespace) -> dict[str, Any]:
    names = list(by_way)
    reference, real, calm, unsettled, unmargined = (_sums(by_way[name]) for name in names)
    solar_share = real["solar_wh"] / reference["solar_wh"]
    holds = solar_share >= LEAST_SHARE and reference["binding_share"] >= LEAST_BINDING_SHARE and not real["overloads"]
    return {
        "days": options.days,
        "stations": options.stations,
        "ways": {name: _sums(found) for name, found in by_way.items()},
        "solar_share": round(solar_share, 4),
        "solar_share_without_faults": round(calm["solar_wh"] / reference["solar_wh"], 4),
        "cost_of_settle_share": round(1 - calm["solar_wh"] / unsettled["solar_wh"], 4),
        "cost_of_margin_share": round(1 - reference["solar_wh"] / unmargined["solar_wh"], 4),
        "holds": holds,
    }


def _sums(found: Sequence[Useful]) -> dict[str, Any]:
    slots = sum(each.slot_count for each in found)
    return {
        "solar_wh": round(sum(each.solar_wh for each in found)),
        "delivered_wh": round(sum(each.delivered_wh for each in found)),
        "need_wh": round(sum(each.need_wh for each in found)),
        "binding_share": round(sum(each.binding_slot_count for each in found) / slots, 3),
        "overloads": sum(len(each.overloads) for each in found),
    }


def _table(told: dict[str, Any]) -> str:
    table = Table(f"What the limit's rules cost: {told['days']} recorded days, {told['stations']} stations")
    for name, sums in told["ways"].items():
        solar, all_of_it = sums["solar_wh"] / 1000, sums["delivered_wh"] / 1000
        table.line(
            name,
            f"solar {solar:7.1f} kWh of {all_of_it:7.1f}, binds in {sums['binding_share']:.0%},"
            f" overloads {sums['overloads']}",
        )
    table.part("In solar kWh")
    table.line(f"real over reference (at least {LEAST_SHARE:.0%})", f"{told['solar_share']:.1%}")
    table.line("the same without faults", f"{told['solar_share_without_faults']:.1%}")
    table.line("cost of waiting for SETTLE", f"{told['cost_of_settle_share']:.1%}")
    table.line("cost of the margin for k surprises", f"{told['cost_of_margin_share']:.1%}")
    table.line("useful enough", "yes" if told["holds"] else "NO")
    return table.text()
