"""One working day, from an empty database to the closing table. Start reading at `play`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from rich.console import Console
from rich.live import Live

from app.demo import cast, report, sizing, truth, view
from app.demo.child import Child, simulators
from app.demo.conductor import Pace, conduct
from app.demo.scratch import scratch_database
from app.main import OPERATOR_FILE, Running, running
from app.runtime.clock import SteppedClock
from app.settings import Settings

API_TIMEOUT_S = 30.0
SURPLUS_RATIO = 1.5
VIEW_PERIOD_S = 0.25
PLAN_PERIOD_S = 1.5
SAMPLE_AFTER = timedelta(hours=5)


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What `sunslot demo` was asked for; `day` None lets the seed choose."""

    speed: float
    stations: int
    seed: int
    day: str | None
    is_headless: bool
    is_as_recorded: bool
    stays_up: bool


@dataclass(slots=True)
class _Show:
    """What the watcher needs to draw, and the flexibility sample that it takes on the way."""

    client: httpx.AsyncClient
    grid_token: str
    prepared: dict[str, Any]
    limit_w: float
    live: Live | None
    plan: dict[str, Any] | None = None
    flexibility: dict[str, Any] | None = None
    drawn_s: float = 0.0
    planned_s: float = 0.0

    @property
    def span(self) -> tuple[datetime, datetime]:
        return datetime.fromisoformat(self.prepared["starts_at"]), datetime.fromisoformat(self.prepared["ends_at"])


async def play(settings: Settings, options: DemoOptions, console: Console) -> dict[str, Any]:
    """Play the day and return its JSON; `day["wrong"]` lists what went wrong. Raises Invalid for an unknown day."""
    async with AsyncExitStack() as stack:
        child = await stack.enter_async_context(simulators())
        prepared, limit_w = await _prepare(child, options)
        clock = SteppedClock(datetime.fromisoformat(prepared["starts_at"]))
        settings = await stack.enter_async_context(scratch_database(settings))
        house = await stack.enter_async_context(running(settings, clock))
        api_url = f"http://127.0.0.1:{house.http_port}"
        console.print(f"API {api_url}   OCPP ws://127.0.0.1:{house.ocpp_port}/ocpp/<station id>", highlight=False)
        client = await stack.enter_async_context(_operator(api_url, settings.data_dir))
        players = await cast.set_the_stage(client, prepared, limit_w)
        await child.ask("setup", **_setup(prepared, players, house, limit_w, settings.meter_interval_s))
        show = _Show(client, players.grid_token, prepared, limit_w, None)
        pace = await _play_through(child, clock, options, show, console)
        day = await _close(child, house, options, show, pace)
        console.print(report.table(day))
        if options.stays_up:
            await _stay(console, api_url, settings.data_dir / OPERATOR_FILE)
        return day


async def _prepare(child: Child, options: DemoOptions) -> tuple[dict[str, Any], float]:
    """Return the day and its site limit, with as many of its commuters as half of the nameplates can serve."""
    for share in sizing.ATTENDANCE_SHARES:
        prepared = await child.ask(
            "prepare",
            stations=options.stations,
            seed=options.seed,
            day=options.day,
            as_recorded=options.is_as_recorded,
            surplus_ratio=SURPLUS_RATIO,
            attendance_share=share,
        )
        prepared["attendance_share"] = share
        limit_w = await asyncio.to_thread(sizing.default_limit_w, prepared)
        cost_share = await asyncio.to_thread(sizing.reserve_cost_share, prepared, limit_w)
        if cost_share <= sizing.HIGHEST_RESERVE_COST_SHARE:
            break
    return prepared, limit_w


