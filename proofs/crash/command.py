"""`crash`: the controller is killed again and again on real processes; nothing may be above its rating, ever."""

import argparse
import asyncio
import signal
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from proofs.crash.play import Options, play
from proofs.crash.report import show
from proofs.crash.site import SURPRISED_COUNT

STOPPED = 130


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--minutes", type=_positive, default=12.0)
    parser.add_argument("--kill-every", type=_positive, default=60.0, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stations", type=int, default=60, choices=range(6, 201), metavar="6..200")
    parser.add_argument(
        "--surprised",
        type=int,
        default=SURPRISED_COUNT,
        choices=range(21),
        metavar="0..20",
        help=f"stations at a time that do not do as told; the site carries {SURPRISED_COUNT}, with more it fails",
    )
    parser.add_argument("--with-database", action="store_true", help="PostgreSQL dies with the controller")
    parser.add_argument("--json", type=Path)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 24 * 3600:
        raise argparse.ArgumentTypeError("must be positive")
    return value


def run(options: argparse.Namespace) -> int:
    """Play, print the figures, write the JSON; return 1 if anything was wrong."""
    console = Console(width=140)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        told = asyncio.run(_play(options, console))
    except KeyboardInterrupt:
        return STOPPED
    if told is None:
        return 1
    show(told, console)
    if options.json is not None:
        options.json.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    return 1 if told["wrong"] else 0


async def _play(asked: argparse.Namespace, console: Console) -> dict[str, Any] | None:
    """Return the figures; None, and why, where it could not be played."""
    chosen = Options(
        minutes=asked.minutes,
        kill_every_s=asked.kill_every,
        seed=asked.seed,
        station_count=asked.stations,
        surprised_count=asked.surprised,
        owns_database=asked.with_database,
    )
    try:
        return await play(chosen, lambda line: console.print(f"… {line}", highlight=False))
    except* (RuntimeError, TimeoutError, OSError) as broken:
        for each in broken.exceptions:
            console.print(f"crash: {type(each).__name__}: {each}", style="red", highlight=False)
    return None
