"""Plays it: PostgreSQL, controller, proxy and car park up; then kills and faults for some minutes; then figures.

Everything that was started is ended, whatever happens, and the folder of the run is removed.
"""

import asyncio
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.runtime.embedded_postgres import EmbeddedPostgres
from proofs.crash.books import Books
from proofs.crash.controller import Controller, Death
from proofs.crash.faults import faults
from proofs.crash.park import Watch, car_park
from proofs.crash.proxy import FaultProxy
from proofs.crash.report import Seen, figures
from proofs.crash.site import RATED_A, SURPRISED_COUNT, Ground, ground
from proofs.crash.stage import Cast, Stage

AROUND_TIMEOUT_S = 300.0
END_TIMEOUT_S, ORDER_TIMEOUT_S = 30.0, 30.0
LONGEST_PAUSE_S, LEAST_LIFE_S = 2.0, 15.0
TOKEN_FILE = "operator.token"  # noqa: S105 - a file name

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What is played. `owns_database`: the controller runs its own PostgreSQL, which dies with it."""

    minutes: float = 12.0
    kill_every_s: float = 60.0
    seed: int = 1
    station_count: int = 60
    surprised_count: int = SURPRISED_COUNT
    owns_database: bool = False


async def play(options: Options, say: Say) -> dict[str, Any]:
    """Play once; return the figures. Raises RuntimeError or TimeoutError where it cannot be played."""
    site = ground(options.station_count)
    async with asyncio.timeout(options.minutes * 60 + AROUND_TIMEOUT_S), AsyncExitStack() as stack:
        folder = stack.enter_context(_folder())
        url = None if options.owns_database else await stack.enter_async_context(EmbeddedPostgres(folder / "rows"))
        controller = Controller(folder, url)
        stack.push_async_callback(controller.stop)
        books = Books(controller.database_url)
        stack.push_async_callback(books.close)
        await controller.start()
        await controller.ready()
        names = tuple(spot.station_id for spot in site.spots)
        proxy = await stack.enter_async_context(FaultProxy(names, controller.ocpp_port, options.seed))
        token = (folder / TOKEN_FILE).read_text().strip()
        stage = await stack.enter_async_context(Stage(controller.url, token))
        cast = await stage.set(site, RATED_A)
        watch = Watch(books)
        told = _told(options, controller, proxy, cast, token)
        park = await stack.enter_async_context(car_park(told, watch.note))
        say(f"{len(names)} stations connect and are commissioned")
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(park.listen())
            await stage.proven()
            say("all are commissioned; cars come, faults begin")
            await park.say(do="cars")
            always = [
                tasks.create_task(watch.look()),
                tasks.create_task(proxy.play(faults(names, _groups(site), options.seed))),
            ]
            await _die_and_rise(controller, options, say)
            await _ordered(books, controller)
            for task in always:
                task.cancel()
            await park.say(do="end")
            async with asyncio.timeout(END_TIMEOUT_S):
                await listening
        return await figures(options.minutes, options.seed, Seen(controller, proxy, park, books, watch))


@contextmanager
def _folder() -> Iterator[Path]:
    """Yield a folder that goes at the end; another account's PostgreSQL may enter it."""
    folder = Path(tempfile.mkdtemp(prefix="sunslot-crash-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for path in folder.glob("*"):
            if path.is_symlink():
                shutil.rmtree(path.resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _told(options: Options, controller: Controller, proxy: FaultProxy, cast: Cast, token: str) -> dict[str, Any]:
    return {
        "stations": options.station_count,
        "seed": options.seed,
        "surprised": options.surprised_count,
        "ports": {station: way.port for station, way in proxy.ways.items()},
        "keys": cast.keys,
        "cards": cast.cards,
        "url": controller.url,
        "token": token,
    }


def _groups(site: Ground) -> list[list[str]]:
    feeders = sorted({spot.feeder_id for spot in site.spots})
    return [[spot.station_id for spot in site.spots if spot.feeder_id == feeder] for feeder in feeders]


async def _ordered(books: Books, controller: Controller) -> None:
    """Return when a limit was accepted since the last kill; on a slow machine that may be after the end of the run."""
    since_s = controller.deaths[-1].started_s if controller.deaths else 0.0
    deadline_s = time.monotonic() + ORDER_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if any(at_s > since_s for at_s in await books.accepted_s()):
            return
        await asyncio.sleep(1.0)


async def _die_and_rise(controller: Controller, options: Options, say: Say) -> None:
    """Kill the controller every so often until the time is over; what watches it starts it again within seconds."""
    rng = random.Random(f"kills:{options.seed}")
    ends_s = time.monotonic() + options.minutes * 60
    next_s = time.monotonic() + options.kill_every_s
    while next_s < ends_s - options.kill_every_s / 2:
        await asyncio.sleep(max(0.0, next_s - time.monotonic()))
        killed_s = time.time()
        await controller.kill()
        await asyncio.sleep(rng.uniform(0.0, LONGEST_PAUSE_S))
        death = Death(killed_s, time.time())
        controller.deaths.append(death)
        await controller.start()
        await controller.ready(death)
        say(f"kill -9 number {len(controller.deaths)}; ready again after {(death.ready_s or 0) - killed_s:.1f} s")
        next_s = max(next_s + options.kill_every_s, time.monotonic() + LEAST_LIFE_S)
    await asyncio.sleep(max(0.0, ends_s - time.monotonic()))
