import sys

import pytest

from checks import __main__ as checks

GOOD = (sys.executable, "-c", "")
BAD = (sys.executable, "-c", "raise SystemExit(3)")


@pytest.fixture
def commands(monkeypatch):
    def use(**commands):
        monkeypatch.setattr(checks, "CHECKS", commands)

    return use


def test_all_checks_run_even_when_one_fails_and_the_failed_are_named(commands, capfd):
    commands(one=BAD, two=GOOD, three=BAD)
    assert checks.main([]) == 1
    said = capfd.readouterr().out
    assert [f"--- {name}:" in said for name in ("one", "two", "three")] == [True, True, True]
    assert said.endswith("checks failed: one, three\n")


def test_named_checks_run_alone(commands, capfd):
    commands(one=BAD, two=GOOD)
    assert checks.main(["two"]) == 0
    assert capfd.readouterr().out.endswith("all checks passed\n")


def test_an_unknown_check_is_one_line(commands, capfd):
    commands(one=GOOD)
    assert checks.main(["tow"]) == 2
    assert capfd.readouterr().err == "checks: no such check: tow; there are: one\n"


def test_the_nine_checks_are_there():
    first = ["lint", "format", "types", "imports", "units", "sizes"]
    assert list(checks.CHECKS) == [*first, "tests", "migrations", "coverage"]