@asynccontextmanager
async def _operator(api_url: str, data_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    secret = await asyncio.to_thread((data_dir / OPERATOR_FILE).read_text)
    headers = {"Authorization": f"Bearer {secret.strip()}"}
    async with httpx.AsyncClient(base_url=api_url, headers=headers, timeout=API_TIMEOUT_S, trust_env=False) as client:
        yield client


def _setup(
    prepared: dict[str, Any], players: cast.Cast, house: Running, limit_w: float, meter_interval_s: int
) -> dict[str, Any]:
    return {
        "central_url": f"ws://127.0.0.1:{house.ocpp_port}/ocpp",
        "api_url": f"http://127.0.0.1:{house.http_port}",
        "site_id": cast.SITE_ID,
        "site_limit_w": limit_w,
        "station_keys": players.station_keys,
        "meter_token": players.meter_token,
        "driver_tokens": players.driver_tokens,
        "now": prepared["starts_at"],
        "meter_interval_s": meter_interval_s,
        "outages": 2,
    }


async def _play_through(child: Child, clock: SteppedClock, options: DemoOptions, show: _Show, console: Console) -> Pace:
    ends_at = show.span[1]
    if options.is_headless:
        return await conduct(child, clock, ends_at, options.speed, _watcher(show))
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        show.live = live
        return await conduct(child, clock, ends_at, options.speed, _watcher(show))


def _watcher(show: _Show) -> Callable[[datetime, dict[str, Any]], Awaitable[None]]:
    starts_at, ends_at = show.span
    zone = ZoneInfo(show.prepared["zone"])
    began_s = monotonic()
    surplus_top_w = max(report.surplus_by_step(show.prepared, starts_at, ends_at))

    async def watch(now: datetime, state: dict[str, Any]) -> None:
        if show.flexibility is None and now >= starts_at + SAMPLE_AFTER:
            show.flexibility = await _flexibility(show)
        if show.live is None or monotonic() - show.drawn_s < VIEW_PERIOD_S:
            return
        if monotonic() - show.planned_s > PLAN_PERIOD_S:
            answer = await show.client.get(f"/v1/sites/{cast.SITE_ID}/plan")
            show.plan = answer.json() if answer.is_success else None
            show.planned_s = monotonic()
        speed = (now - starts_at).total_seconds() / max(monotonic() - began_s, 1e-9)
        show.live.update(
            view.screen(
                now,
                state,
                span=(starts_at, ends_at),
                limit_w=show.limit_w,
                surplus_top_w=surplus_top_w,
                plan=show.plan,
                speed=speed,
                zone=zone,
            )
        )
        show.drawn_s = monotonic()

    return watch


async def _flexibility(show: _Show) -> dict[str, Any]:
    answer = await show.client.get(
        "/v1/flexibility",
        params={"site_id": cast.SITE_ID},
        headers={"Authorization": f"Bearer {show.grid_token}"},
    )
    sample: dict[str, Any] = answer.raise_for_status().json()
    return sample


async def _close(child: Child, house: Running, options: DemoOptions, show: _Show, pace: Pace) -> dict[str, Any]:
    told = await child.ask("finish")
    async with house.house.transactions() as tx:
        lines = await truth.differences(tx, told["journal"])
        sent_count, accepted_count = await truth.limit_counts(tx)
        allotted_count = await truth.minutes_allotted(tx, *show.span, cast.SITE_ID)
    day = await asyncio.to_thread(report.figures, show.prepared, told, show.limit_w)
    day |= {
        "stations": options.stations,
        "seed": options.seed,
        "as_recorded": options.is_as_recorded,
        "speed_ceiling": options.speed,
        "speed_reached": round(pace.reached, 1),
        "minutes_limit_allotted": allotted_count,
        "limits_sent": sent_count,
        "limits_accepted": accepted_count,
        "limits_accepted_by_stations": told["limits_accepted"],
        "flexibility": show.flexibility,
        "truth_differences": lines,
    }
    day["wrong"] = report.verdicts(day)
    return day


async def _stay(console: Console, api_url: str, token_path: Path) -> None:
    console.print(
        f"The house stays up; its clock stands at the end of the day. Try:\n"
        f'  curl -H "Authorization: Bearer $(cat {token_path})" {api_url}/v1/sessions\nCtrl-C ends it.',
        highlight=False,
    )
    await asyncio.Event().wait()
