"""One day drawn, and what is refused before anything is measured."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from app.backtest.asked import drawing_of
from app.backtest.drawing import draw
from app.backtest.runs import Drawing, Question
from app.backtest.table import day_of
from app.backtest.yardstick import courses, lay_out
from app.domain.errors import Invalid


def asked(files) -> Question:
    return Question(
        files["sessions"], files["solar"], files["load"], shift_years=7, weekdays=True, policies=("uncontrolled",)
    )


def test_a_day_is_drawn_with_a_panel_per_policy(files, tmp_path):
    question = asked(files)
    material = lay_out(question)
    went = courses(question, material, drawn_day=date(2019, 5, 1))
    drawn = {name: course.drawn for name, course in went.items() if course.drawn is not None}
    assert list(drawn) == ["perfect-foresight", "uncontrolled"]
    path = tmp_path / "day.svg"
    draw(drawn, path)
    assert path.read_text().count('<g id="axes_') == 4  # the sun's with the cars' own scale, and two policies


def test_the_day_of_median_sun_is_chosen_and_one_that_is_not_replayed_refused(files):
    material = lay_out(asked(files))
    assert day_of(material, Drawing(Path("day.png"))) in [day.date for day in material.days]
    by_sun = replace(material, days=[replace(day, surplus_w=day.surplus_w * 0) for day in material.days[:1]])
    assert day_of(by_sun, Drawing(Path("day.png"))) == date(2019, 5, 1)
    with pytest.raises(Invalid) as refused:
        day_of(material, Drawing(Path("day.png"), date(2019, 5, 5)))
    assert refused.value.field == "--plot-day"


@pytest.mark.parametrize(("name", "day", "option"), [("day.exe", None, "--plot"), ("day.png", "soon", "--plot-day")])
def test_a_file_or_day_that_cannot_be_drawn_is_refused(name, day, option):
    with pytest.raises(Invalid) as refused:
        drawing_of(Path(name), day)
    assert refused.value.field == option
