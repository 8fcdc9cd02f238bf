"""Commands on variable monitors: what a station watches of its own accord (OCPP 2.0.1 N02 to N06)."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from app.api.models import EvseNumber, In
from app.api.v1.command_desk import ANSWERS, Desk, JobOut, OutcomeOut
from app.domain.device import Variable
from app.domain.monitors import (
    ClearMonitors,
    Monitor,
    MonitoringBase,
    MonitorKind,
    ReadMonitors,
    SetMonitoringBase,
    SetMonitoringLevel,
    SetMonitors,
)

router = APIRouter(prefix="/v1/stations/{station_id}/commands", tags=["commands"], responses=ANSWERS)

Severity = Annotated[int, Field(strict=True, ge=0, le=9, description="0: danger … 9: debug")]
MonitorNumber = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[\x20-\x7e]+$")]
Number = Annotated[float, Field(strict=True, ge=-1e9, le=1e9, allow_inf_nan=False)]


class MonitoringBaseIn(In):
    """Which monitors are in force."""

    base: MonitoringBase


class MonitoringLevelIn(In):
    """Events up to this severity are reported."""

    severity: Severity


class MonitorIn(In):
    """One monitor; `value` is a threshold in the variable's own unit, or seconds for the periodic kinds."""

    component: Name
    variable: Name
    kind: MonitorKind
    value: Number
    severity: Severity
    evse_number: EvseNumber | None = None
    monitor_id: MonitorNumber | None = None


class SetMonitorsIn(In):
    """Monitors to set, or (with `monitor_id`) to replace."""

    monitors: Annotated[list[MonitorIn], Field(min_length=1, max_length=50)]


class ClearMonitorsIn(In):
    """Monitors by their numbers."""

    monitor_ids: Annotated[list[MonitorNumber], Field(min_length=1, max_length=100)]


@router.post("/set-monitoring-base", operation_id="set_monitoring_base", summary="Choose which monitors are in force")
async def set_monitoring_base(desk: Desk, body: MonitoringBaseIn) -> OutcomeOut:
    """Go back to the factory's monitors, to the hard-wired ones, or to all."""
    return await desk.send(SetMonitoringBase(body.base))


@router.post("/set-monitoring-level", operation_id="set_monitoring_level", summary="Choose what is reported")
async def set_monitoring_level(desk: Desk, body: MonitoringLevelIn) -> OutcomeOut:
    """Have events reported up to a severity."""
    return await desk.send(SetMonitoringLevel(body.severity))


@router.post("/set-monitors", operation_id="set_monitors", summary="Set monitors")
async def set_monitors(desk: Desk, body: SetMonitorsIn) -> OutcomeOut:
    """Have the station watch variables; `detail.monitors` tells how each one was taken."""
    return await desk.send(SetMonitors(tuple(_monitor(each) for each in body.monitors)))


def _monitor(given: MonitorIn) -> Monitor:
    variable = Variable(given.component, given.variable, None, evse_number=given.evse_number)
    return Monitor(variable, given.kind, f"{given.value:g}", given.severity, given.monitor_id)


@router.post("/clear-monitors", operation_id="clear_monitors", summary="Clear monitors")
async def clear_monitors(desk: Desk, body: ClearMonitorsIn) -> OutcomeOut:
    """Have the station no longer watch; `detail.monitors` tells how each one was taken."""
    return await desk.send(ClearMonitors(tuple(body.monitor_ids)))


@router.post("/read-monitors", operation_id="read_monitors", summary="Have the monitors reported")
async def read_monitors(desk: Desk) -> JobOut:
    """Have the station report its monitors as events of kind `monitors`."""
    return await desk.start_job("monitors", ReadMonitors)
