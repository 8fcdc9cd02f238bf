"""Property: no frame raises out of a session or kills another, and every call gets exactly one answer.

Calls with payloads by the schemas, bent or not, and frames of anything, over a real socket; good stations run beside.
"""

import itertools
import json
from typing import Any

import pytest
import pytest_asyncio
from cases import V16, V201
from charger import plugged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schema_forms import JUNK, bent_payloads, payloads

from app.ocpp_central.rpc import Call, parse
from app.ocpp_central.v16.handlers import HANDLERS as HANDLERS_16
from app.ocpp_central.v201.handlers import HANDLERS as HANDLERS_201

pytestmark = [pytest.mark.database, pytest.mark.asyncio(loop_scope="module")]

NAMES = {V16: ("ocpp.v16", "", sorted(HANDLERS_16)), V201: ("ocpp.v201", "Request", sorted(HANDLERS_201))}
NEVER_REFUSED = {"BootNotification", "Heartbeat", "MeterValues", "StatusNotification", "StopTransaction"}
IDS = st.text(min_size=1, max_size=36).filter(lambda text: not text.startswith("beat"))
MANY = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)


@st.composite
def calls(draw: Any, version: str) -> list[Any]:
    package, suffix, actions = NAMES[version]
    action = draw(st.sampled_from(actions))
    payload = draw(st.one_of(payloads(package, f"{action}{suffix}"), bent_payloads(package, f"{action}{suffix}")))
    return [2, draw(IDS), action, payload]


FRAMES = st.one_of(
    JUNK,
    st.tuples(st.sampled_from([2, 3, 4, 5, "2", None, 2.0]), IDS | JUNK, JUNK, JUNK),
    st.tuples(st.just(3), IDS, JUNK),
    st.tuples(st.just(4), IDS, JUNK, JUNK, JUNK),
    st.tuples(st.just(2), IDS, st.text(max_size=60), st.dictionaries(st.text(max_size=8), JUNK, max_size=3)),
)


class Guest:
    """A connected station that says one thing, and then asks for the time."""

    def __init__(self, version: str, charger: Any) -> None:
        self.version = version
        self.charger = charger
        self.beats = itertools.count(1)

    async def answers_to(self, text: str) -> list[list[Any]]:
        """Return what comes back before the heartbeat behind it is answered."""
        beat = f"beat{next(self.beats)}"
        await self.charger.send(text)
        await self.charger.send([2, beat, "Heartbeat", {}])
        found = []
        while (frame := await self.charger.frame())[1] != beat:
            found.append(frame)
        assert frame[0] == 3, frame
        return found


@pytest_asyncio.fixture(loop_scope="module", params=[V16, V201])
async def guest(request, house):
    station_id = await house.new_station(request.param)
    async with plugged(house.port, station_id, f"ocpp{request.param}") as charger:
        yield Guest(request.param, charger)


def may_be_refused(action: str, payload: dict[str, Any]) -> bool:
    """A transaction message is refused only where it lacks its very subject; other calls where the schema says so."""
    if action == "StartTransaction":
        return type(payload.get("connectorId")) not in (int, float, str)
    if action == "TransactionEvent":
        info = payload.get("transactionInfo")
        ref = info.get("transactionId") if isinstance(info, dict) else None
        kinds = {"Started", "Updated", "Ended"}
        return not isinstance(ref, str) or not ref.strip() or payload.get("eventType") not in kinds
    return action not in NEVER_REFUSED


@given(data=st.data())
@MANY
async def test_every_call_gets_exactly_one_answer_and_transaction_messages_no_error(guest, neighbours, data):
    message = data.draw(calls(guest.version))
    text = json.dumps(message)
    answers = await guest.answers_to(text)
    frame = parse(text)
    assert isinstance(frame, Call)
    assert len(answers) == 1, answers
    (answer,) = answers
    assert answer[1] == frame.message_id
    if answer[0] == 4:
        assert may_be_refused(frame.action, frame.payload), (frame, answer)
        assert answer[2] != "InternalError"
    neighbours.unharmed()


@given(data=st.data())
@MANY
async def test_no_frame_ends_a_session_or_harms_a_neighbour(guest, neighbours, data):
    text = data.draw(FRAMES.map(json.dumps) | st.text(max_size=200))
    answers = await guest.answers_to(text)
    assert len(answers) <= 1
    assert all(answer[0] in (3, 4) and answer[2] != "InternalError" for answer in answers)
    assert guest.charger.socket.close_code is None
    neighbours.unharmed()


async def test_the_neighbours_lost_nothing(neighbours):
    await neighbours.settle()
