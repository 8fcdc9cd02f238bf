"""The raw door for experts: a call in the standard's own words, gated, and the station's reply as it came."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Path
from fastapi.responses import JSONResponse

from app.api.v1.command_desk import ANSWERS, Desk
from app.domain.errors import Invalid
from app.domain.raw import RawCall

router = APIRouter(prefix="/v1/stations/{station_id}/ocpp", tags=["commands"], responses=ANSWERS)

Action = Annotated[str, Path(pattern=r"^[A-Za-z0-9]{1,64}$", description="as the standard spells it")]
Content = Annotated[dict[str, Any], Body(description="the call's payload as the standard spells it")]


@router.post("/{action}", operation_id="call_station", summary="Send a call in the standard's own words")
async def call_station(desk: Desk, action: Action, body: Content) -> JSONResponse:
    """Send any OCPP message that a central system may send, and return the station's reply as it came.

    What may change a charging limit passes the scheduler's gate: it is refused where the site has no room for it.
    """
    _check_sendable(body)
    reply = await desk.call(RawCall(action, body))
    return JSONResponse(reply.payload)


def _check_sendable(body: dict[str, Any]) -> None:
    """Raise Invalid for what Python reads as JSON and a frame cannot carry: NaN, huge integers, half characters."""
    try:
        is_same = orjson.loads(orjson.dumps(body)) == body
    except TypeError:
        is_same = False
    if not is_same:
        raise Invalid("holds a number or a text that JSON cannot carry", field="body")
