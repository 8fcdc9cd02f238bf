"""The device model: what a station says it is made of (OCPP 2.0.1 B07, B08; 1.6: its configuration keys)."""

from sqlalchemy import func, inspect, select, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.device import Variable
from app.domain.facts import VariablesReported
from app.operations.hearing import Hearing
from app.operations.transaction import Tx
from app.store.base import stored_text
from app.store.device import VariableRow
from app.store.upkeep import StationJobRow

MOST_VARIABLES_COUNT = 5000
HIGHEST_NUMBER = 64


async def reported(hearing: Hearing, fact: VariablesReported) -> None:
    """Keep one part of a report; the last one ends its job."""
    await store(hearing.tx, hearing.station.station_id, fact.variables)
    await hearing.tx.session.execute(
        update(StationJobRow)
        .where(StationJobRow.station_id == hearing.station.station_id, StationJobRow.request_id == fact.request_id)
        .where(StationJobRow.ended_at.is_(None))
        .values(
            status="done" if fact.is_last else "reporting",
            changed_at=hearing.tx.now,
            ended_at=hearing.tx.now if fact.is_last else None,
        )
    )


async def store(tx: Tx, station_id: str, variables: tuple[Variable, ...]) -> None:
    """Keep variables, the newest value of each; at most 5,000 of a station, further new ones are dropped."""
    count_query = select(func.count()).select_from(VariableRow).where(VariableRow.station_id == station_id)
    room_count = MOST_VARIABLES_COUNT - int(await tx.session.scalar(count_query) or 0)
    rows = {_key(row): row for row in (_row(tx, station_id, each) for each in variables)}
    kept = list(rows.values())[: max(0, room_count)]
    if not kept:
        return
    statement = insert(VariableRow).values(kept)
    changed = {name: statement.excluded[name] for name in ("value", "is_writable", "unit", "values", "reported_at")}
    await tx.session.execute(
        statement.on_conflict_do_update(
            index_elements=[each.name for each in inspect(VariableRow).primary_key], set_=changed
        )
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
        "value": None if variable.value is None else stored_text(variable.value, 2500),
        "is_writable": variable.is_writable,
        "unit": stored_text(variable.unit, 16),
        "values": stored_text(variable.values, 1000),
        "reported_at": tx.now,
    }


def _key(row: dict[str, object]) -> tuple[object, ...]:
    names = ("component", "component_instance", "evse_number", "connector_number", "variable", "variable_instance")
    return tuple(row[name] for name in (*names, "attribute"))


def _number(number: int | None) -> int:
    """Return a believable EVSE or connector number; 0 where it is absent or absurd."""
    return number if number is not None and 0 <= number <= HIGHEST_NUMBER else 0
