"""Schema: payloads that break the standard's schema, refused where they say nothing and repaired where they do."""

from typing import Any

from cases import V16, V201, Ask, Refused, Result, Row, both
from spellings import GONE, POWER, authorize, boot, event, meter, start, status, stop, value

UNKNOWN_TOKEN = {"idTagInfo": {"status": "Invalid"}}
NO_TOKEN = "an authorisation without a token"
NO_SESSION = "the end of an unknown session"


def only(
    version: str, name: str, step: Ask, answer: Result | Refused, *quarantine: str, **counts: int
) -> tuple[Row, ...]:
    """A row of one version; counts are those of the row, `repair_` left out where a repair is meant."""
    return (Row(name, version, ((step, answer),), tuple(quarantine), counts),)


def refused(version: str, name: str, step: Ask, code: str, problem: str) -> tuple[Row, ...]:
    return only(version, name, step, Refused(code), **{f"refused_{problem}": 1})


def heard(version: str, name: str, step: Ask, *quarantine: str, **repairs: int) -> tuple[Row, ...]:
    return only(
        version, name, step, Result(), *quarantine, **{f"repair_{repair}": count for repair, count in repairs.items()}
    )


def metered(name: str, *sampled: Any, quarantine: tuple[str, ...] = (), **repairs: int) -> tuple[Row, ...]:
    """Meter values of 1.6 with these samples."""
    return heard(V16, name, meter(V16, value(*sampled)), *quarantine, **repairs)


def metered_201(name: str, *sampled: Any, quarantine: tuple[str, ...] = (), **repairs: int) -> tuple[Row, ...]:
    return heard(V201, name, meter(V201, value(*sampled)), *quarantine, **repairs)


