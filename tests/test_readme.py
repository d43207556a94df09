"""The README's commands, verbatim, as a newcomer types them: a fresh clone, an empty home."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, free_port, wait_for

PATIENCE = 300.0
COMMANDS = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def newcomers_environment(home: Path) -> dict[str, str]:
    """Keep what belongs to the machine (paths, pip's index and certificates), nothing else."""
    python = Path(shutil.which("python3", path=os.environ["PATH"]) or "/usr/bin/python3")
    kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "PYENV_", "LANG"))}
    path = os.pathsep.join([str(python.parent), "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"])
    return kept | {"HOME": str(home), "PATH": path}


@pytest.mark.slow
def test_the_commands_of_the_readme(open_folder: Path) -> None:
    home, clone = open_folder / "home", open_folder / "clone"
    home.mkdir()
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, files):
        if (ROOT / name).exists():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    environment = newcomers_environment(home)

    def shell(command: str, cwd: Path, answers: str = "") -> str:
        done = subprocess.run(
            command, shell=True, cwd=cwd, env=environment, input=answers, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    new, run_it, without_questions = COMMANDS
    said = shell(new, clone, answers="\n" * 20)
    assert "✓ upgrade again" in said, said
    assert "NOT CHECKED" not in said

    project = open_folder / "my-service"
    environment["UVICORN_PORT"] = str(free_port())
    server = subprocess.Popen(
        run_it, shell=True, cwd=clone, env=environment, start_new_session=True, text=True
    )
    try:
        docs = f"http://127.0.0.1:{environment['UVICORN_PORT']}/docs"
        assert "swagger" in wait_for(docs, server, PATIENCE)
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait()
    assert "[100%]" in shell("make test", project)
    said = shell(without_questions.replace("-o /tmp", f"-o {home}"), clone)
    assert "✓ upgrade again" in said, said
