"""What the readers of OCPP 2.0.1 share: bounded numbers and the names of components and variables."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.domain.facts import Fact, ReportKind, StationReported
from app.ocpp_central.dialect import Message, dict_of, list_of, text_of, whole_of
from app.ocpp_central.metering import believable_evse
from app.ocpp_central.moments import believe
from app.ocpp_central.repair import as_number

Figure = float  # in whatever unit the message names beside it

HIGHEST_WHOLE_COUNT = 2**31 - 1
LONGEST_NAME_COUNT = 50


def bounded_of(holder: Any, key: str) -> int | None:
    """Return a whole number from 0 to 2³¹ − 1; None for anything else."""
    number = whole_of(holder, key)
    return number if number is not None and 0 <= number <= HIGHEST_WHOLE_COUNT else None


def figure_of(holder: Any, key: str) -> Figure | None:
    """Return a finite number; None for anything else."""
    return as_number(holder.get(key)) if isinstance(holder, dict) else None


def dicts_of(holder: Any, key: str) -> list[dict[str, Any]]:
    """Return the objects of a list; what is no object is left out."""
    return [each for each in list_of(holder, key) if isinstance(each, dict)]


def name_of(holder: Any, key: str) -> str:
    """Return the name of a component or variable; empty where there is none."""
    return text_of(dict_of(holder, key), "name", LONGEST_NAME_COUNT) or ""


def instance_of(holder: Any, key: str) -> str:
    """Return the instance of a component or variable; empty where there is none."""
    return text_of(dict_of(holder, key), "instance", LONGEST_NAME_COUNT) or ""


def evse_of(holder: Any) -> int | None:
    """Return the EVSE that an entry's component belongs to; None: the station's own, or an absurd one."""
    return believable_evse(whole_of(dict_of(dict_of(holder, "component"), "evse"), "id"))


def moment_of(message: Message, holder: Any, key: str) -> datetime:
    """Return an instant; the time of arrival stands in for one that cannot be believed, which is counted."""
    moment = believe(holder.get(key) if isinstance(holder, dict) else None, message.received_at)
    if moment.doubt:
        message.repairs["timestamp_replaced"] += 1
    return moment.at


def told(**values: Any) -> dict[str, Any]:
    """Return what is known of these values."""
    return {key: value for key, value in values.items() if value is not None}


def report(
    message: Message,
    kind: ReportKind,
    name: str | None,
    detail: Mapping[str, Any] | None = None,
    *,
    at: datetime | None = None,
    request_id: int | None = None,
    evse_number: int | None = None,
) -> tuple[Fact, ...]:
    """Return the one fact of a message that the operator wants to know; a part says `tbc` where more follow."""
    return (
        StationReported(
            kind=kind,
            name=name or "unknown",
            at=at or message.received_at,
            received_at=message.received_at,
            request_id=request_id,
            evse_number=evse_number,
            is_last=message.payload.get("tbc") is not True,
            detail=dict(detail or {}),
        ),
    )
