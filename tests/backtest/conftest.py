from datetime import datetime, timedelta
from pathlib import Path

import pytest

SESSIONS = """arrival,departure,declared_departure,delivered_kwh,requested_kwh,station,user
2019-05-01 08:05:00-07:00,2019-05-01 16:10:00-07:00,2019-05-01 17:00:00-07:00,10.0,20.0,A,u1
2019-05-01 09:00:00-07:00,2019-05-01 12:00:00-07:00,2019-05-01 11:00:00-07:00,6.0,6.0,B,u2
2019-05-02 08:00:00-07:00,2019-05-03 09:00:00-07:00,2019-05-02 18:00:00-07:00,12.0,12.0,A,u1
2019-05-04 08:00:00-07:00,2019-05-04 17:00:00-07:00,2019-05-04 17:00:00-07:00,12.0,12.0,A,u1
"""


def series(start: datetime, days: int, step: timedelta, column: str, power) -> str:
    lines = [f"time,{column}"]
    at = start
    while at < start + timedelta(days=days):
        lines.append(f"{at.isoformat(sep=' ')}-07:00,{power(at)}")
        at += step
    return "\n".join(lines) + "\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Four sessions in May 2019, sun of 2012 from 10 to 14 o'clock, a building that takes 1 kW."""
    paths = {name: tmp_path / f"{name}.csv" for name in ("sessions", "solar", "load")}
    paths["sessions"].write_text(SESSIONS)
    sunny = series(
        datetime(2012, 4, 1), 40, timedelta(minutes=15), "power_w", lambda at: 5000 if 10 <= at.hour < 14 else 0
    )
    paths["solar"].write_text(sunny)
    paths["load"].write_text(series(datetime(2019, 4, 1), 40, timedelta(hours=1), "power_kw", lambda at: 1))
    return paths
