"""Imperative commands to a station. Limits are not among them: the scheduler alone sets those."""

from typing import Annotated, Any, Literal, assert_never
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from app.api.deps import ApiContext, Context, StationCommander
from app.api.models import Card, EvseNumber, In, Out, StationIdPath
from app.api.problems import documented
from app.bus.subjects import station_command
from app.domain.commands import (
    Accepted,
    ClearProfile,
    Command,
    Outcome,
    ProfilePurpose,
    RateUnit,
    ReadComposite,
    ReadSettings,
    Reboot,
    Rejected,
    StartSession,
    Trigger,
    Unsupported,
    WriteSetting,
)
from app.operations import station_commands

router = APIRouter(
    prefix="/v1/stations/{station_id}/commands",
    tags=["commands"],
    responses=documented("not_found", "station_offline", "station_timeout", "station_fault"),
)

SettingName = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,100}$")]
SettingValue = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00-\x1f\x7f]*$")]


class StartIn(In):
    """Start charging at an EVSE for a token."""

    evse_number: EvseNumber
    token: Card


class StopIn(In):
    """End a running session."""

    session_id: UUID


class ResetIn(In):
    """Reboot the station: when idle, or (`hard`) at once."""

    hard: Annotated[bool, Field(strict=True)] = False


class TriggerIn(In):
    """Have the station send a message."""

    message: Literal["boot", "heartbeat", "status", "meter_values"]
    evse_number: EvseNumber | None = None


class ReadSettingsIn(In):
    """Names are the station's own (2.0.1: `Component.Variable`); none given: all (1.6)."""

    names: Annotated[list[SettingName], Field(max_length=50)] = Field(default_factory=list)


class WriteSettingIn(In):
    """Settings that may change a limit or how the station logs in are refused."""

    name: SettingName
    value: SettingValue


class ClearProfilesIn(In):
    """Which profiles; nothing given: all. Defaults are installed and proven again at once."""

    evse_number: EvseNumber | None = None
    profile_id: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] | None = None
    purpose: ProfilePurpose | None = None


class CompositeIn(In):
    """What limits the station says it would apply."""

    evse_number: EvseNumber
    duration_s: Annotated[int, Field(strict=True, ge=1, le=86_400)] = 3_600
    unit: RateUnit = RateUnit.A


class OutcomeOut(Out):
    """What the station answered; `reason` is its own word for not doing it, `detail` what it told."""

    outcome: Literal["accepted", "rejected", "unsupported"]
    reason: str = ""
    detail: dict[str, Any] = Field(default_factory=dict)


def _outcome_out(outcome: Outcome) -> OutcomeOut:
    match outcome:
        case Accepted(detail):
            return OutcomeOut(outcome="accepted", detail=detail)
        case Rejected(reason):
            return OutcomeOut(outcome="rejected", reason=reason)
        case Unsupported(reason):
            return OutcomeOut(outcome="unsupported", reason=reason)
        case _:
            assert_never(outcome)


async def _send(context: ApiContext, station_id: str, command: Command) -> OutcomeOut:
    """Gate, send and conclude; no transaction is open while the station thinks."""
    async with context.transactions() as tx:
        await station_commands.prepare(tx, station_id, command)
    try:
        outcome = await context.bus.ask(station_command(station_id), command, context.command_timeout_s)
    finally:
        async with context.transactions() as tx:
            await station_commands.conclude(tx, station_id, command)
    return _outcome_out(outcome)


@router.post("/start", operation_id="start_session", summary="Start a session")
async def start(context: Context, _: StationCommander, station_id: StationIdPath, body: StartIn) -> OutcomeOut:
    """Ask the station to start charging; the limit comes from the plan as always."""
    command = StartSession(body.evse_number, body.token.upper(), station_commands.remote_start_id())
    return await _send(context, station_id, command)


@router.post("/stop", responses=documented("conflict"), operation_id="stop_session", summary="Stop a session")
async def stop(context: Context, _: StationCommander, station_id: StationIdPath, body: StopIn) -> OutcomeOut:
    """Ask the station to end a session."""
    async with context.transactions() as tx:
        command = await station_commands.stop_of(tx, station_id, body.session_id)
    return await _send(context, station_id, command)


@router.post("/reset", operation_id="reset_station", summary="Reboot a station")
async def reset(context: Context, _: StationCommander, station_id: StationIdPath, body: ResetIn) -> OutcomeOut:
    """Reboot; until its default limits are proven again the station counts with its nameplate."""
    return await _send(context, station_id, Reboot(body.hard))


@router.post("/trigger", operation_id="trigger_message", summary="Have a message sent")
async def trigger(context: Context, _: StationCommander, station_id: StationIdPath, body: TriggerIn) -> OutcomeOut:
    """Have the station send a message now."""
    return await _send(context, station_id, Trigger(body.message, body.evse_number))


@router.post("/read-settings", operation_id="read_settings", summary="Read settings")
async def read_settings(
    context: Context, _: StationCommander, station_id: StationIdPath, body: ReadSettingsIn
) -> OutcomeOut:
    """Read the station's configuration keys or variables."""
    return await _send(context, station_id, ReadSettings(tuple(body.names)))


@router.post("/write-setting", operation_id="write_setting", summary="Write a setting")
async def write_setting(
    context: Context, _: StationCommander, station_id: StationIdPath, body: WriteSettingIn
) -> OutcomeOut:
    """Write one configuration key or variable that has nothing to do with limits or logging in."""
    station_commands.check_setting(body.name)
    return await _send(context, station_id, WriteSetting(body.name, body.value))


@router.post("/clear-profiles", operation_id="clear_profiles", summary="Clear charging profiles")
async def clear_profiles(
    context: Context, _: StationCommander, station_id: StationIdPath, body: ClearProfilesIn
) -> OutcomeOut:
    """Clear profiles; until its default limits are proven again the station counts with its nameplate."""
    return await _send(context, station_id, ClearProfile(body.evse_number, body.profile_id, body.purpose))


@router.post("/composite-schedule", operation_id="read_composite_schedule", summary="Read the composite schedule")
async def composite_schedule(
    context: Context, _: StationCommander, station_id: StationIdPath, body: CompositeIn
) -> OutcomeOut:
    """Read what limits the station would apply."""
    return await _send(context, station_id, ReadComposite(body.evse_number, body.duration_s, body.unit))
