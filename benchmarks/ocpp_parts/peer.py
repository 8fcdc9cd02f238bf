"""The peer: central systems as one writes them with the `ocpp` package, answering the same calls with the same facts.

The handlers get what the package gives them (keywords in snake case) and turn it into our facts with our own reading
of samples and instants, so that the sides differ in the way from the frame to the handler and back, and in nothing
else.
"""

from datetime import datetime
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call_result as result16
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call_result as result201

from app.domain.facts import Activity, Fact, Metered, SessionUpdated
from app.ocpp_central.metering import business_key
from app.ocpp_central.moments import believe, is_replay
from app.ocpp_central.samples import RawSample, read

STATES = {"Charging": Activity.CHARGING, "Idle": Activity.NONE}


class Ear:
    """What the package wants of a connection: it takes the answers."""

    def __init__(self) -> None:
        self.answer = ""

    async def send(self, text: str) -> None:
        """Keep an answer."""
        self.answer = text


def metered(values: list[Any], evse_number: int, ref: str | None, now: datetime) -> list[Fact]:
    """Return the facts of a meterValue list in snake case."""
    facts: list[Fact] = []
    for value in values:
        reading = read([_raw(each) for each in value["sampled_value"]])
        at = believe(value["timestamp"], now).at
        facts.append(Metered(evse_number, at, now, ref, reading.register_wh, reading.power_w, reading.samples))
    return facts


def _raw(each: dict[str, Any]) -> RawSample:
    unit = each.get("unit_of_measure")
    return RawSample(
        each["value"],
        each.get("measurand"),
        each.get("unit") if unit is None else unit.get("unit"),
        each.get("phase"),
        each.get("location"),
        each.get("context"),
        None if unit is None else unit.get("multiplier"),
    )


class Central16(ChargePoint16):  # type: ignore[misc]
    """A central system's end of an OCPP 1.6 connection."""

    def __init__(self, now: datetime) -> None:
        super().__init__("bench", Ear())
        self.now = now
        self.facts: tuple[Fact, ...] = ()

    @on("MeterValues")  # type: ignore[untyped-decorator]
    def on_meter_values(
        self, connector_id: int, meter_value: list[Any], transaction_id: int | None = None, **_: Any
    ) -> Any:
        """OCPP 1.6 §4.7."""
        ref = None if transaction_id is None else str(transaction_id)
        self.facts = tuple(metered(meter_value, connector_id, ref, self.now))
        return result16.MeterValues()


class Central201(ChargePoint201):  # type: ignore[misc]
    """A central system's end of an OCPP 2.0.1 connection."""

    def __init__(self, now: datetime) -> None:
        super().__init__("bench", Ear())
        self.now = now
        self.facts: tuple[Fact, ...] = ()

    @on("TransactionEvent")  # type: ignore[untyped-decorator]
    def on_transaction_event(
        self, timestamp: str, seq_no: int, transaction_info: dict[str, Any], evse: dict[str, Any], **more: Any
    ) -> Any:
        """OCPP 2.0.1 E02."""
        ref, number, at = transaction_info["transaction_id"], evse["id"], believe(timestamp, self.now).at
        values = more.get("meter_value", [])
        updated = SessionUpdated(
            evse_number=number,
            at=at,
            received_at=self.now,
            station_ref=ref,
            business_key=business_key("event", ref, seq_no, [timestamp, transaction_info, evse, more]),
            activity=STATES.get(transaction_info.get("charging_state", "")),
            offline=more.get("offline") is True or is_replay(at, self.now),
        )
        self.facts = (updated, *metered(values, number, ref, self.now))
        return result201.TransactionEvent()
