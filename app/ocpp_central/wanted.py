"""What we depend on at a station, and how what it says about itself is read: the same for both dialects.

A dialect's `Setup` (`v16.wanted`, `v201.wanted`) names the settings; `onboarding` reads and writes them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from app.domain.capabilities import Capabilities
from app.domain.device import Variable
from app.domain.upkeep import ReportBase

MEASURANDS = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage"
REGISTER = "Energy.Active.Import.Register"
TRUE_WORDS, FALSE_WORDS = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}
HIGHEST_COUNT, HIGHEST_WHOLE = 10_000, 2**53
LONGEST_ODDITY_COUNT = 60


@dataclass(frozen=True, slots=True)
class Needs:
    """What this installation asks of stations."""

    meter_interval_s: int
    heartbeat_interval_s: int
    ping_interval_s: int


class Kind(StrEnum):
    """How values of a setting are compared and adapted."""

    NUMBER = "number"
    FLAG = "flag"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One setting that we depend on. A list is in the order of need: its first item is what is kept at least.

    A needed one is tried even where the station does not list it; one that is optional is not missed where it does not
    exist. `fits` replaces the comparison with `value` where more than one value will do.
    """

    name: str
    value: str
    kind: Kind
    is_needed: bool = False
    is_optional: bool = False
    fits: Callable[[str], bool] | None = None

    def is_met_by(self, text: str, value: str | None = None) -> bool:
        """Whether what the station says is as good as wanted, or (`value`) as what it was set to."""
        if self.fits is not None:
            return self.fits(text)
        wanted = self.value if value is None else value
        if self.kind is Kind.NUMBER:
            return whole(text) == whole(wanted)
        if self.kind is Kind.FLAG:
            return flag(text) == flag(wanted)
        return set(items(text)) == set(items(wanted))

    def adapted(self, variable: Variable | None) -> str:
        """Return the nearest value that the station says it takes."""
        values = "" if variable is None else variable.values
        if self.kind is Kind.NUMBER and ".." in values:
            lowest, _, highest = values.partition("..")
            return str(_within(int(self.value), whole(lowest), whole(highest)))
        if self.kind is Kind.LIST and values:
            kept = [item for item in items(self.value) if item in items(values)]
            return ",".join(kept) or items(self.value)[0]
        return self.value


@dataclass(frozen=True, slots=True)
class Setup:
    """How stations of one version are read and set.

    `reports` are the reports that are asked for in turn until one comes; `reads_everything` says that settings can be
    read without naming them. `asked` names what tells the capabilities, for a station that must be asked one by one.
    `variable` returns the variable that a name means.
    """

    reports: tuple[ReportBase, ...]
    reads_everything: bool
    asked: tuple[str, ...]
    variable: Callable[[str], Variable]
    wanted: Callable[[Needs], tuple[Wanted, ...]]
    capabilities: Callable[["Told"], Capabilities]


@dataclass(frozen=True, slots=True)
class Told:
    """What a station says it is made of. Names are compared without case, because stations spell them as they like.

    `by_name` has the variables of the station as a whole, `by_evse` all of the EVSEs' own. `oddities` collects what was
    read and could not be believed.
    """

    by_name: Mapping[str, Variable]
    by_evse: tuple[Variable, ...] = ()
    oddities: list[str] = field(default_factory=list)

    def find(self, *names: str) -> Variable | None:
        """Return the first of these variables that it has."""
        return next((self.by_name[name.lower()] for name in names if name.lower() in self.by_name), None)

    def text(self, *names: str) -> str | None:
        """Return what it says; None where it says nothing."""
        variable = self.find(*names)
        return None if variable is None or not (variable.value or "").strip() else str(variable.value).strip()

    def flag(self, *names: str) -> bool | None:
        """Return a truth; None where it says none."""
        text = self.text(*names)
        return None if text is None else flag(text)

    def count(self, *names: str, lowest: int = 0, highest: int = HIGHEST_COUNT) -> int | None:
        """Return a number within its believable bounds; outside of them it is an oddity, and nothing is known."""
        text = self.text(*names)
        number = None if text is None else whole(text)
        if number is not None and lowest <= number <= highest:
            return number
        if text is not None:
            self.oddities.append(f"{names[0]}={text[:LONGEST_ODDITY_COUNT]}")
        return None

    def items(self, *names: str) -> tuple[str, ...] | None:
        """Return the words of a list; None where it has none."""
        text = self.text(*names)
        return None if text is None else items(text)


def told(variables: Iterable[Variable]) -> Told:
    """Sort what a station has told; of attributes only the actual values count."""
    actual = [variable for variable in variables if variable.attribute == "Actual"]
    by_name = {each.name.lower(): each for each in actual if not each.evse_number}
    return Told(by_name, tuple(each for each in actual if each.evse_number))


def with_oddities(capabilities: Capabilities, told: Told) -> Capabilities:
    """Return the capabilities with what was not believed on the way to them."""
    return replace(capabilities, oddities=tuple(told.oddities))


def items(text: str) -> tuple[str, ...]:
    """Return the words of a list that is written with commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def flag(text: str) -> bool | None:
    """Return a truth in any of its spellings; None for none."""
    word = text.strip().lower()
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None


def whole(text: str) -> int | None:
    """Return a whole number (also written as "60.0"); None for none, or for one that no device can mean."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() and abs(number) < HIGHEST_WHOLE else None


def _within(number: int, lowest: int | None, highest: int | None) -> int:
    raised = number if lowest is None else max(number, lowest)
    return raised if highest is None else min(raised, highest)
