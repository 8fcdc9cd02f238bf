from pathlib import Path

import pytest

from checks.sizes import long_parts

PATH = Path("app/example.py")


def function(line_count: int, docstring: str = "") -> str:
    head = f"def f():\n{docstring}"
    return head + "    pass\n" * (line_count - 1)


def test_short_parts_are_not_listed():
    assert list(long_parts(PATH, function(40))) == []
    assert list(long_parts(PATH, "x = 1\n" * 300)) == []


@pytest.mark.parametrize(("line_count", "is_too_long"), [(41, False), (80, False), (81, True)])
def test_a_long_function_is_listed_and_a_far_too_long_one_fails(line_count, is_too_long):
    (part,) = long_parts(PATH, function(line_count))
    assert (part.name, part.line_count, part.is_too_long) == ("f", line_count, is_too_long)


@pytest.mark.parametrize(("line_count", "is_too_long"), [(301, False), (400, False), (401, True)])
def test_a_long_module_is_listed_and_a_far_too_long_one_fails(line_count, is_too_long):
    (part,) = long_parts(PATH, "x = 1\n" * line_count)
    assert (part.name, part.line_count, part.is_too_long) == ("", line_count, is_too_long)


def test_a_docstring_does_not_count():
    assert list(long_parts(PATH, function(40, '    """Say\n\n    much.\n    """\n'))) == []


def test_a_method_is_a_function():
    text = "class C:\n    def f(self):\n" + "        pass\n" * 41
    (part,) = long_parts(PATH, text)
    assert str(part) == "app/example.py:2: function f has 42 lines (long)"
