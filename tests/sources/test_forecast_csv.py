"""A forecast as CSV: what it says in W, and the line and column of what cannot be meant."""

from datetime import timedelta

import pytest

from app.domain.errors import Invalid
from app.sources.forecast_csv import read_forecast

ROWS = """time,pv_kw,building_kw
2026-04-01T16:00:00+09:00,1.5,3
2026-04-01T16:30:00+09:00,2.5,4
"""


def test_rows_are_steps():
    table = read_forecast(ROWS)
    assert table.starts_at.isoformat() == "2026-04-01T16:00:00+09:00"
    assert (table.step, table.pv_w, table.building_w) == (timedelta(minutes=30), (1500.0, 2500.0), (3000.0, 4000.0))
    assert table.p10_w is None


def test_a_band_may_stand_beside():
    rows = ROWS.replace("kw\n", "kw,pv_p10_kw,pv_p90_kw\n").replace(",3\n", ",3,1,2\n").replace(",4\n", ",4,2,3\n")
    table = read_forecast("\ufeff" + rows)
    assert (table.p10_w, table.p90_w) == ((1000.0, 2000.0), (2000.0, 3000.0))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "line 1"),
        (ROWS.replace("pv_kw", "pv"), "line 1"),
        (ROWS.replace("1.5", "sun"), "line 2, pv_kw"),
        (ROWS.replace("2.5", "-1"), "line 3, pv_kw"),
        (ROWS.replace("2.5", "inf"), "line 3, pv_kw"),
        (ROWS.replace("+09:00,2.5", ",2.5"), "line 3, time"),
        (ROWS.replace("2.5,4", "2.5"), "line 3, building_kw"),
        (ROWS + "2026-04-01T16:45:00+09:00,1,1\n", "line 4, time"),
        ("\n".join(ROWS.splitlines()[:2]), "line 2"),
        (ROWS.replace("1.5", '"1.5'), "line 3"),
    ],
)
def test_what_cannot_be_meant_is_named_by_line_and_column(text, field):
    with pytest.raises(Invalid) as caught:
        read_forecast(text)
    assert caught.value.field == field


def test_endless_rows_are_refused():
    with pytest.raises(Invalid, match="more than"):
        read_forecast(ROWS + "2026-04-01T16:30:00+09:00,2.5,4\n" * 2000)
