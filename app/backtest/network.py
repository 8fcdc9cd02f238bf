"""A charging network and its sessions as files: stations, conductors and what they bear; stays in steps of minutes.

`networks/README.md` describes the network's CSV. A bad row is named by its file and line.
"""

import csv
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from app.backtest.records import bad_row, number_in, read_sessions, rows_of, text_of
from app.domain.errors import Invalid
from app.domain.units import w_from_kw, wh_from_kwh
from app.scheduling.coupled import Coupling, coupling_of

STATION_COLUMNS = ("station", "angle_deg", "max_a", "voltage_v")
LIMIT_A, LIMIT_A_PER_KW = "limit_a", "limit_a_per_kw"
STEP_COLUMNS = ("arrival_step", "departure_step", "station", "requested_kwh")
LARGEST_FACTOR, LARGEST_A, LARGEST_V = 1e6, 1e6, 1e6
LEAST_A = 0.1
LARGEST_STEP = 10_000_000
LARGEST_KWH = 1_000.0


@dataclass(frozen=True, slots=True)
class Station:
    """One station: its group in the coupling, its most current, its voltage, its place in the file."""

    group: int
    max_a: float
    voltage_v: float
    place: int


@dataclass(frozen=True, slots=True)
class Network:
    """Stations by name, and what their groups do to the conductors."""

    stations: dict[str, Station]
    coupling: Coupling


@dataclass(frozen=True, slots=True)
class Stay:
    """One session: it may charge in the steps [arrives, leaves) and needs `need_ah` at its station's voltage.

    Its car takes at most `draw_a`, which a policy does not know.
    """

    arrives: int
    leaves: int
    station: Station
    need_ah: float
    draw_a: float


def read_network(path: Path, cap_kw: float | None) -> Network:
    """Return the network, its limits by the cap at `cap_kw`; raises Invalid naming file and line (or the option)."""
    heading, *cells = _cells(path)
    names = heading[1]
    if (
        tuple(names[:4]) != STATION_COLUMNS
        or len(set(names)) != len(names)
        or "" in names
        or len(names) == len(STATION_COLUMNS)
    ):
        raise bad_row(
            path, heading[0], f"the heading must be {','.join(STATION_COLUMNS)} and conductors of different names"
        )
    rows: dict[str, tuple[int, dict[str, str]]] = {}
    for line_no, row in cells:
        if len(row) != len(names):
            raise bad_row(path, line_no, f"{len(row)} cells under a heading of {len(names)}")
        if not row[0] or row[0] in rows:
            raise bad_row(path, line_no, "station missing" if not row[0] else f"{row[0]} is told twice")
        rows[row[0]] = line_no, dict(zip(names, row, strict=True))
    conductors = names[len(STATION_COLUMNS) :]
    limits_a = _limits_a(path, rows.pop(LIMIT_A, None), rows.pop(LIMIT_A_PER_KW, None), conductors, cap_kw)
    return _network(path, rows, conductors, limits_a)


