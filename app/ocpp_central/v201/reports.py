"""What an OCPP 2.0.1 station reports because it was asked (NotifyReport and its kin), and NotifyEvent.

Everything is read as far as it can be, and bounded: what a part has beyond the bound is left out and quarantined.
"""

from typing import Any

from app.domain.device import Variable
from app.domain.facts import Fact, ReportKind, StationReported, VariablesReported
from app.ocpp_central.dialect import Message, dict_of, text_of
from app.ocpp_central.metering import believable_evse
from app.ocpp_central.v201.reading import (
    bounded_of,
    dicts_of,
    evse_of,
    figure_of,
    instance_of,
    moment_of,
    name_of,
    report,
    told,
)

MOST_VARIABLES_COUNT = 500
MOST_EVENTS_COUNT = 50
MOST_MONITORS_COUNT = 200
MOST_PROFILES_COUNT = 50
MOST_PERIODS_COUNT = 200
MOST_MESSAGES_COUNT = 50
LONGEST_VALUE_COUNT = 2500
NO_REQUEST = 0
HIGHEST_BOUND = 10**15

PURPOSES = {
    "TxProfile": "session",
    "TxDefaultProfile": "default",
    "ChargingStationMaxProfile": "station_max",
    "ChargingStationExternalConstraints": "external",
}
MONITOR_KINDS = {
    "UpperThreshold": "upper_threshold",
    "LowerThreshold": "lower_threshold",
    "Delta": "delta",
    "Periodic": "periodic",
    "PeriodicClockAligned": "periodic_clock_aligned",
}


