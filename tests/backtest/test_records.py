"""Records are read strictly, with clocks as they are meant."""

import gzip
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.backtest.records import read_series, read_sessions
from app.domain.errors import Invalid


def test_sessions_keep_the_clock_as_written_and_are_sorted(files):
    records = read_sessions(files["sessions"])
    assert [record.arrived_at for record in records[:2]] == [datetime(2019, 5, 1, 8, 5), datetime(2019, 5, 1, 9)]
    assert (records[0].delivered_wh, records[0].requested_wh, records[0].user) == (10_000, 20_000, "u1")


def test_with_a_zone_instants_are_put_on_its_clock(files):
    (record, *_) = read_sessions(files["sessions"], ZoneInfo("UTC"))
    assert record.arrived_at == datetime(2019, 5, 1, 15, 5)


def test_without_a_declaration_nothing_is_made_up(tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("arrival,departure,delivered_kwh\n2019-05-01 08:00,2019-05-01 12:00,5\n")
    (record,) = read_sessions(path)
    assert record.declared_at is None
    assert record.requested_wh is None


def test_a_compressed_file_reads_like_a_plain_one(files, tmp_path):
    packed = tmp_path / "sessions.csv.gz"
    packed.write_bytes(gzip.compress(files["sessions"].read_bytes()))
    assert read_sessions(packed) == read_sessions(files["sessions"])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("2019-05-01 08:00,2019-05-01 07:00,5", "before the arrival"),
        ("yesterday,2019-05-01 07:00,5", "'yesterday' is no ISO 8601 time"),
        ("2019-05-01 08:00,2019-05-01 09:00,much", "delivered_kwh 'much' is no number"),
        ("2019-05-01 08:00,2019-05-01 09:00,-1", "between 0 and 1000"),
        ("2019-05-01 08:00,2019-05-01 09:00,nan", "between 0 and 1000"),
        ("2019-05-01 08:00,,5", "departure missing"),
    ],
)
def test_a_bad_session_is_named_by_file_and_line(tmp_path, line, why):
    path = tmp_path / "bad.csv"
    path.write_text(f"arrival,departure,delivered_kwh\n2019-05-01 08:00,2019-05-01 12:00,5\n{line}\n")
    with pytest.raises(Invalid, match=why) as refused:
        read_sessions(path)
    assert refused.value.field == f"{path}:3"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"arrival,departure,delivered_kwh\n", b""])
def test_a_file_that_is_no_table_of_sessions_is_refused(tmp_path, content):
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    with pytest.raises(Invalid):
        read_sessions(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(Invalid) as refused:
        read_series(tmp_path / "none.csv")
    assert "none.csv" in str(refused.value.field)


def test_a_series_gives_the_mean_power_of_its_step_and_none_in_a_gap(files):
    solar = read_series(files["solar"])
    assert solar.step == timedelta(minutes=15)
    assert solar.mean_w(datetime(2012, 5, 1, 10, 20)) == 5000
    assert solar.mean_w(datetime(2013, 5, 1, 10, 20)) is None
    assert read_series(files["load"]).mean_w(datetime(2019, 5, 1, 10, 45)) == 1000


def test_a_series_without_years_names_the_end_of_its_hours_and_repeats_every_year(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("time,power_kw\n01/01  01:00:00,1\n01/01  02:00:00,2\n01/01  24:00:00,24\n")
    load = read_series(path)
    assert load.mean_w(datetime(2019, 1, 1, 0, 30)) == 1000
    assert load.mean_w(datetime(2031, 1, 1, 1, 0)) == 2000
    assert load.mean_w(datetime(2019, 1, 1, 23, 59)) == 24_000
