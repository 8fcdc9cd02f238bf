from pathlib import Path

from checks.testfile_names import main, problems


def test_two_test_files_of_one_name_are_named_with_their_folders():
    paths = [Path("tests/a/test_one.py"), Path("tests/b/test_two.py"), Path("tests/b/test_one.py")]
    assert problems(paths) == [
        "test_one.py: several test files have this name: tests/a/test_one.py, tests/b/test_one.py"
    ]


def test_files_that_are_no_tests_may_share_a_name():
    assert problems([Path("tests/a/conftest.py"), Path("tests/b/conftest.py")]) == []


def test_ours_have_names_of_their_own():
    assert main() == 0
