"""The `sunslot` command: parses arguments, nothing else."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from pydantic import ValidationError
from rich.console import Console

from app.domain.errors import SunslotError
from app.runtime.logs import configure_logs
from app.settings import Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
site = typer.Typer(no_args_is_help=True, help="a whole site as one file: check it, push it, write it")
app.add_typer(site, name="site")


class Direction(StrEnum):
    """Who sent a message."""

    IN = "in"
    OUT = "out"


JsonFile = Annotated[Path | None, typer.Option("--json", help="also write the figures to this file")]
Url = Annotated[str, typer.Option(help="the server's API")]
TokenFile = Annotated[Path | None, typer.Option(help="default: operator.token in the data folder")]


def main() -> None:
    """Run the command; every expected error is one line on stderr and exit code 2."""
    try:
        app()
    except SunslotError as broken:
        where = f"{broken.field}: " if broken.field else ""
        _fail(f"{where}{broken.detail}")
    except ValidationError as broken:
        for error in broken.errors():
            _fail(f"SUNSLOT_{'_'.join(str(part) for part in error['loc']).upper()}: {error['msg']}", ends=False)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _fail(line: str, *, ends: bool = True) -> None:
    Console(stderr=True).print(f"sunslot: {line}", style="red", highlight=False, soft_wrap=True)
    if ends:
        raise SystemExit(2) from None


def _run(work: Any) -> Any:
    """Run a coroutine on uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


@app.command()
def serve() -> None:
    """Serve the OCPP central, the API and the scheduler until stopped; settings come from SUNSLOT_… variables."""
    from app.main import serve_until_signalled

    settings = Settings()
    configure_logs(settings.log_level)
    _run(serve_until_signalled(settings))


@app.command()
def migrate() -> None:
    """Bring the database (SUNSLOT_DATABASE_URL, or the embedded one) to the newest schema."""
    from app.runtime.house import migrate_only

    settings = Settings()
    configure_logs(settings.log_level)
    Console().print(f"schema is at {_run(migrate_only(settings))}")


@app.command()
def demo(
    *,
    speed: Annotated[float, typer.Option(min=1, max=100_000, help="business seconds per second, at most")] = 300,
    stations: Annotated[int, typer.Option(min=2, max=500, help="half speak OCPP 1.6J, half 2.0.1")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="chooses the day, the drivers and their cars")] = 7,
    day: Annotated[str | None, typer.Option(help="a day of the records, YYYY-MM-DD; default: the seed chooses")] = None,
    as_recorded: Annotated[bool, typer.Option("--as-recorded", help="leave when the records say")] = False,
    headless: Annotated[bool, typer.Option("--headless", help="no live view")] = False,
    stay: Annotated[bool, typer.Option("--stay", help="stay up after the day, to try the API")] = False,
    json: JsonFile = None,
) -> None:
    """Play one working day of a car park on real sockets and a real database; exit 1 if anything was not perfect."""
    from app.demo.day import DemoOptions, play

    configure_logs("WARNING")
    console = Console()
    settings = Settings().model_copy(update={"http_port": 0, "ocpp_port": 0, "ocpp_host": "127.0.0.1"})
    if json is not None and not json.parent.is_dir():
        _fail(f"--json: the folder {json.parent} does not exist")
    options = DemoOptions(speed, stations, seed, day, headless or not console.is_terminal, as_recorded, stay)
    figures = _run(play(settings, options, console))
    if json is not None:
        json.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2) + b"\n")
    for line in figures["wrong"]:
        console.print(f"wrong: {line}", style="red", highlight=False)
    console.print(f"speed reached: {figures['speed_reached']:.0f} × (ceiling {speed:.0f})", highlight=False)
    raise SystemExit(1 if figures["wrong"] else 0)


