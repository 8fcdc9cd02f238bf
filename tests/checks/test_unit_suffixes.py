import subprocess
import sys
from pathlib import Path

import pytest

from checks import unit_rules, unit_suffixes
from checks.unit_suffixes import has_unit, problems, unused_excuses

ROOT = Path(__file__).parents[2]
FILE = "app/scheduling/example.py"


def reasons(text: str, path: str = FILE) -> list[str]:
    return [f"{problem.name}: {problem.reason}" for problem in problems(path, text)]


@pytest.mark.parametrize(
    "name",
    [
        "power_w", "_power_w", "LIMIT_W", "max_current_a", "consumption_wh_per_km", "w_per_a", "slope_w_per_wh",
        "price_jpy_per_kwh", "solar_share", "capture_ratio", "timeout_s", "step_minutes", "kw_from_w",
        "power_w_by_step", "surplus_w_at", "by_car_wh",
        "energy_for_range_wh", "LEAST_SHARE_OF_NAMEPLATES",
    ],
)  # fmt: skip
def test_a_name_with_a_unit_is_recognised(name):
    assert has_unit(name)


@pytest.mark.parametrize("name", ["power", "w", "a", "window", "limit", "watts_x", "x_from_w", "power_at"])
def test_a_name_without_a_unit_is_recognised(name):
    assert not has_unit(name)


@pytest.mark.parametrize(
    "annotation",
    [
        "float", "float | None", "None | float", "'float | None'", "int | float", "Optional[float]", "list[float]",
        "tuple[float, ...]", "Sequence[float]", "Mapped[float]", "Mapped[float | None]", "Mapped[list[float]]",
        "Annotated[float, Field(gt=0)]", "Annotated[float | None, Field()]", "dict[str, float]", "Mapping[int, float]",
        "np.ndarray", "NDArray[np.float64]", "Final[float]", "typing.Sequence[float]",
    ],
)  # fmt: skip
def test_every_way_to_say_float_asks_for_a_unit(annotation):
    assert reasons(f"class Row:\n    power: {annotation}\n") == ["power: a number without a unit in its name"]
    assert reasons(f"class Row:\n    power_w: {annotation}\n") == []


@pytest.mark.parametrize("annotation", ["str", "int", "bool", "tuple[float, str]", "Callable[[float], float]", "Any"])
def test_other_annotations_ask_for_nothing(annotation):
    assert reasons(f"class Row:\n    thing: {annotation}\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "def f(power: float) -> None: ...",
        "def f(*, power: float = 1.0) -> None: ...",
        "def f(power: float, /) -> None: ...",
        "def f(*power: float) -> None: ...",
        "def f(**power: float) -> None: ...",
        "async def f(power: float) -> None: ...",
        "def outer() -> None:\n    def f(power: float) -> None: ...",
        "class C:\n    def f(self, power: float) -> None: ...",
        "def power() -> float: ...",
        "def power() -> float | None: ...",
        "class C:\n    @property\n    def power(self) -> float: ...",
        "power: float = 3",
        "power = 3.0",
        "class C:\n    power = 3.0",
    ],
)
def test_parameters_functions_constants_and_fields_are_seen(text):
    assert reasons(text) == ["power: a number without a unit in its name"]


def test_a_local_variable_and_a_magic_method_are_left_alone():
    assert reasons("def f() -> None:\n    ratio_like = 0.5\n") == []
    assert reasons("class C:\n    def __float__(self) -> float: ...\n") == []


@pytest.mark.parametrize("many", ["tuple[float, ...]", "dict[str, float]", "list[float] | None", "np.ndarray"])
def test_an_act_that_returns_many_numbers_is_named_by_its_verb(many):
    assert reasons(f"def round_targets() -> {many}: ...") == []


def test_a_parameter_that_may_be_anything_is_called_value_and_a_field_is_not():
    assert reasons("def f(value: float) -> None: ...\ndef g(value: datetime) -> None: ...") == []
    assert reasons("class C:\n    value: float\n") == ["value: a number without a unit in its name"]


def test_a_whole_number_needs_a_unit_where_its_name_speaks_of_a_quantity():
    assert reasons("call_timeout: int = 30") == ["call_timeout: a quantity without a unit in its name"]
    assert reasons("call_timeout_s: int = 30\nretries: int = 3\ninterval_no: int = 1") == []


@pytest.mark.parametrize("name", ["start", "until", "booked", "deadline", "attribute"])
def test_an_instant_ends_in_at(name):
    assert reasons(f"def f({name}: datetime | None) -> None: ...") == [
        f"{name}: an instant whose name does not end in _at"
    ]
    assert reasons(f"class C:\n    {name}_at: Mapped[datetime]\n") == []


def test_at_and_now_are_instants():
    assert reasons("def f(at: datetime, now: datetime, left_by_at: datetime) -> datetime: ...") == []


def test_a_timedelta_carries_its_own_unit():
    assert reasons("class C:\n    lease_s: timedelta\n    settle_minutes: timedelta | None\n") == [
        "lease_s: a timedelta carries its own unit",
        "settle_minutes: a timedelta carries its own unit",
    ]
    assert reasons("class C:\n    lease: timedelta\n    departure_buffer: timedelta\n") == []


def test_kilowatts_stay_at_the_edge():
    inside, edge = "class Spec:\n    limit_kw: float\n", "class SiteIn:\n    limit_w: float\n    wh_per_km: float\n"
    assert reasons(inside, "app/domain/site.py") == ["limit_kw: inside the house power is in W and energy in Wh"]
    assert reasons(inside, "app/demo/site.py") == []
    assert reasons(edge, "app/api/v1/sites.py") == ["limit_w: the API speaks kW and kWh"]
    assert reasons("def w_from_kw(power_kw: float) -> float: ...", "app/domain/units.py") == []


def test_an_excuse_counts_in_its_place_only(monkeypatch):
    monkeypatch.setattr(unit_suffixes, "EXCUSED", {("app/a.py", "speed"): "why", ("app/b/", "speed"): "why"})
    text = "speed: float"
    assert reasons(text, "app/a.py") == []
    assert reasons(text, "app/b/c/d.py") == []
    assert reasons(text, "app/c.py") == ["speed: a number without a unit in its name"]
    assert unused_excuses([("app/a.py", text), ("app/b/c/d.py", "speed_w: float")]) == [("app/b/", "speed")]


def test_every_excuse_has_a_reason():
    assert all(reason.strip() for reason in unit_rules.EXCUSED.values())


def test_a_problem_names_file_line_and_name():
    assert [str(problem) for problem in problems(FILE, "import x\n\npower: float = 3")] == [
        f"{FILE}:3: power: a number without a unit in its name"
    ]


def test_the_command_fails_on_a_deliberate_violation(tmp_path):
    for package in ("checks", "app"):
        (tmp_path / package).mkdir()
    for source in (ROOT / "checks").glob("*.py"):
        (tmp_path / "checks" / source.name).write_text(source.read_text())
    (tmp_path / "checks" / "unit_rules.py").write_text(
        (ROOT / "checks" / "unit_rules.py").read_text() + "\nEXCUSED.clear()\n"
    )
    (tmp_path / "app" / "bad.py").write_text("POWER = 3.0\n")
    command = [sys.executable, "-m", "checks.unit_suffixes"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    assert run.stdout == "app/bad.py:1: POWER: a number without a unit in its name\n"
    (tmp_path / "app" / "bad.py").write_text("POWER_W = 3.0\n")
    assert subprocess.run(command, cwd=tmp_path, timeout=60, check=False).returncode == 0
