"""The command line: `python -m simulators station|fleet|day|records`."""

import argparse
import asyncio
import logging
import os
import random
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import orjson

from simulators.agenda import Agenda
from simulators.car import Car, taper_of
from simulators.clock import Clock, wall_s
from simulators.day import die_with_parent
from simulators.day import run as run_day
from simulators.evse import Evse
from simulators.fleet import DIALECTS, CarPark
from simulators.prepared import Unknown, prepare
from simulators.station import Station

KEY_VARIABLE = "SUNSLOT_STATION_KEY"
READY_TIMEOUT_S = 30.0
TROUBLE, WRONG_USE = 1, 2
LONGEST_PAUSE_S = 60


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be positive")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators", description="Simulated charging stations and days.")
    commands = parser.add_subparsers(dest="command", required=True)
    station = commands.add_parser("station", help="one station: plug a car in for a while, in real time, then leave")
    fleet = commands.add_parser("fleet", help="many stations with cars coming and going, in real time, until Ctrl-C")
    for each in (station, fleet):
        each.add_argument("--url", required=True, help="ws://host:port/ocpp; the identity is appended")
        each.add_argument("--token", default="04A1B2C3D4E5F6", help="presented at plug-in")
        each.add_argument("--minutes", type=_positive, default=5.0, help="how long a car stays")
        each.add_argument("--need-kwh", type=_positive, default=10.0, help="what a car takes until it is full")
        each.add_argument("--max-kw", type=_positive, default=6.6, help="a car's onboard limit")
        each.add_argument("--current-a", type=_positive, default=30.0, help="rated current of the EVSE")
        each.add_argument("--meter-interval-s", type=int, default=60)
    station.add_argument("--id", required=True, help="the station's identity")
    station.add_argument("--dialect", choices=sorted(DIALECTS), default="ocpp1.6")
    station.add_argument("--key", help=f"basic-auth key (or in {KEY_VARIABLE}); without one: security profile 0")
    fleet.add_argument("--count", type=int, default=10)
    fleet.add_argument("--prefix", default="SIM-", help="identities are the prefix and a number from 001")
    fleet.add_argument("--keys", type=Path, help="JSON file: identity to key; without it: security profile 0")
    fleet.add_argument("--seed", type=int, default=1)
    commands.add_parser("day", help="the demo's child process: JSON lines on stdin and stdout")
    records = commands.add_parser("records", help="print the commuters of a recorded day, sun and forecast, as JSON")
    records.add_argument("--stations", type=int, default=20)
    records.add_argument("--seed", type=int, default=7)
    records.add_argument("--day")
    records.add_argument("--as-recorded", action="store_true")
    records.add_argument("--surplus-ratio", type=_positive, default=1.5)
    return parser


def _complain(message: str) -> None:
    sys.stderr.write(f"simulators: {message}\n")


def _car(options: argparse.Namespace) -> Car:
    need_wh, power_w = options.need_kwh * 1000, options.max_kw * 1000
    return Car(need_wh, power_w, taper_of(need_wh, power_w))


def _told(station: Station) -> str:
    bay = next(iter(station.bays.values()))
    line = "online" if station.is_online else "offline"
    limit = f"{bay.evse.offered_w / 1000:.2f} kW allowed"
    return f"{station.identity} {line} {bay.activity} {bay.evse.power_w / 1000:.2f} kW, {limit}"


async def _with_links(park: CarPark, play: Coroutine[Any, Any, int]) -> int:
    async with asyncio.TaskGroup() as tasks:
        links = tasks.create_task(park.run_links())
        try:
            return await play
        finally:
            await park.close()
            links.cancel()


async def _station(options: argparse.Namespace) -> int:
    park = CarPark(Clock(wall_s()), Agenda())
    station = park.add(
        options.id,
        options.dialect,
        options.url,
        options.key or os.environ.get(KEY_VARIABLE),
        [Evse(1, options.current_a)],
        meter_interval_s=options.meter_interval_s,
        seed=wall_s(),
    )
    return await _with_links(park, _visit(park, station, options))


async def _visit(park: CarPark, station: Station, options: argparse.Namespace) -> int:
    clock, bay = park.clock, station.bays[1]
    park.connect()
    patience_s = clock.now_s + READY_TIMEOUT_S
    await park.follow_wall(lambda: station.is_online or clock.now_s > patience_s)
    if not station.is_online:
        _complain(f"{options.id} is not accepted: {park.links[options.id].trouble or station.boot_status}")
        return TROUBLE
    bay.plug_in(_car(options), options.token)
    leaves_s, shown = clock.now_s + round(options.minutes * 60), ""
    while clock.now_s < leaves_s:
        next_s = min(leaves_s, clock.now_s + 5)
        await park.follow_wall(lambda: clock.now_s >= next_s)  # noqa: B023 - used up before it changes
        if (told := _told(station)) != shown:
            sys.stdout.write(told + "\n")
            sys.stdout.flush()
            shown = told
    bay.unplug()
    async with asyncio.timeout(READY_TIMEOUT_S):
        await park.settled()
    sys.stdout.write(orjson.dumps(station.journal.told()).decode() + "\n")
    return 0 if station.outbox.pending_count == 0 else TROUBLE


async def _fleet(options: argparse.Namespace) -> int:
    keys = orjson.loads(options.keys.read_bytes()) if options.keys is not None else {}
    park, rng = CarPark(Clock(wall_s()), Agenda()), random.Random(options.seed)
    dialects = sorted(DIALECTS)
    for number in range(1, options.count + 1):
        identity = f"{options.prefix}{number:03d}"
        station = park.add(
            identity,
            dialects[number % len(dialects)],
            options.url,
            keys.get(identity),
            [Evse(1, options.current_a)],
            meter_interval_s=options.meter_interval_s,
            seed=wall_s(),
        )
        _come_and_go(park, station, options, rng)
    return await _with_links(park, _forever(park))


def _come_and_go(park: CarPark, station: Station, options: argparse.Namespace, rng: random.Random) -> None:
    bay = station.bays[1]

    def come() -> None:
        bay.plug_in(_car(options), options.token)
        park.agenda.at(park.clock.now_s + round(options.minutes * 60), go)

    def go() -> None:
        bay.unplug()
        park.agenda.at(park.clock.now_s + rng.randint(1, LONGEST_PAUSE_S), come)

    park.agenda.at(park.clock.now_s + rng.randint(5, LONGEST_PAUSE_S), come)


async def _forever(park: CarPark) -> int:
    park.connect()
    await park.follow_wall(lambda: False)
    return 0


def _records(options: argparse.Namespace) -> int:
    day = prepare(
        options.stations,
        options.seed,
        options.day,
        as_recorded=options.as_recorded,
        surplus_ratio=options.surplus_ratio,
    )
    sys.stdout.write(orjson.dumps(day.told(), option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0


def _run(coroutine: Coroutine[Any, Any, int]) -> int:
    if sys.platform == "win32":
        return asyncio.run(coroutine)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


async def _day() -> int:
    await run_day()
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 1 for trouble outside, 2 for wrong use."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        if options.command == "records":
            return _records(options)
        if options.command == "day":
            die_with_parent()
            return _run(_day())
        return _run(_station(options) if options.command == "station" else _fleet(options))
    except (Unknown, ValueError) as wrong:
        _complain(str(wrong))
        return WRONG_USE
    except (OSError, TimeoutError) as trouble:
        _complain(str(trouble) or "no answer in time")
        return TROUBLE
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
