"""What `sunslot site check` finds: every mistake by the node's path and line, and whether the site would be safe."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from app.site_file.checking import checked
from app.site_file.table import line_for, show

EXAMPLE = Path(__file__).parents[2] / "examples" / "site.toml"
BASE = """\
[site]
id = "north"
name = "North"
zone = "Asia/Tokyo"
limit_kw = 60
reserve_kw = 10

[feeders.main]
kind = "connection"
rating_a = 200
margin_a = 5
reserve_a = 50

[feeders.panel-a]
parent = "main"
rating_a = 100
limit_kw = 30
reserve_a = 20

[feeders.panel-b]
parent = "main"
rating_a = 60
reserve_a = 10

[stations.cp-1]
evses = [
  { feeder = "panel-a", wiring = "L1-L2", max_current_a = 30 },
  { feeder = "panel-b", wiring = "L2-L3", max_current_a = 30 },
]

[stations."CP*2"]
evses = [{ feeder = "main", wiring = "L1-L2-L3", phase_count = 3, max_current_a = 16 }]
"""


def change(*pairs):
    text = BASE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def at(line, field, part, *changes):
    """A case: where it is told, what it says, and how the file is spoilt."""
    return pytest.param(change(*changes), line, field, part, id=f"{field or 'file'}: {part}")


WRONG = [
    at(5, "site.limit_kw", "greater than or equal to 0.001", ("limit_kw = 60", "limit_kw = 0")),
    at(5, "site.limit_kw", "must be a finite number", ("limit_kw = 60", "limit_kw = nan")),
    at(5, "site.limit_kw", "must be a finite number", ("limit_kw = 60", "limit_kw = inf")),
    at(5, "site.limit_kw", "less than or equal to 100000", ("limit_kw = 60", "limit_kw = 1e9")),
    at(5, "site.limit_kw", "valid number", ("limit_kw = 60", 'limit_kw = "60"')),
    at(5, "site.limit_kw", "valid number", ("limit_kw = 60", "limit_kw = true")),
    at(1, "site.limit_kw", "is needed", ("limit_kw = 60\n", "")),
    at(5, "site.limit_kw", "together must be less", ("reserve_kw = 10", "reserve_kw = 60")),
    at(4, "site.zone", "is not a time zone", ("Asia/Tokyo", "Asia/Atlantis")),
    at(4, "site.zone", "is not a time zone", ("Asia/Tokyo", "../../etc/passwd")),
    at(2, "site.id", "match pattern", ('"north"', '"no/rth"')),
    at(5, "site.power", "is not a known field", ("limit_kw = 60", "power = 1\nlimit_kw = 60")),
    at(7, "site.safe_current_a", "0, or 6 A and more", ("reserve_kw = 10", "reserve_kw = 10\nsafe_current_a = 4")),
    at(7, "site.surprised_stations", "valid integer", ("reserve_kw = 10", "reserve_kw = 10\nsurprised_stations = 1.5")),
    at(
        7,
        "site.low_voltage_share",
        "less than or equal to 1",
        ("reserve_kw = 10", "reserve_kw=10\nlow_voltage_share=2"),
    ),
    at(10, "feeders.main.rating_a", "greater than 0", ("rating_a = 200", "rating_a = -200")),
    at(10, "feeders.main.rating_a", "must be a finite number", ("rating_a = 200", "rating_a = -inf")),
    at(10, "feeders.main.rating_a", "less than or equal to 10000", ("rating_a = 200", "rating_a = 20000")),
    at(
        8, "feeders.main.rating_a", "is missing, and limit_kw too", ("rating_a = 200\nmargin_a = 5\nreserve_a = 50", "")
    ),
    at(10, "feeders.main.rating_a", "margin_a and reserve_a together", ("margin_a = 5", "margin_a = 150")),
    at(12, "feeders.main.reserve_a", "reserve 30 A together, this one 20 A", ("reserve_a = 50", "reserve_a = 20")),
    at(6, "site.reserve_kw", "reserve 12 kW together", ("limit_kw = 30", "limit_kw = 30\nreserve_kw = 12")),
    at(11, "feeders.main.margin_kw", "means nothing without limit_kw", ("margin_a = 5", "margin_kw = 5")),
    at(15, "feeders.panel-a.parent", "is 'main' meant?", ('parent = "main"', 'parent = "maim"')),
    at(9, "feeders.main.parent", "main → panel-a → main", ('kind = "connection"', 'parent = "panel-a"')),
    at(9, "feeders.main.parent", "feeds itself (main → main)", ('kind = "connection"', 'parent = "main"')),
    at(9, "feeders.main.kind", "'connection', 'transformer'", ('kind = "connection"', 'kind = "fuse box"')),
    at(
        20,
        "feeders.Panel-A",
        "differs from panel-a only in its capitals",
        ("[feeders.panel-b]", "[feeders.Panel-A]"),
        ('"panel-b"', '"panel-a"'),
    ),
    at(8, "feeders.main house", "String should match pattern", ("[feeders.main]", '[feeders."main house"]')),
    at(27, "stations.cp-1.evses[0].feeder", "is 'panel-a' meant?", ('{ feeder = "panel-a"', '{ feeder = "panel-aa"')),
    at(28, "stations.cp-1.evses[1].wiring", "'L1-N', 'L2-N'", ('wiring = "L2-L3"', 'wiring = "L2-PE"')),
    at(
        27,
        "stations.cp-1.evses[0].wiring",
        "contradicts phase_count 3",
        ('"L1-L2", max', '"L1-L2", phase_count = 3, max'),
    ),
    at(32, "stations.CP*2.evses[0].wiring", "contradicts phase_count 1", ("phase_count = 3, ", "")),
    at(
        28,
        "stations.cp-1.evses[1].max_current_a",
        "is above the rating of panel-b (60 A)",
        ('L3", max_current_a = 30', 'L3", max_current_a = 63'),
    ),
    at(
        27, "stations.cp-1.evses[0].max_current_a", "limit of panel-a (5 kW, 25.0 A)", ("limit_kw = 30", "limit_kw = 5")
    ),
    at(27, "stations.cp-1.evses[0].max_current_a", "is needed", ("max_current_a = 30", "min_current_a = 6")),
    at(27, "stations.cp-1.evses[0].min_current_a", "a minimum of its own", ("30 }", '30, current = "DC" }')),
    at(27, "stations.cp-1.evses[0].min_current_a", "is above max_current_a", ("30 }", "30, min_current_a = 32 }")),
    at(32, "stations.CP*2.evses[0].phase_count", "1 or 3", ("phase_count = 3", "phase_count = 2")),
    at(
        26,
        "stations.cp-1.evses",
        "at least 1 item",
        (
            'evses = [\n  { feeder = "panel-a", wiring = "L1-L2", '
            'max_current_a = 30 },\n  { feeder = "panel-b", wiring = "L2-L3", max_current_a = 30 },\n]',
            "evses = []",
        ),
    ),
    at(31, "stations.CP 2", "String should match pattern", ('"CP*2"', '"CP 2"')),
    at(9, "", "is not TOML", ('kind = "connection"', "kind = connection")),
    at(14, "", "is not TOML", ("[feeders.panel-a]", "[feeders.main]")),
    at(
        22,
        "feeders.panel-b.rating_a",
        "the safe currents of its EVSEs need 6 A together, 0.5 A are left for them: 5.5 A",
        ("rating_a = 60\nreserve_a = 10", "rating_a = 31\nreserve_a = 10\nmargin_a = 20.5"),
    ),
    at(
        5,
        "site.limit_kw",
        "need 6 kW together, 5 kW are left for them: 1 kW too much",
        ("limit_kw = 60", "limit_kw = 15"),
    ),
]


@pytest.mark.parametrize(("text", "line", "field", "part"), WRONG)
def test_every_mistake_is_told_by_its_line_its_node_and_what_is_right(text, line, field, part):
    found = checked(text)
    assert not found.is_right
    told = [(each.path, each.line) for each in found.findings if part in each.reason and not each.is_warning]
    assert told[:1] == [(field, line)], found.findings


WARNED = [
    at(1, "site.voltage_v", "at the neutral alike (200 V)", ('wiring = "L2-L3"', 'wiring = "L2-N"')),
    at(16, "feeders.panel-a.rating_a", "is above the 200 A of main", ("rating_a = 100", "rating_a = 250")),
    at(17, "feeders.panel-a.limit_kw", "is above the 60 kW of the site", ("limit_kw = 30", "limit_kw = 80")),
    at(7, "site.demand_target_kw", "is above limit_kw", ("reserve_kw = 10", "reserve_kw = 10\ndemand_target_kw = 70")),
    at(
        7,
        "site.demand_target_kw",
        "is not above reserve_kw",
        ("reserve_kw = 10", "reserve_kw = 10\ndemand_target_kw = 9"),
    ),
    at(1, "site.reserve_kw", "is 0 although feeders reserve", ("reserve_kw = 10", "")),
    at(
        22,
        "feeders.panel-b.rating_a",
        "(L2): nothing is left for cars while 1 surprised stations are covered (cp-1): 10 A are missing",
        ("rating_a = 60\nreserve_a = 10", "rating_a = 30\nreserve_a = 10"),
    ),
]


@pytest.mark.parametrize(("text", "line", "field", "part"), WARNED)
def test_what_may_be_meant_is_a_warning(text, line, field, part):
    found = checked(text)
    assert found.is_right
    assert (field, line) in [(each.path, each.line) for each in found.findings if part in each.reason]


def test_a_right_file_has_no_findings():
    assert checked(BASE).findings == ()


def test_several_mistakes_are_all_told():
    found = checked(change(("rating_a = 200", "rating_a = -1"), ('wiring = "L2-L3"', 'wiring = "x"')))
    assert len(found.findings) == 2


def test_too_many_nodes_and_too_deep_trees_are_refused():
    many = "".join(f"[feeders.f{number}]\nrating_a = 100\n" for number in range(501))
    assert "at most 500" in checked(BASE + many).findings[0].reason
    chain = "".join(f'[feeders.f{n + 1}]\nparent = "f{n}"\nrating_a = 100\n' for n in range(20))
    found = checked(BASE + "[feeders.f0]\nrating_a = 100\n" + chain)
    assert "at most 16" in found.findings[0].reason


def test_a_long_circle_is_told_in_short():
    circle = "".join(f'[feeders.f{n}]\nparent = "f{(n + 1) % 400}"\nrating_a = 100\n' for n in range(400))
    (told,) = [each.reason for each in checked(BASE + circle).findings]
    assert "f0 → f1 →" in told
    assert "→ … → f0" in told
    assert len(told) < 200


def printed(text):
    out = io.StringIO()
    found = checked(text)
    show(found, Console(file=out, width=160), "site.toml")
    return out.getvalue()


def test_the_example_of_the_default_site_is_right_safe_and_shown_as_a_tree():
    shown = printed(EXAMPLE.read_text())
    assert "Safe with the controller off for ever: yes" in shown
    (panel,) = [line for line in shown.splitlines() if "panel-a" in line]
    assert [cell.strip() for cell in panel.split("│")[1:-1]] == [
        "panel-a (panel)",
        "6",
        "125 A",
        "2 A",
        "0 A",
        "48/48/24 A",
        "24 A",
        "51/51/75 A",
    ]
    assert shown.index("transformer (") < shown.index("panel-b (") < shown.index("breaker-b-dc (")


def test_a_file_that_is_wrong_is_shown_with_its_lines_and_the_verdict():
    shown = printed(change(("limit_kw = 60", "limit_kw = 15")))
    assert "site.toml:5: site.limit_kw: the site: the safe currents" in shown
    assert "Safe with the controller off for ever: no." in shown
    assert "1 to be corrected" in printed(change(("limit_kw = 60", "limit_kw = 0")))
    warned = checked(change(("rating_a = 100", "rating_a = 250"))).findings[0]
    assert line_for(warned, "s").startswith("s:16: warning: feeders.panel-a.rating_a: is above")
