"""A site survives every way that it is written down: file, values, rows' columns, request and answer."""

from dataclasses import asdict
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.v1.electrical import ElectricalIn, EvsePlaceIn, FeederIn
from app.api.v1.tariffs import TariffIn
from app.domain.electrical import EvsePlace
from app.domain.tariff import WEEKDAYS, clock_of, document_of, tariff_of
from app.domain.wiring import Feeder, FeederKind, Wiring
from app.site_file.model import SiteFile
from app.site_file.reading import read
from app.site_file.writing import file_text

EXAMPLE = Path(__file__).parents[2] / "examples" / "site.toml"
NAMES = st.text("abcXYZ019", min_size=1, max_size=6).flatmap(lambda start: st.sampled_from([start, f"{start}-_"]))
STATION_NAMES = st.text("abcXYZ019*_=+|@.-", min_size=1, max_size=8)
TITLES = st.text("aZ 北\"'\\[]#=é", min_size=1, max_size=12).map(lambda text: text.strip() or "site")


def numbers(most: float, least: float = 0.001) -> st.SearchStrategy[float]:
    """Numbers as people write them: to a thousandth."""
    return st.integers(round(least * 1000), round(most * 1000)).map(lambda number: number / 1000)


def maybe(of: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | of


@st.composite
def feeders(draw, names):
    return draw(
        st.fixed_dictionaries(
            {"kind": st.sampled_from(FeederKind), "rating_a": maybe(numbers(10_000)), "limit_kw": maybe(numbers(1e5))},
            optional={
                "parent": maybe(st.sampled_from(names)),
                "margin_a": numbers(100, 0),
                "margin_kw": numbers(100, 0),
                "reserve_a": numbers(100, 0),
                "reserve_kw": numbers(100, 0),
                "load_rise_a": maybe(numbers(100, 0)),
                "load_rise_kw": maybe(numbers(100, 0)),
            },
        )
    )


@st.composite
def tariffs(draw):
    """A tariff of the right form; whether it can be meant is another question."""
    clocks = st.integers(0, 96).map(clock_of)
    prices = {"price_per_kwh": maybe(numbers(100, 0)), "co2_g_per_kwh": maybe(numbers(1000, 0))}
    days = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True)
    period = st.fixed_dictionaries({"from": clocks, "to": clocks}, optional={"days": days} | prices)
    words = {"currency": st.just("JPY"), "co2_source": TITLES, "periods": st.lists(period, max_size=3)}
    return draw(st.fixed_dictionaries({}, optional=words | prices))


@st.composite
def files(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    evse = st.fixed_dictionaries(
        {"max_current_a": numbers(1000)},
        optional={
            "feeder": maybe(st.sampled_from(names)),
            "wiring": st.sampled_from(Wiring),
            "phase_count": st.sampled_from([1, 3]),
            "min_current_a": maybe(numbers(1000)),
            "current": st.sampled_from(["AC", "DC"]),
        },
    )
    site = st.fixed_dictionaries(
        {"id": NAMES, "name": TITLES, "zone": st.just("Asia/Tokyo"), "limit_kw": numbers(1e5)},
        optional={
            "margin_kw": numbers(1e5, 0),
            "reserve_kw": numbers(1e5, 0),
            "load_rise_kw": maybe(numbers(1e5, 0)),
            "demand_target_kw": maybe(numbers(1e5)),
            "surprised_stations": st.integers(0, 100),
            "voltage_v": numbers(1000, 50),
            "low_voltage_share": numbers(1, 0.5),
            "miss_cost_ratio": numbers(100, 0),
            "safe_current_a": numbers(500, 0),
            "min_current_a": numbers(500),
        },
    )
    return SiteFile.model_validate(
        {
            "site": draw(site),
            "tariff": draw(maybe(tariffs())),
            "feeders": {name: draw(feeders(names)) for name in names},
            "stations": {
                name: {"evses": draw(st.lists(evse, min_size=1, max_size=2))}
                for name in draw(st.lists(STATION_NAMES, max_size=2, unique=True))
            },
        }
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files())
def test_a_site_file_reads_back_as_it_was_written(file):
    assert read(file_text(file)) == file


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files())
def test_feeders_and_evses_survive_their_rows_and_the_api(file):
    sent = ElectricalIn.model_validate_json(
        ElectricalIn.model_validate(file.model_dump(include={"feeders", "stations"})).model_dump_json()
    )
    model = file.site_model()
    stored = [Feeder(**asdict(each.feeder(name))) for name, each in sent.feeders.items()]
    assert {each.feeder_id: FeederIn.of(each) for each in stored} == file.feeders
    places = [EvsePlace(*key, **fields) for key, fields in sent.places().items()]
    assert tuple(places) == model.places
    shown = {(each.station_id, each.evse_number): EvsePlaceIn.of(each).model_dump() for each in places}
    told = {(name, number): evse for name, of in file.stations.items() for number, evse in enumerate(of.evses, 1)}
    assert shown == {key: evse.model_dump() for key, evse in told.items()}


@settings(max_examples=60, deadline=None)
@given(tariffs())
def test_a_tariff_survives_its_row_and_the_api(document):
    told = TariffIn.model_validate(document)
    assert TariffIn.of(tariff_of(document_of(told.tariff()))) == told


def test_the_example_survives_too_with_its_comments_lost():
    file = read(EXAMPLE.read_text())
    text = file_text(file)
    assert read(text) == file
    assert "#" not in text
