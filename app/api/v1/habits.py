"""How people really come and go, as far as it is known: to look at, to have forgotten, and not to be learnt at all."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BeforeValidator, Field

from app.api.deps import DriverOrOperator, Operator, Transaction
from app.api.models import In, KwhOut, Out, SiteIdPath
from app.api.problems import documented
from app.operations import habits
from app.operations.access import owner_of
from app.operations.habits import DriverHabits, Habits, Usual, local_time

router = APIRouter(tags=["habits"])

Share = Annotated[float, BeforeValidator(lambda share: round(share, 4))]


class UsualTimeOut(Out):
    """Quartiles of a time of day in the site's zone, as HH:MM: half of all lie between `early` and `late`."""

    early: str
    middle: str
    late: str


class UsualMinutesOut(Out):
    """Quartiles of a span; negative: earlier."""

    low_minutes: int
    middle_minutes: int
    high_minutes: int


class UsualEnergyOut(Out):
    """Quartiles of an energy."""

    low_kwh: KwhOut = Field(validation_alias="low")
    middle_kwh: KwhOut = Field(validation_alias="middle")
    high_kwh: KwhOut = Field(validation_alias="high")


class UsualShareOut(Out):
    """Quartiles of a share."""

    low_share: Share = Field(validation_alias="low")
    middle_share: Share = Field(validation_alias="middle")
    high_share: Share = Field(validation_alias="high")


class HabitsOut(Out):
    """What stays at one site have in common; null where there are too few stays (3 of a driver, 5 of a site).

    `later_than_said` is by how much cars leave later than was said, over the `said_count` stays where it was,
    `early_share` how many of those leave more than 15 minutes early; `taken_of_asked` what is taken of what was asked.
    """

    site_id: str
    zone: str
    stays_count: int
    since_at: datetime | None
    said_count: int
    departure: UsualTimeOut | None
    later_than_said: UsualMinutesOut | None
    early_share: Share | None
    taken: UsualEnergyOut | None
    asked: UsualEnergyOut | None
    taken_of_asked: UsualShareOut | None
    words: Annotated[str, Field(description="the same in words")]


class DriverHabitsOut(Out):
    """A driver's habits by site. `is_learning`: stays are kept as this driver's. `forgotten_at`: all before is gone."""

    driver_id: UUID
    is_learning: bool
    forgotten_at: datetime | None
    stays_count: int
    sites: tuple[HabitsOut, ...]


class LearningIn(In):
    """Whether to learn from this driver's stays."""

    is_learning: Annotated[bool, Field(strict=True)]


class LearntOut(Out):
    """What the site plans with: learnt when, how, and from how many stays."""

    learnt_at: datetime
    method: str
    stays_count: int


class SiteHabitsOut(Out):
    """A site's habits; `learnt` is null until something is learnt."""

    habits: HabitsOut
    learnt: LearntOut | None


def _time(minutes: float) -> str:
    return local_time(minutes).strftime("%H:%M")


def _times(usual: Usual | None) -> UsualTimeOut | None:
    if usual is None:
        return None
    return UsualTimeOut(early=_time(usual.low), middle=_time(usual.middle), late=_time(usual.high))


def _minutes(usual: Usual | None) -> UsualMinutesOut | None:
    if usual is None:
        return None
    low, middle, high = (round(value) for value in (usual.low, usual.middle, usual.high))
    return UsualMinutesOut(low_minutes=low, middle_minutes=middle, high_minutes=high)


def _words(found: Habits) -> str:
    """Return what is known in one or two sentences."""
    departure, taken = _times(found.departure_minutes), found.taken_wh
    if departure is None or taken is None:
        return f"{found.stays_count} stays are known: too few to say anything."
    words = f"Half of {found.stays_count} stays ended between {departure.early} and {departure.late} ({found.zone})"
    later = _minutes(found.later_minutes)
    if later is not None:
        side = "later" if later.middle_minutes >= 0 else "earlier"
        words += f", usually {abs(later.middle_minutes)} minutes {side} than was said"
    words += f". Usually {taken.middle / 1000:.1f} kWh were taken"
    if found.asked_wh is not None:
        words += f" where {found.asked_wh.middle / 1000:.1f} kWh were asked for"
    return f"{words}."


def _habits_out(found: Habits) -> HabitsOut:
    return HabitsOut(
        site_id=found.site_id,
        zone=found.zone,
        stays_count=found.stays_count,
        since_at=found.since_at,
        said_count=found.said_count,
        departure=_times(found.departure_minutes),
        later_than_said=_minutes(found.later_minutes),
        early_share=found.early_share,
        taken=None if found.taken_wh is None else UsualEnergyOut.model_validate(found.taken_wh),
        asked=None if found.asked_wh is None else UsualEnergyOut.model_validate(found.asked_wh),
        taken_of_asked=None if found.taken_share is None else UsualShareOut.model_validate(found.taken_share),
        words=_words(found),
    )


def _driver_out(found: DriverHabits) -> DriverHabitsOut:
    return DriverHabitsOut(
        driver_id=found.driver_id,
        is_learning=found.is_learnt_from,
        forgotten_at=found.forgotten_at,
        stays_count=found.stays_count,
        sites=tuple(_habits_out(each) for each in found.sites),
    )


@router.get(
    "/v1/drivers/{driver_id}/habits",
    responses=documented("not_found"),
    operation_id="get_driver_habits",
    summary="Get what is known of a driver's habits",
)
async def get_driver_habits(tx: Transaction, caller: DriverOrOperator, driver_id: UUID) -> DriverHabitsOut:
    """Get when the driver usually leaves and what the car takes, and against what was said; drivers see their own."""
    return _driver_out(await habits.of_driver(tx, driver_id, owner_of(caller)))


@router.put(
    "/v1/drivers/{driver_id}/habits",
    responses=documented("not_found"),
    operation_id="put_driver_habits",
    summary="Say whether to learn from a driver's stays",
)
async def put_driver_habits(
    tx: Transaction, caller: DriverOrOperator, driver_id: UUID, body: LearningIn
) -> DriverHabitsOut:
    """Learn from the driver's stays, or forget what is known and keep further stays without the driver."""
    owner_id = owner_of(caller)
    found = await habits.set_learning(tx, driver_id, is_learnt_from=body.is_learning, owner_id=owner_id)
    return _driver_out(found)


@router.delete(
    "/v1/drivers/{driver_id}/habits",
    status_code=204,
    responses=documented("not_found"),
    operation_id="forget_driver_habits",
    summary="Forget a driver's habits",
)
async def forget_driver_habits(tx: Transaction, caller: DriverOrOperator, driver_id: UUID) -> None:
    """Delete the driver's past stays and all that was learnt of them; learning begins anew."""
    await habits.forget(tx, driver_id, owner_of(caller))


@router.get(
    "/v1/sites/{site_id}/habits",
    responses=documented("not_found"),
    operation_id="get_site_habits",
    summary="Get what is known of a site's habits",
)
async def get_site_habits(tx: Transaction, _: Operator, site_id: SiteIdPath) -> SiteHabitsOut:
    """Get when cars usually leave and what they take; nothing but their number below 5 stays."""
    found = await habits.of_site(tx, site_id)
    learnt = None if found.learnt is None else LearntOut.model_validate(found.learnt)
    return SiteHabitsOut(habits=_habits_out(found.habits), learnt=learnt)