@app.command()
def backtest(
    *,
    sessions: Annotated[
        Path, typer.Option(help="CSV (.gz): arrival, departure, delivered_kwh; also declared_departure …")
    ],
    solar: Annotated[Path, typer.Option(help="CSV (.gz): time, power_w or power_kw")],
    load: Annotated[Path, typer.Option(help="CSV (.gz) of the building's load: time, power_w or power_kw")],
    surplus_ratio: Annotated[
        float, typer.Option(min=0.01, max=100, help="surplus as a multiple of the EV energy")
    ] = 1.5,
    evse_kw: Annotated[float, typer.Option(min=0.1, max=1000, help="what one EVSE gives")] = 6.656,
    least_kw: Annotated[float, typer.Option(min=0, max=1000, help="the least a car can charge with")] = 1.248,
    site_kw: Annotated[float, typer.Option(min=0.1, help="what all cars together may take, for every policy")] = 1e6,
    series_clock: Annotated[
        str, typer.Option(help="naive: clocks as written; zoned: instants on --zone's clock")
    ] = "naive",
    zone: Annotated[
        str | None, typer.Option(help="the site's time zone, for --series-clock zoned; default: the sessions' offset")
    ] = None,
    shift_years: Annotated[int, typer.Option(min=-100, max=100, help="the sun is this many years older")] = 0,
    need: Annotated[
        str, typer.Option(help="known: what the car really takes; declared: what its driver asked for")
    ] = "known",
    weekdays: Annotated[bool, typer.Option("--weekdays", help="Monday to Friday only")] = False,
    first: Annotated[str | None, typer.Option("--from", help="first day, YYYY-MM-DD")] = None,
    last: Annotated[str | None, typer.Option("--to", help="last day, YYYY-MM-DD")] = None,
    min_sessions: Annotated[int, typer.Option(min=1, help="days with fewer sessions are left out")] = 1,
    policy: Annotated[list[str] | None, typer.Option(help="only these; may be given several times")] = None,
    miss_cost_ratio: Annotated[
        list[float] | None,
        typer.Option(
            min=0, max=100, help="grid kWh that one missed kWh is worth; several: a row of Sunslot's for each"
        ),
    ] = None,
    ledger: Annotated[
        bool, typer.Option("--ledger/--no-ledger", help="Sunslot's rows again, with limits through the limit ledger")
    ] = False,
    surprised: Annotated[int, typer.Option(min=0, max=1000, help="ledger: so many stations may forget limits")] = 0,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="processes that share the policies")] = 1,
    plot: Annotated[Path | None, typer.Option(help="draw one day into this file: .png, .svg or .pdf")] = None,
    plot_day: Annotated[str | None, typer.Option(help="that day, YYYY-MM-DD; default: the one of median sun")] = None,
    json: JsonFile = None,
) -> None:
    """Replay recorded sessions, sun and load through Sunslot's planner and other policies, and compare them."""
    from app.backtest.asked import drawing_of, question_of
    from app.backtest.table import show

    question = question_of(
        sessions=sessions, solar=solar, load=load, surplus_ratio=surplus_ratio, evse_kw=evse_kw, least_kw=least_kw,
        site_kw=site_kw, series_clock=series_clock, zone=zone, shift_years=shift_years, need=need, weekdays=weekdays,
        first=first, last=last, min_sessions=min_sessions, policies=tuple(policy or ()),
        miss_prices_ratio=tuple(miss_cost_ratio or ()), ledger=ledger, surprised=surprised,
    )  # fmt: skip
    for option, file in (("--json", json), ("--plot", plot)):
        if file is not None and not file.parent.is_dir():
            _fail(f"{option}: the folder {file.parent} does not exist")
    figures = show(question, Console(), jobs_count=jobs, plot=None if plot is None else drawing_of(plot, plot_day))
    if json is not None:
        json.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2) + b"\n")


@app.command()
def backtest_network(
    sessions: Annotated[
        Path, typer.Argument(help="CSV (.gz): arrival_step, departure_step, station, requested_kwh; or as for backtest")
    ],
    *,
    network: Annotated[Path, typer.Option(help="CSV of stations and conductors, see app/backtest/networks/README.md")],
    cap_kw: Annotated[float | None, typer.Option(min=0.1, max=1e6, help="for limits that are told per kW")] = None,
    car_kw: Annotated[float | None, typer.Option(min=0.1, max=1000, help="what a car takes at most")] = None,
    step_minutes: Annotated[int, typer.Option(min=1, max=60, help="length of a step")] = 5,
    policy: Annotated[list[str] | None, typer.Option(help="only these; may be given several times")] = None,
    json: JsonFile = None,
) -> None:
    """Replay recorded sessions on a scarce network with coupled phases: Sunslot, quick charge, LLF, EDF, RR, FCFS."""
    from app.backtest.network_table import NetworkQuestion, compare

    question = NetworkQuestion(sessions, network, cap_kw, car_kw, step_minutes, tuple(policy or ()))
    figures = compare(question, Console())
    if json is not None:
        json.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2) + b"\n")


