"""Whatever a station says, in valid, bent or senseless payloads: the pure half of the central never breaks."""

import json
import math
from contextlib import nullcontext, suppress
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rows import MORNING
from schema_forms import bent_payloads, payloads

from app.domain.errors import StationFault
from app.domain.facts import BootStatus, Metered, Recorded, TokenStatus
from app.ocpp_central.dialect import Desk
from app.ocpp_central.rpc import Call, CallResult, Refusal, parse
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v16.handlers import HANDLERS as HANDLERS_16
from app.ocpp_central.v16.spellings import SPELLINGS as SPELLINGS_16
from app.ocpp_central.v201 import Ocpp201
from app.ocpp_central.v201.handlers import HANDLERS as HANDLERS_201
from app.ocpp_central.v201.spellings import SPELLINGS as SPELLINGS_201

V16, V201 = Ocpp16(), Ocpp201()
PACKAGES = {V16: ("ocpp.v16", ""), V201: ("ocpp.v201", "Request")}
CALLS = [*((V16, action) for action in sorted(HANDLERS_16)), *((V201, action) for action in sorted(HANDLERS_201))]
COMMANDS = [
    *((V16, kind, spelling.actions) for kind, spelling in SPELLINGS_16.items()),
    *((V201, kind, spelling.actions) for kind, spelling in SPELLINGS_201.items()),
]
ALWAYS_ANSWERED = {"BootNotification", "Heartbeat", "MeterValues", "StatusNotification", "StopTransaction"}
LONGEST_TEXT_COUNT = 300_000
DESK = Desk(MORNING, 300)
RECORDED = st.builds(
    Recorded,
    boot_status=st.none() | st.sampled_from(BootStatus),
    token_status=st.none() | st.sampled_from(TokenStatus),
    station_ref=st.none() | st.integers(1, 2**31 - 1).map(str),
    is_taken=st.booleans(),
)
BOUNDED = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def title(call: tuple) -> str:
    return f"{call[0].subprotocol} {call[1] if isinstance(call[1], str) else call[1].__name__}"


def assert_sane(value: object) -> None:
    """Numbers are finite, instants are aware and not ahead, texts are bounded."""
    if isinstance(value, float):
        assert math.isfinite(value)
    elif isinstance(value, datetime):
        assert value.tzinfo is not None
        assert value <= MORNING + timedelta(minutes=5)
    elif isinstance(value, str) and not isinstance(value, Enum):
        assert len(value) <= LONGEST_TEXT_COUNT
    elif isinstance(value, list | tuple):
        for item in value:
            assert_sane(item)
    elif is_dataclass(value):
        for item in fields(value):
            if item.name not in {"detail", "payload"}:
                assert_sane(getattr(value, item.name))


@pytest.mark.parametrize("call", CALLS, ids=title)
@given(st.data())
@BOUNDED
def test_a_bent_payload_becomes_sane_facts_or_a_refusal_and_its_answer_is_valid(call, data):
    dialect, action = call
    package, suffix = PACKAGES[dialect]
    frame = parse(json.dumps([2, "a", action, data.draw(bent_payloads(package, f"{action}{suffix}"))]))
    if not isinstance(frame, Call):
        return
    with nullcontext() if action in ALWAYS_ANSWERED else suppress(Refusal):
        decoded = dialect.decode(action, frame.payload, MORNING)
        _means_something(dialect, action, decoded, data.draw(RECORDED))


def _means_something(dialect, action, decoded, recorded):
    assert_sane(decoded.facts)
    metered = [fact for fact in decoded.facts if isinstance(fact, Metered)]
    assert all(0 <= fact.evse_number <= 64 for fact in metered)
    answer = dialect.reply(action, recorded, DESK)
    assert dialect.schemas.response_faults(action, answer) == []


@pytest.mark.parametrize("call", CALLS, ids=title)
@given(st.data())
@BOUNDED
def test_a_valid_payload_is_never_refused_nor_repaired(call, data):
    dialect, action = call
    package, suffix = PACKAGES[dialect]
    frame = parse(json.dumps([2, "a", action, data.draw(payloads(package, f"{action}{suffix}"))]))
    assert isinstance(frame, Call)
    if dialect.schemas.request_faults(action, frame.payload):
        return
    decoded = dialect.decode(action, frame.payload, MORNING)
    assert set(decoded.repairs) <= {"sample_dropped", "timestamp_replaced"}  # formats are not in the schema


@pytest.mark.parametrize("command", COMMANDS, ids=title)
@given(st.data())
@BOUNDED
def test_a_bent_answer_to_a_command_is_an_outcome_or_a_fault_of_the_station(command, data):
    dialect, kind, actions = command
    package, _ = PACKAGES[dialect]
    asked = data.draw(st.from_type(kind))
    payload = data.draw(bent_payloads(package, f"{data.draw(st.sampled_from(actions))}Response"))
    frame = parse(json.dumps([3, "a", payload]))
    if not isinstance(frame, CallResult):
        return
    try:
        dialect.decode_outcome(asked, frame.payload)
    except (ValueError, StationFault):
        return
