"""The device model: what a station says it is made of (OCPP 2.0.1 B07, B08; 1.6: its configuration keys)."""

from collections.abc import Sequence

from sqlalchemy import select

from app.bus.subjects import station_report
from app.domain.device import Variable, VariableFilter
from app.domain.errors import NotFound
from app.domain.facts import VariablesReported
from app.domain.pages import Page, PageAsked
from app.domain.redaction import without_secrets
from app.domain.upkeep import ReportBase
from app.operations.hearing import Hearing
from app.operations.transaction import Tx
from app.store import device_queries, station_queries
from app.store.base import stored_text
from app.store.device import VariableRow
from app.store.upkeep import StationJobRow

REPORT, DONE = "report", "done"
MOST_VARIABLES_COUNT = 5000
MOST_AT_ONCE_COUNT = 500
MOST_PARTS_COUNT = 2000
HIGHEST_NUMBER = 64


async def reported(hearing: Hearing, fact: VariablesReported) -> None:
    """Keep one part of a report; its job is done when no part is missing, in whatever order they come."""
    station_id = hearing.station.station_id
    await store(hearing.tx, station_id, fact.variables)
    query = select(StationJobRow).where(StationJobRow.station_id == station_id, StationJobRow.kind == REPORT)
    query = query.where(StationJobRow.request_id == fact.request_id, StationJobRow.ended_at.is_(None))
    job = await hearing.tx.session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if job is None:
        return
    seen = {*job.detail.get("parts", ()), min(max(fact.seq_no, 0), MOST_PARTS_COUNT)}
    last = fact.seq_no if fact.is_last else job.detail.get("last")
    job.detail = {**job.detail, "parts": sorted(seen), "last": last}
    job.status, job.changed_at = "reporting", hearing.tx.now
    if last is not None and seen >= set(range(min(last, MOST_PARTS_COUNT) + 1)):
        job.status, job.ended_at = DONE, hearing.tx.now
    hearing.tx.ring(station_report(station_id))


async def open_report(tx: Tx, station_id: str, base: ReportBase) -> int:
    """Note that a report is asked for; return the number that its parts will carry. Raises NotFound."""
    if await station_queries.station(tx.session, station_id) is None:
        raise NotFound("there is no such station", field="station_id")
    job = StationJobRow(
        station_id=station_id,
        kind=REPORT,
        status="sent",
        detail={"base": base},
        created_at=tx.now,
        changed_at=tx.now,
    )
    tx.session.add(job)
    await tx.session.flush()
    return job.request_id


async def report_progress(tx: Tx, request_id: int) -> tuple[int, bool]:
    """Return how many parts of a report have come, and whether that is all of it."""
    job = await tx.session.get_one(StationJobRow, request_id, populate_existing=True)
    return len(job.detail.get("parts", ())), job.status == DONE


async def close_report(tx: Tx, request_id: int, status: str) -> None:
    """Give up waiting for a report; what has come of it stays. One that is done stays done."""
    job = await tx.session.get_one(StationJobRow, request_id, populate_existing=True, with_for_update=True)
    if job.ended_at is None:
        job.status, job.changed_at, job.ended_at = status, tx.now, tx.now


async def store(tx: Tx, station_id: str, variables: Sequence[Variable]) -> None:
    """Keep variables, the newest value of each; at most 5,000 of a station, further new ones are dropped.

    Stations tell their keys and passwords too, some even when nobody asked: those values are left out.
    """
    rows = list({_key(row): row for row in (_row(tx, station_id, each) for each in variables)}.values())
    for start in range(0, len(rows), MOST_AT_ONCE_COUNT):
        await _store(tx, station_id, rows[start : start + MOST_AT_ONCE_COUNT])


async def _store(tx: Tx, station_id: str, rows: list[dict[str, object]]) -> None:
    known = await device_queries.known_keys(tx.session, station_id, [_key(row) for row in rows])
    room_count = MOST_VARIABLES_COUNT - await device_queries.variable_count(tx.session, station_id)
    old, new = [row for row in rows if _key(row) in known], [row for row in rows if _key(row) not in known]
    await device_queries.upsert_variables(tx.session, [*old, *new[: max(0, room_count)]])


async def variables_of(tx: Tx, station_id: str) -> tuple[Variable, ...]:
    """Return everything that the station has told about itself."""
    return tuple(_variable(row) for row in await device_queries.variables_of(tx.session, station_id))


async def variables(tx: Tx, station_id: str, asked: PageAsked, which: VariableFilter) -> Page[VariableRow]:
    """Return the station's variables by component and name; raises NotFound."""
    if await station_queries.station(tx.session, station_id) is None:
        raise NotFound(f"there is no station {station_id}")
    return await device_queries.variables(tx.session, station_id, asked, which)


async def forget(tx: Tx, station_id: str) -> None:
    """Forget everything that the station has told about itself."""
    await device_queries.forget_variables(tx.session, station_id)


def _variable(row: VariableRow) -> Variable:
    return Variable(
        component=row.component,
        variable=row.variable,
        value=row.value,
        is_writable=row.is_writable,
        component_instance=row.component_instance,
        variable_instance=row.variable_instance,
        evse_number=row.evse_number or None,
        connector_number=row.connector_number or None,
        attribute=row.attribute,
        unit=row.unit,
        values=row.values,
    )


def _row(tx: Tx, station_id: str, variable: Variable) -> dict[str, object]:
    return {
        "station_id": station_id,
        "component": stored_text(variable.component, 50),
        "component_instance": stored_text(variable.component_instance, 50),
        "evse_number": _number(variable.evse_number),
        "connector_number": _number(variable.connector_number),
        "variable": stored_text(variable.variable, 50),
        "variable_instance": stored_text(variable.variable_instance, 50),
        "attribute": stored_text(variable.attribute, 16),
        "value": None if variable.value is None else stored_text(_without_secrets(variable), 2500),
        "is_writable": variable.is_writable,
        "unit": stored_text(variable.unit, 16),
        "values": stored_text(variable.values, 1000),
        "reported_at": tx.now,
    }


def _without_secrets(variable: Variable) -> str:
    return str(without_secrets(variable.value, variable.name))


def _key(row: dict[str, object]) -> tuple[object, ...]:
    return tuple(row[name] for name in device_queries.KEY_NAMES)


def _number(number: int | None) -> int:
    """Return a believable EVSE or connector number; 0 where it is absent or absurd."""
    return number if number is not None and 0 <= number <= HIGHEST_NUMBER else 0
