"""Property: a message that is told again, whatever it is and however late, changes nothing.

Its own time must be believable: one that is not is replaced by the time of arrival, which another arrival changes.
"""

import itertools
from contextlib import suppress
from typing import Any

import pytest
from cases import V16, V201, at
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rows import CARD, MORNING, add_driver, add_site, add_station, dump
from schema_forms import payloads

from app.ocpp_central.rpc import Refusal
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v201 import Ocpp201
from app.operations.station_facts import record_facts

pytestmark = pytest.mark.database

DIALECTS = {V16: (Ocpp16(), "ocpp.v16", ""), V201: (Ocpp201(), "ocpp.v201", "Request")}
ACTIONS = {
    V16: ("StartTransaction", "StopTransaction", "MeterValues", "StatusNotification", "SecurityEventNotification"),
    V201: ("TransactionEvent", "MeterValues", "StatusNotification", "SecurityEventNotification", "NotifyReport"),
}
TABLES = (
    "charging_session", "session_message", "meter_value", "evse", "station_event", "station_variable", "quarantine",
)  # fmt: skip
VOLATILE = ("received_at", "reported_at")
NUMBERS = st.sampled_from([0, 1, 1, 1, 2, 7])
MOMENTS = st.integers(-50, -1).map(lambda minutes: at(minutes=minutes))
LATEST = "<the transaction that was begun last>"
MANY = settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would take minutes
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def shaped(value: Any, draw: Any, key: str = "") -> Any:
    """Bring a payload near to what is there: EVSEs that exist, references that are known, times of today."""
    if key in ("connectorId", "evseId", "id") and isinstance(value, int):
        return draw(NUMBERS)
    if key == "transactionId":
        return draw(st.sampled_from([LATEST, LATEST, "tx-1", "tx-2"])) if isinstance(value, str) else LATEST
    if key in ("timestamp", "generatedAt"):
        return draw(MOMENTS)
    if key in ("idTag", "idToken") and isinstance(value, str):
        return CARD
    if key in ("meterStart", "meterStop"):
        return draw(st.integers(0, 20_000))
    if isinstance(value, dict):
        return {name: shaped(item, draw, name) for name, item in value.items()}
    if isinstance(value, list):
        return [shaped(item, draw) for item in value]
    return value


@st.composite
def days(draw: Any, version: str) -> list[tuple[str, dict[str, Any]]]:
    _, package, suffix = DIALECTS[version]
    actions = draw(st.lists(st.sampled_from(ACTIONS[version]), min_size=1, max_size=5))
    drawn = [(action, shaped(draw(payloads(package, f"{action}{suffix}")), draw)) for action in actions]
    return [(action, {"timestamp": draw(MOMENTS)} | payload) for action, payload in drawn]


def filled(value: Any, ref: Any) -> Any:
    if isinstance(value, dict):
        return {key: filled(item, ref) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, ref) for item in value]
    return ref if value == LATEST else value


class Park:
    """Stations that are each told one story, and all that is kept of one."""

    def __init__(self, transactions: Any) -> None:
        self.transactions = transactions
        self.numbers = itertools.count(1)

    async def new_station(self, version: str) -> str:
        station_id = f"cp{next(self.numbers)}"
        async with self.transactions() as tx:
            await add_station(tx, station_id, dialect=f"ocpp{version}", evses=2)
        return station_id

    async def hears(self, station_id: str, facts: Any) -> Any:
        async with self.transactions() as tx:
            return await record_facts(tx, station_id, facts)

    async def keeps(self, station_id: str) -> dict[str, list[dict]]:
        async with self.transactions() as tx:
            kept = await dump(tx, *TABLES, without=VOLATILE)
        return {name: [row for row in rows if row["station_id"] == station_id] for name, rows in kept.items()}


@pytest.fixture
async def park(transactions) -> Park:
    async with transactions() as tx:
        await add_site(tx)
        await add_driver(tx)
    return Park(transactions)


@pytest.mark.parametrize("version", [V16, V201])
@given(data=st.data())
@MANY
async def test_a_message_told_again_changes_nothing(version, park, clock, data):
    dialect, ref = DIALECTS[version][0], "tx-1" if version == V201 else 1
    clock.at = MORNING
    station_id, told = await park.new_station(version), []
    for action, drawn in data.draw(days(version)):
        payload = filled(drawn, ref)
        with suppress(Refusal):
            recorded = await park.hears(station_id, dialect.decode(action, payload, clock.now()).facts)
            if recorded.station_ref is not None and version == V16:
                ref = int(recorded.station_ref)
            told.append((action, payload, recorded.station_ref))
    before = await park.keeps(station_id)
    clock.advance(seconds=data.draw(st.integers(0, 240)))
    for action, payload, first_ref in told:
        again = await park.hears(station_id, dialect.decode(action, payload, clock.now()).facts)
        assert again.station_ref == first_ref, action
    assert await park.keeps(station_id) == before