def _cells(path: Path) -> list[tuple[int, list[str]]]:
    """Return line number and cells of the lines that say something; raises Invalid where there are none."""
    found = []
    for line_no, line in enumerate(text_of(path).splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            try:
                found.append((line_no, [cell.strip() for cell in next(csv.reader([line]))]))
            except csv.Error as broken:
                raise bad_row(path, line_no, f"is no CSV ({broken})") from None
    if not found:
        raise Invalid("is empty", field=str(path))
    return found


def _limits_a(
    path: Path,
    fixed: tuple[int, dict[str, str]] | None,
    by_cap: tuple[int, dict[str, str]] | None,
    conductors: list[str],
    cap_kw: float | None,
) -> list[float]:
    limits_a = []
    for name in conductors:
        told = [each for each in (fixed, by_cap) if each is not None and each[1][name]]
        if len(told) != 1:
            where = f"{path}:{told[0][0]}" if told else str(path)
            raise Invalid(f"{name} needs one limit, in the row {LIMIT_A} or {LIMIT_A_PER_KW}", field=where)
        line_no, row = told[0]
        limit = number_in(path, line_no, row, name, LARGEST_A)
        if told[0] is by_cap and cap_kw is None:
            raise Invalid(f"is needed: {name} is limited by it", field="--cap-kw")
        limits_a.append(limit * cap_kw if told[0] is by_cap and cap_kw is not None else limit)
        if limits_a[-1] <= 0:
            raise bad_row(path, line_no, f"the limit of {name} must be more than 0")
    return limits_a


def _network(
    path: Path, rows: dict[str, tuple[int, dict[str, str]]], conductors: list[str], limits_a: list[float]
) -> Network:
    if not rows:
        raise Invalid("has no stations", field=str(path))
    told = list(rows.values())
    angles_deg = [number_in(path, no, row, "angle_deg", 360.0, -360.0) for no, row in told]
    factors = [
        [number_in(path, no, row, name, LARGEST_FACTOR, -LARGEST_FACTOR) if row[name] else 0.0 for no, row in told]
        for name in conductors
    ]
    coupling, groups = coupling_of(angles_deg, np.array(factors), limits_a)
    stations = {
        name: Station(
            groups[place],
            number_in(path, no, row, "max_a", LARGEST_A, LEAST_A),
            number_in(path, no, row, "voltage_v", LARGEST_V, 1.0),
            place,
        )
        for place, (name, (no, row)) in enumerate(rows.items())
    }
    return Network(stations, coupling)


def read_stays(path: Path, network: Network, step: timedelta, car_kw: float | None = None) -> list[Stay]:
    """Return the stays in order of arrival; cars take at most `car_kw`. Raises Invalid naming file and line.

    Columns: arrival_step, departure_step, station, requested_kwh; or, told by the clock, those of `read_sessions`, the
    need being what was delivered, arrivals rounded up to steps and departures down. Who does not stay one step is left
    out.
    """
    first = next(rows_of(path), None)
    if first is None:
        raise Invalid("has no sessions", field=str(path))
    found = (
        _by_step(path, network, step, car_kw) if "arrival_step" in first[1] else _by_clock(path, network, step, car_kw)
    )
    if not found:
        raise Invalid("has no sessions of a step or longer", field=str(path))
    return sorted(found, key=lambda stay: (stay.arrives, stay.station.place, stay.leaves, stay.need_ah))


def _by_step(path: Path, network: Network, step: timedelta, car_kw: float | None) -> list[Stay]:
    found = []
    for line_no, row in rows_of(path):
        if missing := [name for name in STEP_COLUMNS if not row.get(name)]:
            raise bad_row(path, line_no, f"{', '.join(missing)} missing")
        arrives, leaves = (_step_of(path, line_no, row, name) for name in STEP_COLUMNS[:2])
        if leaves < arrives:
            raise bad_row(path, line_no, "the departure is before the arrival")
        if (leaves - arrives) * step > timedelta(days=60):
            raise bad_row(path, line_no, "the stay is longer than 60 days")
        station = network.stations.get(row["station"])
        if station is None:
            raise bad_row(path, line_no, f"the network has no station {row['station']}")
        if leaves > arrives:
            need_wh = wh_from_kwh(number_in(path, line_no, row, "requested_kwh", LARGEST_KWH))
            found.append(_stay(arrives, leaves, station, need_wh, car_kw))
    return found


def _stay(arrives: int, leaves: int, station: Station, need_wh: float, car_kw: float | None) -> Stay:
    draw_a = station.max_a if car_kw is None else min(station.max_a, w_from_kw(car_kw) / station.voltage_v)
    return Stay(arrives, leaves, station, need_wh / station.voltage_v, draw_a)


def _step_of(path: Path, line_no: int, row: dict[str, str], name: str) -> int:
    number = number_in(path, line_no, row, name, LARGEST_STEP)
    if number != int(number):
        raise bad_row(path, line_no, f"{name} must be a whole number")
    return int(number)


def _by_clock(path: Path, network: Network, step: timedelta, car_kw: float | None) -> list[Stay]:
    records = read_sessions(path)
    began_at: datetime = records[0].arrived_at.replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for record in records:
        station = network.stations.get(record.station)
        if station is None:
            raise Invalid(f"the network has no station {record.station!r}", field=str(path))
        arrives = math.ceil((record.arrived_at - began_at) / step)
        leaves = (record.left_at - began_at) // step
        if leaves > arrives:
            found.append(_stay(arrives, leaves, station, record.delivered_wh, car_kw))
    return found