def device_model(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 B07, B08 (NotifyReport): every attribute of every variable, at most 500 in a part."""
    payload = message.payload
    found = [
        _variable(entry, attribute)
        for entry in dicts_of(payload, "reportData")
        for attribute in dicts_of(entry, "variableAttribute")
        if name_of(entry, "component") and name_of(entry, "variable")
    ]
    request_id = bounded_of(payload, "requestId")
    part = VariablesReported(
        at=moment_of(message, payload, "generatedAt"),
        received_at=message.received_at,
        request_id=NO_REQUEST if request_id is None else request_id,
        seq_no=bounded_of(payload, "seqNo") or 0,
        is_last=payload.get("tbc") is not True,
        variables=tuple(found[:MOST_VARIABLES_COUNT]),
    )
    doubt = "a part of a report with more than 500 attributes" if len(found) > MOST_VARIABLES_COUNT else ""
    if request_id is None:
        doubt = "a report that names no request"
    return (message.suspicious(doubt), part) if doubt else (part,)


def _variable(entry: dict[str, Any], attribute: dict[str, Any]) -> Variable:
    """OCPP 2.0.1 part 2, VariableAttributeType: without a mutability it is ReadWrite; a WriteOnly one tells nothing."""
    kind = dict_of(entry, "variableCharacteristics")
    is_fixed = attribute.get("mutability") == "ReadOnly" or attribute.get("constant") is True
    is_hidden = attribute.get("mutability") == "WriteOnly"
    connector_number = believable_evse(bounded_of(dict_of(dict_of(entry, "component"), "evse"), "connectorId"))
    return Variable(
        component=name_of(entry, "component"),
        variable=name_of(entry, "variable"),
        value=None if is_hidden else _value(attribute),
        is_writable=not is_fixed,
        component_instance=instance_of(entry, "component"),
        variable_instance=instance_of(entry, "variable"),
        evse_number=evse_of(entry),
        connector_number=connector_number,
        attribute=text_of(attribute, "type", 16) or "Actual",
        unit=text_of(kind, "unit", 16) or "",
        values=text_of(kind, "valuesList", 1000) or _bounds(kind),
    )


def _bounds(kind: dict[str, Any]) -> str:
    """Return what a number may be, as `Variable` has it; empty where the station does not say."""
    lowest, highest = (_number(kind.get(key)) for key in ("minLimit", "maxLimit"))
    return f"{lowest}..{highest}" if lowest or highest else ""


def _number(value: Any) -> str:
    return f"{value:.15g}" if type(value) in {int, float} and abs(value) < HIGHEST_BOUND else ""


def _value(attribute: dict[str, Any]) -> str | None:
    """An empty text is a value; it is what an unset variable holds."""
    value = attribute.get("value")
    return value[:LONGEST_VALUE_COUNT] if isinstance(value, str) else None


def events(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 N07 (NotifyEvent): one fact for each of at most 50 events."""
    found = dicts_of(message.payload, "eventData")
    facts: list[Fact] = [_event(message, each) for each in found[:MOST_EVENTS_COUNT]]
    if not found or len(found) > MOST_EVENTS_COUNT:
        facts.append(message.suspicious("no event at all" if not found else "more than 50 events at once"))
    return tuple(facts)


def _event(message: Message, event: dict[str, Any]) -> StationReported:
    return StationReported(
        kind=ReportKind.MONITOR_EVENT,
        name=f"{name_of(event, 'component')}.{name_of(event, 'variable')}"[:100],
        at=moment_of(message, event, "timestamp"),
        received_at=message.received_at,
        evse_number=evse_of(event),
        is_last=message.payload.get("tbc") is not True,
        detail=told(
            event_id=bounded_of(event, "eventId"),
            trigger=text_of(event, "trigger", 50),
            notification=text_of(event, "eventNotificationType", 50),
            value=text_of(event, "actualValue", LONGEST_VALUE_COUNT),
            is_cleared=event.get("cleared") if isinstance(event.get("cleared"), bool) else None,
            cause_event_id=bounded_of(event, "cause"),
            monitor_id=bounded_of(event, "variableMonitoringId"),
            code=text_of(event, "techCode", 50),
            info=text_of(event, "techInfo", 500),
            station_ref=text_of(event, "transactionId", 36),
            component_instance=instance_of(event, "component") or None,
            variable_instance=instance_of(event, "variable") or None,
        ),
    )


def monitors(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 N02 (NotifyMonitoringReport): which monitors there are."""
    found = [
        _monitor(entry, each)
        for entry in dicts_of(message.payload, "monitor")
        for each in dicts_of(entry, "variableMonitoring")
    ]
    return _part(message, ReportKind.MONITORS, "monitors", found, MOST_MONITORS_COUNT)


def _monitor(entry: dict[str, Any], monitor: dict[str, Any]) -> dict[str, Any]:
    kind = text_of(monitor, "type", 50)
    return told(
        component=name_of(entry, "component"),
        variable=name_of(entry, "variable"),
        component_instance=instance_of(entry, "component") or None,
        variable_instance=instance_of(entry, "variable") or None,
        evse_number=evse_of(entry),
        monitor_id=bounded_of(monitor, "id"),
        kind=MONITOR_KINDS.get(kind or "", kind),
        value=figure_of(monitor, "value"),
        severity=bounded_of(monitor, "severity"),
        is_in_session_only=monitor.get("transaction") is True,
    )


def profiles(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 K09 (ReportChargingProfiles): what is installed on an EVSE, by whom."""
    found = [_profile(each) for each in dicts_of(message.payload, "chargingProfile")]
    source = text_of(message.payload, "chargingLimitSource", 20)
    evse_number = believable_evse(bounded_of(message.payload, "evseId"))
    return _part(message, ReportKind.PROFILES, "profiles", found, MOST_PROFILES_COUNT, source, evse_number)


def _profile(profile: dict[str, Any]) -> dict[str, Any]:
    purpose = text_of(profile, "chargingProfilePurpose", 50)
    return told(
        profile_id=bounded_of(profile, "id"),
        stack_level=bounded_of(profile, "stackLevel"),
        purpose=PURPOSES.get(purpose or "", purpose),
        kind=(text_of(profile, "chargingProfileKind", 20) or "").lower() or None,
        recurrency=(text_of(profile, "recurrencyKind", 20) or "").lower() or None,
        valid_from=text_of(profile, "validFrom", 40),
        valid_until=text_of(profile, "validTo", 40),
        station_ref=text_of(profile, "transactionId", 36),
        schedules=[schedule(each) for each in dicts_of(profile, "chargingSchedule")[:3]],
    )


def schedule(told_schedule: dict[str, Any]) -> dict[str, Any]:
    """Return a charging schedule; `periods` are [offset_s, limit in the unit, phases or None], at most 200 of them.

    Where there are more, `is_cut` is true.
    """
    periods = dicts_of(told_schedule, "chargingSchedulePeriod")
    return told(
        unit=text_of(told_schedule, "chargingRateUnit", 1),
        start_at=text_of(told_schedule, "startSchedule", 40),
        duration_s=bounded_of(told_schedule, "duration"),
        periods=[
            [bounded_of(each, "startPeriod"), figure_of(each, "limit"), bounded_of(each, "numberPhases")]
            for each in periods[:MOST_PERIODS_COUNT]
        ],
        is_cut=True if len(periods) > MOST_PERIODS_COUNT else None,
    )


def customer_information(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 N09 (NotifyCustomerInformation): a part of what the station knows of a customer."""
    payload = message.payload
    detail = told(seq_no=bounded_of(payload, "seqNo"), data=text_of(payload, "data", 512))
    at = moment_of(message, payload, "generatedAt")
    request_id = bounded_of(payload, "requestId")
    return report(message, ReportKind.CUSTOMER_INFORMATION, "part", detail, at=at, request_id=request_id)


def display_messages(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 O03, O04 (NotifyDisplayMessages): which messages the station shows."""
    found = [
        told(
            message_id=bounded_of(each, "id"),
            priority=text_of(each, "priority", 20),
            state=text_of(each, "state", 20),
            start_at=text_of(each, "startDateTime", 40),
            end_at=text_of(each, "endDateTime", 40),
            station_ref=text_of(each, "transactionId", 36),
            text=text_of(dict_of(each, "message"), "content", 512),
        )
        for each in dicts_of(message.payload, "messageInfo")
    ]
    return _part(message, ReportKind.DISPLAY_MESSAGES, "messages", found, MOST_MESSAGES_COUNT)


def _part(
    message: Message,
    kind: ReportKind,
    key: str,
    found: list[dict[str, Any]],
    most_count: int,
    name: str | None = "part",
    evse_number: int | None = None,
) -> tuple[Fact, ...]:
    """Return one part of a report whose entries stand under `key`; what goes beyond the bound is quarantined."""
    detail = told(seq_no=bounded_of(message.payload, "seqNo"), **{key: found[:most_count]})
    facts = report(
        message,
        kind,
        name,
        detail,
        at=moment_of(message, message.payload, "generatedAt"),
        request_id=bounded_of(message.payload, "requestId"),
        evse_number=evse_number,
    )
    if len(found) > most_count:
        return (message.suspicious(f"a part of a report with more than {most_count} entries"), *facts)
    return facts