ROWS: tuple[Row, ...] = (
    # what no version knows, or no station may call
    *both(
        "an action that nobody knows",
        (Ask("Nonsense", {}), Refused("NotImplemented")),
        counts={"refused_not_implemented": 1},
    ),
    *both(
        "an action in small letters",
        (Ask("heartbeat", {}), Refused("NotImplemented")),
        counts={"refused_not_implemented": 1},
    ),
    *both("an empty action", (Ask("", {}), Refused("NotImplemented")), counts={"refused_not_implemented": 1}),
    *both(
        "an action that is a path",
        (Ask("../../etc/passwd", {}), Refused("NotImplemented")),
        counts={"refused_not_implemented": 1},
    ),
    *both(
        "a prototype's action", (Ask("__proto__", {}), Refused("NotImplemented")), counts={"refused_not_implemented": 1}
    ),
    *both(
        "a constructor's action",
        (Ask("constructor", {}), Refused("NotImplemented")),
        counts={"refused_not_implemented": 1},
    ),
    *both(
        "an action of 100,000 characters",
        (Ask("A" * 100_000, {}), Refused("NotImplemented")),
        counts={"refused_not_implemented": 1},
    ),
    *both(
        "a response's name as the action",
        (Ask("HeartbeatResponse", {}), Refused("NotImplemented")),
        counts={"refused_not_implemented": 1},
    ),
    *both(
        "a call that only we make",
        (Ask("Reset", {"type": "Hard"}), Refused("NotSupported")),
        counts={"refused_not_supported": 1},
    ),
    *both(
        "an unlocking by the station",
        (Ask("UnlockConnector", {"connectorId": 1}), Refused("NotSupported")),
        counts={"refused_not_supported": 1},
    ),
    *only(V16, "2.0.1's TransactionEvent", event("Started"), Refused("NotImplemented"), refused_not_implemented=1),
    *only(V201, "1.6's StartTransaction", start(), Refused("NotImplemented"), refused_not_implemented=1),
    # refused: nothing can be answered without what is missing
    *refused(
        V201, "an authorization of nobody", authorize(V201, idToken=GONE), "OccurrenceConstraintViolation", "occurrence"
    ),
    *refused(V201, "a token as bare text", authorize(V201, idToken="x"), "TypeConstraintViolation", "type"),
    *only(
        V201,
        "a token of an unknown kind",
        authorize(V201, idToken={"idToken": "x", "type": "Telepathy"}),
        Result({"idTokenInfo": {"status": "Invalid"}}),
        repair_tolerated_enum=1,
    ),
    *refused(V16, "a start without a connector", start(connectorId=GONE), "OccurenceConstraintViolation", "occurrence"),
    *only(
        V201,
        "a data transfer of nobody",
        Ask("DataTransfer", {}),
        Result({"status": "UnknownVendorId"}),
        repair_tolerated_required=1,
    ),
    *refused(
        V201,
        "an event without a transaction",
        event("Updated", transactionInfo=GONE),
        "OccurrenceConstraintViolation",
        "occurrence",
    ),
    *refused(
        V201,
        "an event without an id of its transaction",
        event("Updated", transactionInfo={}),
        "OccurrenceConstraintViolation",
        "occurrence",
    ),
    *refused(V201, "an event of an unknown kind", event("Exploded"), "PropertyConstraintViolation", "property"),
    # repaired
    *only(
        V16,
        "an authorization of nobody",
        authorize(V16, idTag=GONE),
        Result(UNKNOWN_TOKEN),
        NO_TOKEN,
        repair_tolerated_required=1,
    ),
    *only(
        V16, "an authorization of a number", authorize(V16, idTag=5), Result(UNKNOWN_TOKEN), repair_number_for_text=1
    ),
    *only(
        V16,
        "an authorization of an object",
        authorize(V16, idTag={"$ne": None}),
        Result(UNKNOWN_TOKEN),
        NO_TOKEN,
        repair_tolerated_type=1,
    ),
    *only(
        V16,
        "a token of 10,000 characters",
        authorize(V16, idTag="x" * 10_000),
        Result(UNKNOWN_TOKEN),
        repair_text_shortened=1,
    ),
    *only(
        V16,
        "a data transfer of nobody",
        Ask("DataTransfer", {}),
        Result({"status": "UnknownVendorId"}),
        repair_tolerated_required=1,
    ),
    *heard(V16, "a heartbeat with a body", Ask("Heartbeat", {"x": {"y": [1]}}), unknown_property_dropped=1),
    *heard(V201, "a heartbeat with a body", Ask("Heartbeat", {"x": {"y": [1]}}), unknown_property_dropped=1),
    *heard(
        V16,
        "a status without its connector",
        status(V16, connectorId=GONE),
        "a status of no known connector or of no known name",
        tolerated_required=1,
    ),
    *heard(
        V16,
        "a status of its own making",
        status(V16, status="Ready"),
        "a status of no known connector or of no known name",
        tolerated_enum=1,
    ),
    *heard(V16, "an error code of its own making", status(V16, errorCode="EarthLeak"), tolerated_enum=1),
    *heard(V16, "a status whose connector is text", status(V16, connectorId="1"), text_for_number=1),
    *heard(V16, "an info of 10,000 characters", status(V16, info="x" * 10_000), text_shortened=1),
    *heard(
        V201,
        "a status without its EVSE",
        status(V201, evseId=GONE),
        "a status of no known EVSE or of no known name",
        tolerated_required=1,
    ),
    *heard(
        V201,
        "1.6's status name",
        status(V201, connectorStatus="Charging"),
        "a status of no known EVSE or of no known name",
        tolerated_enum=1,
    ),
    *heard(V201, "a status whose EVSE is a fraction", status(V201, evseId=1.0), fraction_for_integer=1),
    *heard(V16, "a start in text numbers", start(connectorId="1", meterStart="1000"), text_for_number=2),
    *heard(V16, "a start with a fraction of a watt-hour", start(meterStart=1000.4), fraction_for_integer=1),
    *heard(V16, "a start with a reservation of null", start(reservationId=None), null_dropped=1),
    *heard(V16, "a start by a token of 300 characters", start(idTag="x" * 300), text_shortened=1),
    *heard(V16, "a stop in text numbers", stop(transactionId="5", meterStop="1500"), NO_SESSION, text_for_number=2),
    *heard(V16, "a stop for a reason of its own making", stop(reason="Because"), NO_SESSION, tolerated_enum=1),
    *heard(
        V16,
        "a stop with nothing in it",
        Ask("StopTransaction", {}),
        "a stop without a transaction id",
        tolerated_required=3,
    ),
    *metered("a sample that is a number", {"value": 1000}, number_for_text=1),
    *metered("a sample of NaN among good ones", {"value": "NaN"}, {"value": "1000"}, sample_dropped=1),
    *metered("a sample of infinity", {"value": "-Infinity", "measurand": POWER}, {"value": "1000"}, sample_dropped=1),
    *metered("a sample of nothing", {"value": ""}, {"value": "1000"}, sample_dropped=1),
    *metered("a sample with a decimal comma", {"value": "1000,5"}),
    *metered("a sample in Arabic digits", {"value": "١٢٣"}),
    *metered("a sample with underscores", {"value": "1_000"}, {"value": "1"}, sample_dropped=1),
    *metered("a sample of 400 digits", {"value": "9" * 400}, {"value": "1"}, sample_dropped=1),
    *metered("a sample in hexadecimal", {"value": "0x1F"}, {"value": "1"}, sample_dropped=1),
    *metered("the unit Hz", {"value": "50", "measurand": "Frequency", "unit": "Hz"}, tolerated_enum=1),
    *metered("a measurand of its own making", {"value": "5", "measurand": "Vendor.Mood"}, tolerated_enum=1),
    *metered("units in small letters", {"value": "1", "unit": "kwh"}, tolerated_enum=1),
    *metered("a unit of null", {"value": "1", "unit": None}, null_dropped=1),
    *metered("an extra property", {"value": "1", "signed": True}, unknown_property_dropped=1),
    *metered("a sample that is bare text", "1000", {"value": "1"}, tolerated_type=1),
    *metered("no samples at all", tolerated_minItems=1),
    *heard(
        V16,
        "objects instead of arrays",
        Ask(
            "MeterValues",
            {"connectorId": 1, "meterValue": {"timestamp": "2026-04-01T07:00:00Z", "sampledValue": {"value": "7"}}},
        ),
        object_for_array=2,
    ),
    *heard(
        V16,
        "meter values of nothing",
        Ask("MeterValues", {}),
        "meter values of no known connector, or none at all",
        tolerated_required=2,
    ),
    *heard(
        V16,
        "meter values of null",
        Ask("MeterValues", {"connectorId": 1, "meterValue": None}),
        "meter values of no known connector, or none at all",
        null_dropped=1,
        tolerated_required=1,
    ),
    *heard(V16, "meter values without a time", meter(V16, value({"value": "1"}, timestamp=GONE)), tolerated_required=1),
    *metered_201("a sample that is text", {"value": "1000.5"}, text_for_number=1),
    *metered_201(
        "a sample of NaN among good ones", {"value": "NaN"}, {"value": 1000}, sample_dropped=1, tolerated_type=1
    ),
    *metered_201(
        "a multiplier of 400", {"value": 1, "unitOfMeasure": {"multiplier": 400}}, {"value": 1}, sample_dropped=1
    ),
    *metered_201("1.6's unit", {"value": 1, "unit": "kWh"}, unknown_property_dropped=1),
    *metered_201("a unit as bare text", {"value": 1, "unitOfMeasure": "kWh"}, tolerated_type=1),
    *heard(V201, "an event with numbers as text", event("Started", seqNo="0", evse={"id": "1"}), text_for_number=2),
    *heard(V201, "an event without a sequence number", event("Started", seqNo=GONE), tolerated_required=1),
    *heard(V201, "an event for a reason of its own making", event("Started", triggerReason="Whim"), tolerated_enum=1),
    *heard(V201, "an event whose token is bare text", event("Started", idToken="CARD-1"), tolerated_type=1),
    *heard(
        V201,
        "an event with one object of meter values",
        event("Started", meterValue=value({"value": 1})),
        object_for_array=1,
    ),
    *heard(V201, "an event with a transaction id of 300 characters", event("Started", tx="t" * 300), text_shortened=1),
    *heard(
        V16,
        "a boot with a serial number of 60 characters",
        boot(V16, chargePointSerialNumber="s" * 60),
        text_shortened=1,
    ),
    *heard(
        V16, "a boot with a property of its own", boot(V16, meterType="m", vendorExtra="x"), unknown_property_dropped=1
    ),
    *heard(
        V16,
        "a boot of nobody",
        boot(V16, chargePointVendor=GONE),
        "a boot without the station's vendor or model",
        tolerated_required=1,
    ),
)
