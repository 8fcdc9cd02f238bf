import pytest

from app.domain.facts import ReportKind, StationReported, StatusReported, Suspicious
from app.domain.raw import Effect, Impact
from app.ocpp_central.dialect import Handler, seen
from checks.ocpp_coverage import __main__ as coverage
from checks.ocpp_coverage.blocks import BLOCKS_16, BLOCKS_201
from checks.ocpp_coverage.document import render
from checks.ocpp_coverage.facts import facts_of
from checks.ocpp_coverage.marks import Mark, marks_of
from checks.ocpp_coverage.probe import raw_class, sample
from checks.ocpp_coverage.survey import VERSIONS, Row, Version, commands, problems, rows_of

V16, V201 = VERSIONS


def marks(text):
    return [(each.version, each.action, each.function) for each in marks_of(text, "tests/test_x.py")]


def test_marks_are_found_on_tests_in_their_parameters_and_around_them():
    text = """
import pytest

pytestmark = pytest.mark.ocpp("1.6", "Reset")

@pytest.mark.ocpp("2.0.1", "Heartbeat", "Authorize")
@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.ocpp("2.0.1", "DataTransfer"))])
def test_one(x): ...

@pytest.mark.ocpp("1.6", "ClearCache")
class TestTwo:
    async def test_three(self): ...

@pytest.mark.ocpp("1.6", "GetLog")
def helper(): ...
"""
    assert marks(text) == [
        ("1.6", "Reset", "test_one"),
        ("2.0.1", "Heartbeat", "test_one"),
        ("2.0.1", "Authorize", "test_one"),
        ("2.0.1", "DataTransfer", "test_one"),
        ("1.6", "Reset", "test_three"),
        ("1.6", "ClearCache", "test_three"),
    ]


@pytest.mark.parametrize("arguments", ['"1.6"', '"1.6", *ACTIONS', "VERSION, 'Reset'", ""])
def test_a_mark_that_cannot_be_read_names_no_message(arguments):
    ((_, action, _),) = marks(f"@pytest.mark.ocpp({arguments})\ndef test_one(): ...")
    assert action == ""


def _reported(kind):
    return lambda message: (StationReported(kind, "x", message, message),)


def _split(message):
    return tuple(StatusReported(each, message, message, None, None) for each in (1, 2)) or (Suspicious,)


def test_facts_are_read_off_the_code(monkeypatch):
    log = _reported(ReportKind.LOG)
    for function in (log, _split):
        function.__module__ = "app.ocpp_central.example"
    assert facts_of(log) == ["StationReported (log)"]
    assert facts_of(_split) == ["StatusReported"]
    assert facts_of(seen) == ["StationSeen"]
    assert facts_of(V201.handlers["NotifyReport"].decode) == ["VariablesReported"]
    assert facts_of(V201.handlers["SecurityEventNotification"].decode) == ["StationReported (security)"]
    assert facts_of(len) == []


SCHEMA = {
    "definitions": {"Kind": {"type": "string", "enum": ["a", "b", "c"]}},
    "type": "object",
    "required": ["key"],
    "properties": {
        "key": {"type": "string"},
        "kinds": {"type": "array", "items": {"$ref": "#/definitions/Kind"}},
        "count": {"type": "integer"},
        "limit": {"type": "number"},
        "is_on": {"type": "boolean"},
    },
}


def test_payloads_are_made_from_a_schema():
    definitions = SCHEMA["definitions"]
    assert sample(SCHEMA, definitions, "x", 0, is_full=False) == {"key": "x"}
    full = {"key": "x", "kinds": ["b"], "count": 1, "limit": 1.0, "is_on": True}
    assert sample(SCHEMA, definitions, "x", 4, is_full=True) == full


@pytest.mark.parametrize(
    ("classify", "said"),
    [
        (lambda payload: None, ""),
        (lambda payload: Impact(Effect.UNVERIFIES), "unverifies"),
        (lambda payload: Impact(Effect.FORBIDDEN), "forbidden"),
        (
            lambda payload: Impact(Effect.FORBIDDEN if payload["key"] == "password" else Effect.HARMLESS),
            "harmless, forbidden for some",
        ),
        (
            lambda payload: Impact(Effect.LIMITS if payload.get("kinds") == ["c"] else Effect.HARMLESS),
            "harmless, limits",
        ),
    ],
)
def test_the_raw_door_is_asked_about_many_payloads(classify, said):
    assert raw_class(classify, SCHEMA) == said