@app.command()
def tail(
    station: Annotated[str, typer.Argument(help="the station's identity")],
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until Ctrl-C")] = False,
    since: Annotated[str, typer.Option(help="how far back to begin: 90s, 15m, 2h, 3d")] = "1h",
    action: Annotated[str | None, typer.Option(help="only this action's calls and answers")] = None,
    direction: Annotated[Direction | None, typer.Option(help="in: what the station sends")] = None,
    errors: Annotated[bool, typer.Option("--errors", help="only errors and malformed frames")] = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
    url: Annotated[str, typer.Option(help="the server's API")] = "http://127.0.0.1:8000",
    token_file: Annotated[Path | None, typer.Option(help="default: operator.token in the data folder")] = None,
) -> None:
    """Show what a station and the running server say to each other: the raw message log, without secrets."""
    from app.runtime.clock import WallClock
    from app.tail import TailOptions, read_token, span_of
    from app.tail import follow as follow_frames

    file = token_file or Settings().data_dir / "operator.token"
    options = TailOptions(
        station_id=station,
        url=url,
        token=read_token(file),
        since=span_of(since),
        is_following=follow,
        action=action,
        direction=None if direction is None else direction.value,
        errors_only=errors,
        is_json=json,
    )
    _run(follow_frames(options, Console(highlight=False), WallClock().now()))


@app.command()
def replay(
    plan_id: Annotated[UUID, typer.Argument(help="the plan's id")],
    *,
    url: Url = "http://127.0.0.1:8000",
    token_file: TokenFile = None,
    file: Annotated[Path | None, typer.Option(help="the plan's record, saved before: no server is asked")] = None,
    save: Annotated[Path | None, typer.Option(help="keep the record in this file")] = None,
) -> None:
    """Make a past plan again from its recorded inputs and compare it bit by bit; exit 1 if anything differs."""
    from app import replay as replays

    text = replays.fetched(url, _token(token_file), plan_id) if file is None else replays.from_file(file)
    record = replays.read(text)
    if record.plan_id != str(plan_id):
        _fail(f"--file: this is the record of plan {record.plan_id}")
    if save is not None:
        save.write_bytes(text)
    told = replays.replay(record)
    console = Console(highlight=False)
    for line in replays.report(told):
        console.print(line, markup=False, soft_wrap=True)
    raise SystemExit(1 if told.differences else 0)


SiteFilePath = Annotated[Path, typer.Argument(metavar="FILE", help="a site file (TOML), see docs/site-file.md")]


@site.command("check")
def check_site(file: SiteFilePath) -> None:
    """Check a site file without a server: its tree, what each node leaves for cars, and what is wrong; exit 1 if so."""
    from app.site_file.checking import checked
    from app.site_file.reading import text_of
    from app.site_file.table import show as show_site

    found = checked(text_of(file))
    show_site(found, Console(highlight=False), str(file))
    raise SystemExit(0 if found.is_right else 1)


@site.command("apply")
def apply_site(
    file: SiteFilePath,
    *,
    url: Url = "http://127.0.0.1:8000",
    token_file: TokenFile = None,
    keys_file: Annotated[
        Path | None, typer.Option(help="provision stations that are new, and append their keys to this file")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would change")] = False,
) -> None:
    """Bring a running server to a site file and say what changes; exit 1 if the file is wrong."""
    from app.site_file.checking import checked
    from app.site_file.pushing import Api, apply, client_of
    from app.site_file.reading import text_of
    from app.site_file.table import show as show_site

    console = Console(highlight=False)
    found = checked(text_of(file))
    if found.file is None or not found.is_right:
        show_site(found, console, str(file))
        raise SystemExit(1)
    with client_of(url, _token(token_file)) as client:
        changes = 0
        for change in apply(found.file, Api(client), keys_file, is_dry=dry_run):
            changes += 1
            console.print(change, markup=False, soft_wrap=True)
    if not changes:
        console.print("nothing changes")


@site.command("show")
def show_site_of_server(
    site_id: Annotated[str, typer.Argument(metavar="SITE", help="the site's id")],
    *,
    url: Url = "http://127.0.0.1:8000",
    token_file: TokenFile = None,
) -> None:
    """Write the site file of what a running server has."""
    from app.site_file.pushing import Api, client_of, stored_file
    from app.site_file.writing import file_text

    with client_of(url, _token(token_file)) as client:
        text = file_text(stored_file(Api(client), site_id))
    Console(highlight=False).print(text, markup=False, soft_wrap=True, end="")


def _token(token_file: Path | None) -> str:
    from app.tail import read_token

    return read_token(token_file or Settings().data_dir / "operator.token")
