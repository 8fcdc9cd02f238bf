import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from checks.migration_heads import problems


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "versions").mkdir()
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    config.set_main_option("path_separator", "os")

    def of(*revisions: tuple[str, str | None]) -> ScriptDirectory:
        for revision, below in revisions:
            text = f"revision = {revision!r}\ndown_revision = {below!r}\n"
            (tmp_path / "versions" / f"{revision}.py").write_text(text)
        return ScriptDirectory.from_config(config)

    return of


def test_one_line_of_revisions_is_right(directory):
    assert problems(directory(("0001", None), ("0002", "0001"))) == []


def test_two_heads_are_named(directory):
    (line,) = problems(directory(("0001", None), ("0002", "0001"), ("0003", "0001")))
    assert line.startswith("migrations: one head is needed, there are 2:")
    assert "0002" in line
    assert "0003" in line


def test_two_bases_are_two_lines(directory):
    assert len(problems(directory(("0001", None), ("0002", None)))) == 2


def test_no_revision_at_all_is_a_problem(directory):
    assert len(problems(directory())) == 2