def test_the_blocks_name_every_message_of_both_versions():
    for version, count, heard_count in ((V16, 39, 14), (V201, 64, 25)):
        assert len(version.schemas()) == count
        heard = [action for block, _ in version.blocks.values() for action in block]
        assert (len(heard), len(set(heard))) == (heard_count, heard_count)
    assert BLOCKS_16.keys() & BLOCKS_201.keys() == set()


def changed(**changes):
    values = {name: getattr(V201, name) for name in Version.__slots__}
    return Version(**(values | changes))


def complaints(version, found_marks):
    return problems([version], rows_of(version, found_marks), found_marks)


def all_marks():
    return [Mark("2.0.1", action, "tests/test_x.py", 1, "test_x") for action in V201.schemas()]


def test_a_message_that_nobody_handles_or_tests_is_a_problem():
    assert complaints(V201, all_marks()) == []
    handlers = {action: each for action, each in V201.handlers.items() if action != "NotifyEvent"}
    untested = [mark for mark in all_marks() if mark.action != "Heartbeat"]
    assert complaints(changed(handlers=handlers), untested) == [
        'OCPP 2.0.1 Heartbeat (from the station): no test carries @pytest.mark.ocpp("2.0.1", "Heartbeat")',
        "OCPP 2.0.1 NotifyEvent (from the station): is not handled",
    ]


class Mute:
    def classify(self, action, payload):
        return None


def test_a_call_that_the_raw_door_has_not_classified_is_a_problem():
    found = complaints(changed(dialect=Mute()), all_marks())
    assert "OCPP 2.0.1 Reset (to the station): the raw door has not classified it" in found
    assert "OCPP 2.0.1 CostUpdated (to the station): is not handled" in found
    assert len(found) == 40


def test_blocks_and_tables_that_do_not_fit_are_problems():
    blocks = {"A": (("Nonsense",), ())} | {name: each for name, each in BLOCKS_201.items() if name != "E Transactions"}
    command = commands()[0]
    spellings = {each: spelling for each, spelling in V201.spellings.items() if each is not command}
    found = complaints(changed(blocks=blocks, spellings=spellings), all_marks())
    assert "OCPP 2.0.1 TransactionEvent: is in no block" in found
    assert "OCPP 2.0.1 Nonsense: there is no such message" in found
    assert f"OCPP 2.0.1 {command.__name__}: must be either spelled or absent" in found


def test_a_mark_of_no_message_is_a_problem():
    odd = Mark("2.0.1", "Resett", "tests/test_x.py", 7, "test_odd")
    expected = "tests/test_x.py:7: the mark of test_odd names no message: 2.0.1 Resett"
    assert complaints(V201, [*all_marks(), odd]) == [expected]


def test_the_document_shows_facts_commands_and_the_first_two_tests():
    found_marks = [Mark("2.0.1", "Reset", f"tests/test_{name}.py", 1, f"test_{name}") for name in "abc"]
    text = render([V201], rows_of(V201, found_marks))
    shown = "[test_a](../tests/test_a.py), [test_b](../tests/test_b.py) and 1 more"
    assert f"| Reset | B Provisioning | Reboot |  | unverifies | {shown} |" in text
    assert "| Heartbeat | G Availability | StationSeen |  |  |" in text
    assert "| GetCertificateStatus | M Certificate Management | answered only |" in text
    assert "| CostUpdated | I Tariff and Cost | raw door |  | harmless |  |" in text
    assert (
        "| OCPP 2.0.1 | 64 | 23 as facts, 2 answered only | 34 by commands, 6 by the raw door only | 34 of 34 |" in text
    )
    assert "| ApplyProfile | SetChargingProfile; exact |" in text


def test_a_stale_document_fails_until_it_is_written(tmp_path, monkeypatch, capsys):
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(coverage, "problems", lambda *_: [])
    assert coverage.main([], tmp_path) == 1
    assert capsys.readouterr().out == coverage.STALE + "\n"
    assert coverage.main(["--write"], tmp_path) == 0
    assert coverage.main([], tmp_path) == 0
    assert capsys.readouterr().out == ""


def test_a_handler_with_its_own_reply_is_shown_as_answered_only_where_it_says_so():
    quiet = Handler(seen, lambda recorded, desk: {})
    version = changed(handlers=dict(V201.handlers) | {"GetCertificateStatus": quiet})
    (row,) = [each for each in rows_of(version, []) if each.action == "GetCertificateStatus"]
    assert isinstance(row, Row)
    assert row.handling == "StationSeen"
