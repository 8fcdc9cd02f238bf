"""`./run` in a copy of its own, with stand-ins for uv, pip and Python on the PATH."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHELLS = [shell for shell in ("dash", "bash", "sh") if shutil.which(shell)]
ECHO = '#!/bin/sh\n[ "$1" = --version ] || printf "%s|" {name} "$@"\n'
# A Python that is new enough, and whose pip "installs" a uv below the folder after --target.
PIP = """#!/bin/sh
[ "$1" = -m ] || exit 0
[ "$2 $3" = "pip install" ] && mkdir -p .tools/bin && cp "$UV_TO_INSTALL" .tools/bin/uv
"""


class Machine:
    """A project folder with `run` in it, and a PATH that holds what the test puts there and a few plain tools."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.project = folder / "a project"
        self.bin = folder / "bin"
        self.shell = shutil.which(shell)
        self.project.mkdir()
        self.bin.mkdir()
        shutil.copy(ROOT / "run", self.project)
        for tool in ("dirname", "sed", "ls", "xargs", "mkdir", "cp", "sh"):
            (self.bin / tool).symlink_to(shutil.which(tool))

    def put(self, name: str, script: str, folder: Path | None = None) -> Path:
        path = (folder or self.bin) / name
        path.write_text(script)
        path.chmod(0o755)
        return path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.shell, f"{self.project}/run", *arguments],
            cwd=self.bin.parent,
            env={"PATH": str(self.bin), "HOME": os.environ.get("HOME", "/"), **environment},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture(params=SHELLS)
def machine(request, tmp_path):
    return Machine(tmp_path, request.param)


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("demo", "--seed", "7"), "uv|run|--locked|--no-dev|sunslot|demo|--seed|7|"),
        (("serve",), "uv|run|--locked|--no-dev|sunslot|serve|"),
        (("test",), "uv|run|--locked|pytest|-n|2|--dist|loadfile|--no-loadscope-reorder|"),
        (
            ("test", "-n", "0", "-k", "a b"),
            "uv|run|--locked|pytest|-n|2|--dist|loadfile|--no-loadscope-reorder|-n|0|-k|a b|",
        ),
        (("check",), "uv|run|--locked|python|-m|checks|"),
        (("check", "units"), "uv|run|--locked|python|-m|checks|units|"),
        (("sim", "station", "--help"), "uv|run|--locked|--no-dev|python|-m|simulators|station|--help|"),
        (("sim", "limit", "--seeds", "3"), "uv|run|--locked|--no-dev|python|-m|proofs|limit|--seeds|3|"),
        (("sim", "crash"), "uv|run|--locked|--no-dev|python|-m|proofs|crash|"),
        (("sim",), "uv|run|--locked|--no-dev|python|-m|simulators|"),
        (("bench", "plan", "--json", "x y"), "uv|run|--locked|python|-m|benchmarks.plan|--json|x y|"),
    ],
)
def test_every_command_goes_through_the_locked_environment(machine, arguments, command):
    machine.put("uv", ECHO.format(name="uv"))
    (machine.project / "benchmarks").mkdir()
    (machine.project / "benchmarks" / "plan.py").touch()
    run = machine.run(*arguments)
    assert (run.stdout, run.stderr, run.returncode) == (command, "", 0)


@pytest.mark.parametrize("arguments", [(), ("help",), ("--help",)])
def test_help_needs_nothing_installed(machine, arguments):
    run = machine.run(*arguments)
    assert run.returncode == 0
    for word in ("demo", "test", "check", "bench NAME", "sim NAME", "sim limit"):
        assert f"./run {word}" in run.stdout


def test_an_unknown_benchmark_is_one_line_that_lists_the_others(machine):
    (machine.project / "benchmarks").mkdir()
    (machine.project / "benchmarks" / "ingest.py").touch()
    run = machine.run("bench", "plan")
    assert run.returncode == 2
    assert run.stderr == "./run: no such benchmark; there are: ingest\n"


def test_uv_is_installed_into_the_project_once_when_it_is_missing(machine, tmp_path):
    machine.put("python3", PIP)
    installed = machine.put("to-install", ECHO.format(name="own-uv"), tmp_path)
    command = "own-uv|run|--locked|--no-dev|sunslot|demo|"
    assert machine.run("demo", UV_TO_INSTALL=str(installed)).stdout == command
    (machine.bin / "python3").unlink()
    assert machine.run("demo").stdout == command


def test_a_newer_python_beside_an_old_one_is_found(machine, tmp_path):
    machine.put("python3", "#!/bin/sh\nexit 1\n")
    machine.put("python3.12", PIP)
    installed = machine.put("to-install", ECHO.format(name="own-uv"), tmp_path)
    assert machine.run("demo", UV_TO_INSTALL=str(installed)).stdout.startswith("own-uv|run|")


def test_an_old_python_is_one_clear_line(machine):
    machine.put("python3", "#!/bin/sh\nexit 1\n")
    run = machine.run("demo")
    assert run.returncode == 2
    assert run.stderr == "./run: Python 3.11 or newer is needed, and python3 is missing or older\n"


def test_a_failing_pip_is_one_clear_line_and_nothing_runs(machine):
    machine.put("python3", '#!/bin/sh\n[ "$1" = -c ]\n')
    run = machine.run("demo")
    assert run.returncode == 2
    assert run.stderr == "./run: pip could not install uv; see https://docs.astral.sh/uv\n"
    assert run.stdout == ""


def test_an_exit_code_is_passed_on(machine):
    machine.put("uv", '#!/bin/sh\n[ "$1" = --version ] || exit 7\n')
    assert machine.run("demo").returncode == 7
