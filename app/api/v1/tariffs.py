"""What a site's grid costs and emits. A site file says the same in TOML."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, Field, StringConstraints

from app.api.deps import Operator, Transaction
from app.api.models import In, SiteIdPath, Text
from app.api.problems import documented
from app.domain.tariff import WEEKDAYS, Tariff, document_of, quarter_of, tariff_of
from app.operations import tariffs
from app.scheduling.tariff import MOST_PERIODS_COUNT

router = APIRouter(prefix="/v1/sites/{site_id}/tariff", tags=["sites"])


def _on_a_quarter(value: str) -> str:
    quarter_of(value)
    return value


def _once_in_order(days: list[str]) -> list[str]:
    return sorted(set(days), key=WEEKDAYS.index)


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Weekdays = Annotated[list[Weekday], Field(min_length=1, max_length=len(WEEKDAYS)), AfterValidator(_once_in_order)]
Clock = Annotated[
    str, AfterValidator(_on_a_quarter), Field(description="HH:MM on a quarter of an hour", examples=["08:00", "24:00"])
]
Price = Annotated[float, Field(strict=True, ge=0, le=100_000, allow_inf_nan=False, description="of a kWh")]
Co2 = Annotated[float, Field(strict=True, ge=0, le=5_000, allow_inf_nan=False, description="grams per kWh")]
Currency = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(description="ISO 4217; needed with a price", examples=["JPY"])
]
Co2Source = Annotated[
    Text,
    Field(
        description="needed with CO2: whose factor it is (they are per retailer, menu and fiscal year)",
        examples=["adjusted factor of our retailer's menu, fiscal year 2025"],
    ),
]


def _every_day() -> list[Weekday]:
    return ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class TariffPeriodIn(In):
    """A part of the week. With `to` before `from` it goes on past midnight; `days` are those on which it begins."""

    days: Annotated[Weekdays, Field(default_factory=_every_day)]
    begins: Annotated[Clock, Field(alias="from")]
    ends: Annotated[Clock, Field(alias="to")]
    price_per_kwh: Price | None = None
    co2_g_per_kwh: Co2 | None = None


class TariffIn(In):
    """Price and CO2 of a kWh from the grid by the clock of the site's zone; without periods the same at all times.

    `price_per_kwh` and `co2_g_per_kwh` hold where no period tells its own. No quarter of an hour has two periods, and
    what is told for one is told for all.
    """

    currency: Currency | None = None
    price_per_kwh: Price | None = None
    co2_g_per_kwh: Co2 | None = None
    co2_source: Co2Source | None = None
    periods: Annotated[list[TariffPeriodIn], Field(max_length=MOST_PERIODS_COUNT, default_factory=list)]

    def tariff(self) -> Tariff:
        """Return it as a value."""
        return tariff_of(self.model_dump(by_alias=True))

    @classmethod
    def of(cls, tariff: Tariff) -> "TariffIn":
        """Return a tariff as it is described."""
        document: dict[str, Any] = document_of(tariff)
        return cls.model_validate(document)


@router.put("", responses=documented("not_found"), operation_id="put_tariff", summary="Set a site's tariff")
async def put_tariff(tx: Transaction, _: Operator, site_id: SiteIdPath, body: TariffIn) -> TariffIn:
    """Set what the grid costs and emits; the next plan reckons with it."""
    return TariffIn.of(await tariffs.put(tx, site_id, body.tariff()))


@router.get("", responses=documented("not_found"), operation_id="get_tariff", summary="Get a site's tariff")
async def get_tariff(tx: Transaction, _: Operator, site_id: SiteIdPath) -> TariffIn:
    """Get what the grid costs and emits; it can be sent back as it is."""
    return TariffIn.of(await tariffs.get(tx, site_id))


@router.delete(
    "", status_code=204, responses=documented("not_found"), operation_id="remove_tariff", summary="Remove a tariff"
)
async def remove_tariff(tx: Transaction, _: Operator, site_id: SiteIdPath) -> None:
    """Forget the tariff: to the planner all of the grid is alike again."""
    await tariffs.remove(tx, site_id)
