"""What goes wrong around the generator: nothing of the user's is lost, and each is told plainly."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cookiecutter.utils import create_env_with_context

import scripts.new
from scripts.transcript import CONTROL_C, converse
from tests.conftest import ROOT, Bake, own_environment, run, text_files
from tests.test_answers import DEFAULTS, new

NEW: list[str | Path] = [sys.executable, ROOT / "scripts" / "new.py", "--default-config"]
ASK_NOTHING = [*NEW, "--no-input", "install=no"]
HALF = "The project was not made: "


def poetry(folder: Path, script: str) -> str:
    """Write a command named poetry, and give a PATH that begins with its folder."""
    folder.mkdir()
    command = folder / "poetry"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    os.utime(command, (0, 0))
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def files(folder: Path) -> set[str]:
    """List the files in a folder."""
    return {str(path.relative_to(folder)) for path in text_files(folder)}


def test_control_c_at_a_question(tmp_path: Path) -> None:
    folder = tmp_path / "projects"
    folder.mkdir()
    status, said = converse([*NEW, "-o", folder], ["My Shop", CONTROL_C], cwd=tmp_path)
    assert status == 1
    assert said.endswith("Aborted!\n")
    assert "Traceback" not in said
    assert not list(folder.iterdir())


def test_control_c_during_the_installation(tmp_path: Path) -> None:
    answer = "case $1 in --version) echo 'Poetry (version 2.5.1)';; *) sleep 60;; esac"
    path = poetry(tmp_path / "bin", answer)
    status, said = converse(
        [*NEW, "--no-input", "-o", tmp_path], [CONTROL_C], cwd=tmp_path,
        asks=re.compile(r"with Poetry \.\.\.$"), PATH=path,
    )  # fmt: skip
    assert status == 1
    assert "NOT CHECKED: interrupted. The project is there; `make check` in it checks it." in said
    assert "Traceback" not in said
    assert (tmp_path / "my-service" / "poetry.lock").exists()
    assert not (tmp_path / "my-service" / "sqlite.lock").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_what_was_half_written_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(**options: object) -> str:
        (tmp_path / "my-shop" / "app").mkdir(parents=True, exist_ok=True)
        raise error

    monkeypatch.setattr(scripts.new, "generate_files", fail)
    context = {"cookiecutter": DEFAULTS}

    def generate(keep: bool) -> None:
        with pytest.raises(type(error)):
            scripts.new.all_or_nothing(
                context=context, output_dir=str(tmp_path), keep_project_on_failure=keep
            )

    generate(keep=False)
    assert not list(tmp_path.iterdir())
    generate(keep=True)
    assert (tmp_path / "my-shop" / "app").exists()
    generate(keep=False)  # the folder was there
    assert (tmp_path / "my-shop" / "app").exists()


@pytest.mark.parametrize(
    ("script", "trusted"),
    [
        ("exit 1", False),
        ("echo 'Poetry (version 2.5.1)'; exit 1", False),
        ("head -c 1000 /dev/urandom", False),
        ("echo 'Poetry version 1.1.15'", False),
        ("echo 'Poetry (version 1.8.3)'", False),
        ("echo 'Poetry (version 2.2.1)'", False),
        ("echo 'Poetry (version 2.3.0)'", True),
        ("echo 'Poetry (version 2.10.0)'", True),
        ("echo 'Poetry (version 3.0.0)'", True),
        ("exec /no/such/python", False),
    ],
)
def test_make_brings_poetry_where_there_is_none_that_works(
    bake: Bake, tmp_path: Path, script: str, trusted: bool
) -> None:
    shutil.copy(bake() / "Makefile", tmp_path)
    path = poetry(tmp_path / "bin", script)
    with (tmp_path / "Makefile").open("a") as makefile:
        makefile.write("which:\n\t@echo $(POETRY)\n")
    which = run("make", "--silent", "which", cwd=tmp_path, PATH=path).stdout
    assert which == (f"{tmp_path}/bin/poetry\n" if trusted else ".poetry/bin/poetry\n")


def test_make_asks_poetry_for_its_version_once(bake: Bake, tmp_path: Path) -> None:
    shutil.copy(bake() / "Makefile", tmp_path)
    path = poetry(tmp_path / "bin", "echo asked >> asked; echo 'Poetry (version 2.5.1)'")
    (tmp_path / ".venv").mkdir()
    for _ in range(3):
        run("make", "help", cwd=tmp_path, PATH=path)
    assert (tmp_path / "asked").read_text() == "asked\n"
    (tmp_path / ".poetry" / "bin").mkdir(parents=True)
    (tmp_path / ".poetry" / "bin" / "poetry").touch()
    (tmp_path / ".venv" / "poetry").unlink()
    run("make", "help", cwd=tmp_path, PATH=path)
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_make_new_hands_on_dollars(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    path = poetry(tmp_path / "bin", "echo 'Poetry (version 2.5.1)'")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    python.chmod(0o755)
    for name in ("pyproject.toml", "poetry.lock", ".venv/installed"):
        (tmp_path / name).touch()
    arguments = r"""ARGS=description='costs $5 in ${HOME}' author_name="\$x" """
    said = run("make", "new", arguments, cwd=tmp_path, PATH=path).stdout.splitlines()
    assert said[-2:] == ["description=costs $5 in ${HOME}", "author_name=$x"]


def test_a_clone_with_windows_line_endings_keeps_the_files_own(tmp_path: Path) -> None:
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    shutil.copy(ROOT / "Makefile", tmp_path)
    git: list[str | Path] = ["git", "-c", "core.autocrlf=true"]
    run(*git, "init", "--quiet", cwd=tmp_path)
    run(*git, "add", ".", cwd=tmp_path)
    (tmp_path / "Makefile").unlink()
    run(*git, "checkout", "--", "Makefile", cwd=tmp_path)
    assert (tmp_path / "Makefile").read_bytes() == (ROOT / "Makefile").read_bytes()


NOWHERE = "http://127.0.0.1:9"


@pytest.mark.slow
def test_without_a_network_the_project_stays(tmp_path: Path) -> None:
    path = poetry(tmp_path / "bin", "echo broken; exit 1")
    said = run(
        *NEW, "--no-input", "-o", tmp_path, cwd=tmp_path, PATH=path,
        HTTPS_PROXY=NOWHERE, HTTP_PROXY=NOWHERE, PIP_PROXY=NOWHERE, PIP_RETRIES="1",
    ).stdout  # fmt: skip
    assert "NOT CHECKED: the installation failed, as shown above." in said
    assert "proxy" in said.partition("NOT CHECKED")[0]
    assert re.search(r"Next:\n  cd \S*my-service\n  make check\n  make run\n", said)
    assert "Traceback" not in said
    project = tmp_path / "my-service"
    assert (project / "alembic.ini").exists()
    assert not (project / ".poetry" / "bin" / "poetry").exists()  # else make would trust it
    assert not (project / ".venv" / "installed").exists()


def test_without_git(tmp_path: Path) -> None:
    said = run(*ASK_NOTHING, "-o", tmp_path, cwd=tmp_path, PATH=str(tmp_path)).stdout
    assert "my-service" in said
    assert (tmp_path / "my-service" / "poetry.lock").exists()


def as_ordinary_user(*command: str | Path) -> list[str | Path]:
    """Give up what lets root write anywhere."""
    if os.geteuid():
        return [*command]
    if not shutil.which("setpriv"):
        pytest.skip("root may write anywhere, and there is no setpriv")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_read_only_folder(tmp_path: Path, overwrite: bool) -> None:
    folder = tmp_path / "projects"
    target = folder / "my-service" if overwrite else folder
    target.mkdir(parents=True)
    target.chmod(0o555)
    command = as_ordinary_user(*ASK_NOTHING, "-o", folder, *["-f"] * overwrite)
    said = run(*command, cwd=tmp_path, status=1).stdout
    assert said.startswith(f"{HALF}[Errno 13] Permission denied")
    assert said.count("\n") == 1
    assert not list(target.iterdir())


def test_a_full_disk(tmp_path: Path) -> None:
    mount = "mount -t tmpfs -o size=100k tmpfs ."
    if run("unshare", "--mount", "sh", "-c", mount, cwd=tmp_path, status=None).returncode:
        pytest.skip("may not mount")
    script = f'{mount} && cd "$PWD" && "$@"; status=$?; ls -A; exit $status'
    command: list[str | Path] = ["unshare", "--mount", "sh", "-c", script, "sh"]
    done = run(*command, *ASK_NOTHING, "-o", tmp_path, cwd=tmp_path, status=1)
    assert done.stdout.startswith(f"{HALF}[Errno 28] No space left on device")
    assert done.stdout.count("\n") == 1  # nothing is there


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_report_on_a_full_disk_keeps_the_project(tmp_path: Path) -> None:
    command: list[str | Path] = ["sh", "-c", '"$@" >/dev/full', "sh", *ASK_NOTHING, "-o", tmp_path]
    assert run(*command, cwd=tmp_path).stdout == ""
    assert (tmp_path / "my-service" / "poetry.lock").exists()


def test_without_standard_input(tmp_path: Path) -> None:
    command: list[str | Path] = ["sh", "-c", '"$@" <&-', "sh", *NEW, "-o", tmp_path]
    said = run(*command, cwd=tmp_path, status=1).stdout
    assert said.endswith("Aborted!\n")
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "my-service").mkdir()
    (tmp_path / "my-service" / "app").write_text("mine")
    said = run(*ASK_NOTHING, "-f", "-o", tmp_path, cwd=tmp_path, status=1).stdout
    assert said.startswith(HALF)
    assert said.count("\n") == 1
    assert (tmp_path / "my-service" / "app").read_text() == "mine"


@pytest.mark.parametrize("options", [[], ["-f"], ["-f", "-s"]])
def test_refused_answers_leave_an_existing_folder_as_it_is(
    tmp_path: Path, options: list[str]
) -> None:
    mine = tmp_path / "my-service" / "pyproject.toml"
    mine.parent.mkdir()
    mine.write_text("mine")
    new(tmp_path, "author_email=ada", *options, status=1)
    assert files(tmp_path) == {"my-service/pyproject.toml"}
    assert mine.read_text() == "mine"


def test_skipping_keeps_the_lock_too(tmp_path: Path) -> None:
    project = tmp_path / "my-service"
    project.mkdir()
    mine = {name: project / name for name in ("pyproject.toml", "poetry.lock", "README.md")}
    for path in mine.values():
        path.write_text("mine")
        os.utime(path, (1e9, 1e9))
    new(tmp_path, "-f", "-s", status=0)
    assert {path.read_text() for path in mine.values()} == {"mine"}
    assert not [name for name in files(project) if name.endswith(".lock") if "poetry" not in name]
    assert (project / "alembic.ini").exists()

    new(tmp_path, "-f", status=0)
    assert "mine" not in {path.read_text() for path in mine.values()}
    before = files(project)
    (project / "poetry.lock").unlink()
    new(tmp_path, "-f", "-s", status=0)
    assert files(project) == before


def test_side_by_side(tmp_path: Path) -> None:
    def start(slug: str) -> "subprocess.Popen[str]":
        command = [*ASK_NOTHING, "-o", tmp_path, f"project_slug={slug}"]
        return subprocess.Popen(
            [str(part) for part in command], cwd=tmp_path, env=own_environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    processes = [start(slug) for slug in ("one", "two", "two")]
    said = [process.communicate()[0] for process in processes]
    assert sorted(process.returncode for process in processes[1:]) == [0, 1], said
    assert processes[0].returncode == 0
    [lost] = [text for text in said if "already exists" in text]
    assert "Traceback" not in lost
    assert files(tmp_path / "one") == files(tmp_path / "two")


@pytest.mark.parametrize("hook", ["pre_gen_project", "post_gen_project"])
def test_hooks_need_nothing_but_python(bake: Bake, tmp_path: Path, hook: str) -> None:
    code = (ROOT / "hooks" / f"{hook}.py").read_text(encoding="utf-8")
    answers = DEFAULTS | {"install": False, "project_name": "🚀", "_template": str(ROOT)}
    context = {"cookiecutter": answers, "_cookiecutter": {}}
    rendered = create_env_with_context(context).from_string(code).render(context)
    (tmp_path / "hook.py").write_text(rendered, encoding="utf-8")
    project = shutil.copytree(bake(), tmp_path / "project")
    (project / "poetry.lock").rename(project / "sqlite-auth.lock")
    run(sys.executable, "-S", "-I", "-W", "error", tmp_path / "hook.py", cwd=project, LC_ALL="C")


WINDOWS_LIKE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_a_console_without_unicode(tmp_path: Path) -> None:
    environment = [f"{key}={WINDOWS_LIKE[key]}" for key in WINDOWS_LIKE]
    command: list[str | Path] = ["env", *environment, *ASK_NOTHING, "-o", tmp_path]
    said = run(*command, "project_name=🚀", cwd=tmp_path, status=1).stdout
    assert re.match(r"project_name '\\udcf0.*' is not in the encoding of this system: .*\.\n", said)
    assert not list(tmp_path.iterdir())
    run(*command, "project_slug=one", cwd=tmp_path)
    command.insert(1, "PYTHONIOENCODING=cp1252")
    run(*command[:2], *ASK_NOTHING, "-o", tmp_path, "project_name=🚀", cwd=tmp_path)
    assert (tmp_path / "my-service" / "poetry.lock").exists()


def test_a_prompt_that_cannot_show_its_default(tmp_path: Path) -> None:
    status, said = converse(
        [*NEW, "-o", tmp_path, "project_name=🚀", "install=no"], [""] * 20, cwd=tmp_path,
        PYTHONIOENCODING="cp1252",
    )  # fmt: skip
    assert status == 0, said
    assert re.search(r"\[1/\d+\] Name of the project \(\?\)", said)
    assert (tmp_path / "my-service" / "poetry.lock").exists()
