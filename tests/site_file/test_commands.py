"""The `sunslot site` commands: their exit codes, and what they print."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.domain.errors import Invalid

EXAMPLE = Path(__file__).parents[2] / "examples" / "site.toml"


def run(*arguments):
    return CliRunner().invoke(app, ["site", *map(str, arguments)])


def test_a_right_file_ends_with_0_and_a_wrong_one_with_1_and_the_node(tmp_path):
    right = run("check", EXAMPLE)
    assert right.exit_code == 0
    assert "Safe with the controller off for ever: yes" in right.output
    spoilt = tmp_path / "spoilt.toml"
    spoilt.write_text(EXAMPLE.read_text().replace("rating_a = 40", "rating_a = 20"))
    wrong = run("check", spoilt)
    assert wrong.exit_code == 1
    assert "stations.quick.evses[0].max_current_a: 32 A is above the rating of breaker-b-dc (20 A)" in wrong.output


def test_numbers_are_told_in_full_however_narrow_the_terminal_is(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    told = run("check", EXAMPLE).output
    assert "…" not in told
    assert "48/48/25.3 A" in told
    assert "left for cars" in told


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "site.toml"
    path.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.read_bytes())
    assert run("check", path).exit_code == 0


def test_a_wrong_file_is_not_pushed_anywhere(tmp_path):
    spoilt = tmp_path / "spoilt.toml"
    spoilt.write_text("[site]\nid = 1")
    refused = run("apply", spoilt, "--url", "http://127.0.0.1:1")
    assert refused.exit_code == 1
    assert "site.id: Input should be a valid string" in refused.output


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "cannot read"), (b"\xff\xfe", "is not UTF-8"), (b"#" * 1_100_000, "is larger than")]
)
def test_what_is_no_file_of_ours_is_named(tmp_path, content, reason):
    path = tmp_path / "site.toml"
    if content is not None:
        path.write_bytes(content)
    refused = run("check", path)
    assert isinstance(refused.exception, Invalid)
    assert reason in refused.exception.detail


def test_a_missing_token_is_named(tmp_path):
    refused = run("show", "north", "--token-file", tmp_path / "none")
    assert isinstance(refused.exception, Invalid)
    assert refused.exception.field == "--token-file"
