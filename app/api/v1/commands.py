"""Commands on sessions, settings and connectors. Limits are not among them: the scheduler alone sets those."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from app.api.models import Card, EvseNumber, In
from app.api.v1.command_desk import ANSWERS, Desk, JobOut, OutcomeOut, outcome_out
from app.domain.commands import (
    Accepted,
    ClearProfile,
    Outcome,
    ProfilePurpose,
    RateUnit,
    ReadComposite,
    ReadSettings,
    Reboot,
    StartSession,
    Trigger,
    WriteSetting,
)
from app.domain.upkeep import ReadProfiles, SetAvailability, Unlock
from app.operations import numbers, obedience, onboarding, station_commands
from app.operations.transaction import Tx

router = APIRouter(prefix="/v1/stations/{station_id}/commands", tags=["commands"], responses=ANSWERS)

SettingName = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,100}$")]
SettingValue = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00-\x1f\x7f]*$")]
ConnectorNumber = Annotated[int, Field(strict=True, ge=1, le=16)]
StationOrEvse = Annotated[int, Field(strict=True, ge=0, le=64, description="0: the whole station")]


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

    message: Literal[
        "boot",
        "heartbeat",
        "status",
        "meter_values",
        "firmware_status",
        "log_status",
        "diagnostics_status",
        "sign_certificate",
    ]
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


class TrustIn(In):
    """Which EVSE; None: all of the station."""

    evse_number: EvseNumber | None = None


class UnlockIn(In):
    """Give the cable of a connector free."""

    evse_number: EvseNumber
    connector_number: ConnectorNumber = 1


class AvailabilityIn(In):
    """Take an EVSE, or the whole station, out of service or back."""

    evse_number: StationOrEvse
    is_operative: Annotated[bool, Field(strict=True)]


class SessionStatusIn(In):
    """About one session; nothing given: whether messages of any session wait at the station."""

    session_id: UUID | None = None


class ReadProfilesIn(In):
    """Of one EVSE, or of all."""

    evse_number: EvseNumber | None = None


@router.post("/start", operation_id="start_session", summary="Start a session")
async def start(desk: Desk, body: StartIn) -> OutcomeOut:
    """Ask the station to start charging; the limit comes from the plan as always."""
    remote_start_id = numbers.remote_start_id()
    return await desk.send(StartSession(body.evse_number, body.token.upper(), remote_start_id))


@router.post("/stop", operation_id="stop_session", summary="Stop a session")
async def stop(desk: Desk, body: StopIn) -> OutcomeOut:
    """Ask the station to end a session."""
    async with desk.context.transactions() as tx:
        command = await station_commands.stop_of(tx, desk.station_id, body.session_id)
    return await desk.send(command)


@router.post("/reset", operation_id="reset_station", summary="Reboot a station")
async def reset(desk: Desk, body: ResetIn) -> OutcomeOut:
    """Reboot; until its default limits are proven again the station counts with its nameplate."""
    return await desk.send(Reboot(body.hard))


@router.post("/trigger", operation_id="trigger_message", summary="Have a message sent")
async def trigger(desk: Desk, body: TriggerIn) -> OutcomeOut:
    """Have the station send a message now."""
    return await desk.send(Trigger(body.message, body.evse_number))


@router.post("/read-settings", operation_id="read_settings", summary="Read settings")
async def read_settings(desk: Desk, body: ReadSettingsIn) -> OutcomeOut:
    """Read the station's configuration keys or variables."""
    return await desk.send(ReadSettings(tuple(body.names)))


@router.post("/write-setting", operation_id="write_setting", summary="Write a setting")
async def write_setting(desk: Desk, body: WriteSettingIn) -> OutcomeOut:
    """Write one configuration key or variable that has nothing to do with limits or logging in."""

    async def settle(tx: Tx, result: Outcome | str) -> None:
        if isinstance(result, Accepted):
            await onboarding.overridden(tx, desk.station_id, body.name, body.value)

    return outcome_out(await desk.outcome_of(WriteSetting(body.name, body.value), settle))


@router.post("/clear-profiles", operation_id="clear_profiles", summary="Clear charging profiles")
async def clear_profiles(desk: Desk, body: ClearProfilesIn) -> OutcomeOut:
    """Clear profiles; until its default limits are proven again the station counts with its nameplate.

    Refused where the site has no room for that.
    """
    return await desk.send(ClearProfile(body.evse_number, body.profile_id, body.purpose))


@router.post("/composite-schedule", operation_id="read_composite_schedule", summary="Read the composite schedule")
async def composite_schedule(desk: Desk, body: CompositeIn) -> OutcomeOut:
    """Read what limits the station would apply."""
    return await desk.send(ReadComposite(body.evse_number, body.duration_s, body.unit))


@router.post("/read-profiles", operation_id="read_profiles", summary="Read charging profiles")
async def read_profiles(desk: Desk, body: ReadProfilesIn) -> JobOut:
    """Have the station report its charging profiles as events of kind `profiles` (OCPP 2.0.1)."""
    return await desk.start_job("profiles", lambda request_id: ReadProfiles(request_id, body.evse_number))


@router.post("/trust", operation_id="trust_evses", summary="Trust distrusted EVSEs again", status_code=204)
async def trust(desk: Desk, body: TrustIn) -> None:
    """Have EVSEs that disobeyed proven anew; until that is done they count at nameplate."""
    async with desk.context.transactions() as tx:
        await obedience.trust(tx, desk.station_id, body.evse_number)
    await desk.note("Trust", {"evse_number": body.evse_number}, Accepted())


@router.post("/unlock", operation_id="unlock_connector", summary="Unlock a connector")
async def unlock(desk: Desk, body: UnlockIn) -> OutcomeOut:
    """Give a cable free; a session that runs there goes on or ends as the station sees fit."""
    return await desk.send(Unlock(body.evse_number, body.connector_number))


@router.post("/availability", operation_id="set_availability", summary="Take out of service, or back")
async def availability(desk: Desk, body: AvailabilityIn) -> OutcomeOut:
    """Change availability; `detail.scheduled` says that the station waits for the end of a session."""
    return await desk.send(SetAvailability(body.evse_number, body.is_operative))


@router.post("/session-status", operation_id="read_session_status", summary="Read a session's status")
async def session_status(desk: Desk, body: SessionStatusIn) -> OutcomeOut:
    """Ask whether a session runs at the station and whether it holds back messages (OCPP 2.0.1)."""
    async with desk.context.transactions() as tx:
        command = await station_commands.session_status_of(tx, desk.station_id, body.session_id)
    return await desk.send(command)
