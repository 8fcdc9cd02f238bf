"""Records are read strictly, with clocks as they are meant."""

import gzip
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.backtest.records import clock_of_sessions, read_series, read_sessions
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
        ("2019-05-01 08:00,2019-05-01 09:00,5,A,more", "more cells than the heading names"),
        ("2019-05-01 08:00,2019-05-01 09:00", "delivered_kwh missing"),
        ("2019-05-01 08:00,2019-08-01 09:00,5", "longer than 60 days"),
        ("2019-05-01 25:00,2019-05-01 09:00,5", "no ISO 8601 time"),
        ("0001-01-01 00:00:00+14:00,0001-01-01 09:00:00+14:00,-5", "between 0 and 1000"),
    ],
)
def test_a_bad_session_is_named_by_file_and_line(tmp_path, line, why):
    path = tmp_path / "bad.csv"
    path.write_text(f"arrival,departure,delivered_kwh\n2019-05-01 08:00,2019-05-01 12:00,5\n{line}\n")
    with pytest.raises(Invalid, match=why) as refused:
        read_sessions(path)
    assert refused.value.field == f"{path}:3"


def test_the_same_session_told_twice_is_named_with_the_line_of_the_first(tmp_path):
    path = tmp_path / "twice.csv"
    row = "2019-05-01 08:00,2019-05-01 12:00,5,A"
    path.write_text(f"arrival,departure,delivered_kwh,station\n{row}\n{row}\n")
    with pytest.raises(Invalid, match="same session as line 2") as refused:
        read_sessions(path)
    assert refused.value.field == f"{path}:3"


def test_byte_order_marks_and_foreign_line_ends_are_read(files, tmp_path):
    path = tmp_path / "windows.csv"
    path.write_bytes(b"\xef\xbb\xbf" + files["sessions"].read_bytes().replace(b"\n", b"\r\n"))
    assert read_sessions(path) == read_sessions(files["sessions"])


def test_a_broken_archive_is_refused(files, tmp_path):
    path = tmp_path / "broken.csv.gz"
    packed = bytearray(gzip.compress(files["sessions"].read_bytes()))
    packed[20:40] = bytes(20)
    path.write_bytes(bytes(packed))
    with pytest.raises(Invalid, match="cannot be read"):
        read_sessions(path)
    path.write_bytes(gzip.compress(files["sessions"].read_bytes())[:-12])
    with pytest.raises(Invalid, match="cannot be read"):
        read_sessions(path)


def test_the_sessions_own_offset_is_the_clock_where_no_zone_is_given(files, tmp_path):
    assert clock_of_sessions(files["sessions"]).utcoffset(None) == timedelta(hours=-7)
    path = tmp_path / "naive.csv"
    path.write_text("arrival,departure,delivered_kwh\n2019-05-01 08:00,2019-05-01 12:00,5\n")
    with pytest.raises(Invalid, match="--zone"):
        clock_of_sessions(path)


def test_in_zones_with_clock_changes_an_hour_may_be_missing_or_told_twice(tmp_path):
    path = tmp_path / "power.csv"
    hours = [f"2019-{day}T{hour:02d}:00:00Z,{hour}" for day in ("03-10", "11-03") for hour in range(24)]
    path.write_text("time,power_w\n" + "\n".join(hours) + "\n")
    power = read_series(path, ZoneInfo("America/Los_Angeles"))
    assert power.mean_w(datetime(2019, 3, 10, 1)) == 9
    assert power.mean_w(datetime(2019, 3, 10, 2)) is None
    assert power.mean_w(datetime(2019, 3, 10, 3)) == 10
    assert power.mean_w(datetime(2019, 11, 3, 1)) == 8


def test_a_slot_of_a_finer_series_is_the_mean_of_its_steps(tmp_path):
    path = tmp_path / "fine.csv"
    rows = [f"2019-05-01 10:{minute:02d}:00,{minute}" for minute in range(0, 30, 5)]
    path.write_text("time,power_w\n" + "\n".join(rows) + "\n")
    assert read_series(path).mean_w(datetime(2019, 5, 1, 10, 15), timedelta(minutes=15)) == 20
    assert read_series(path).mean_w(datetime(2019, 5, 1, 10, 25), timedelta(minutes=15)) is None


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("2019-05-01,1\n2019-05-02,1", "at most an hour"),
        ("2019-05-01,1", "no two rows"),
        ("2019-05-01,1\n05/01  01:00:00,1", "with and without a year"),
        ("2019-05-01,inf\n2019-05-01 01:00,1", "must lie between"),
        ("13/01  01:00:00,1\n01/01  02:00:00,1", "no time of a year"),
    ],
)
def test_a_series_that_cannot_be_meant_is_refused(tmp_path, rows, why):
    path = tmp_path / "odd.csv"
    path.write_text(f"time,power_w\n{rows}\n")
    with pytest.raises(Invalid, match=why):
        read_series(path)


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
