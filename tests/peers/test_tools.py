import pytest
from tools import Missing, required


def missing() -> str:
    raise Missing("npm ci failed: no network")


def test_a_missing_tool_skips_the_test_and_says_why(monkeypatch):
    monkeypatch.delenv("SUNSLOT_REQUIRE_PEERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="cannot be had: npm ci failed: no network"):
        required(missing)


def test_a_missing_tool_fails_where_peers_are_required(monkeypatch):
    monkeypatch.setenv("SUNSLOT_REQUIRE_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match="npm ci failed"):
        required(missing)
