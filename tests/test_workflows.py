"""The workflows of this repository: valid, safe, and running what there is."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

from tests.conftest import ROOT

FOLDER = Path(".github") / "workflows"
WORKFLOWS = sorted((ROOT / FOLDER).glob("*.yml"))
# The workflows of the generated project too: one version of an action everywhere
ALL = [*WORKFLOWS, *(ROOT / "{{cookiecutter.project_slug}}").rglob(f"{FOLDER}/*")]
PIN = re.compile(r"uses: (\S+)@([0-9a-f]{40}) # (v[\d.]+)\n")


def check(tool: str, *arguments: str) -> None:
    """Run a tool on the workflows."""
    done = subprocess.run(
        [Path(sys.executable).with_name(tool), *arguments, *WORKFLOWS],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_they_are_workflows() -> None:
    check("check-jsonschema", "--builtin-schema", "vendor.github-workflows")


def test_they_are_safe() -> None:
    check("zizmor", "--offline", "--no-config", "--persona", "auditor", "--strict-collection")


def test_each_action_is_pinned_to_one_commit() -> None:
    pins: dict[str, set[tuple[str, str]]] = {}
    for path in ALL:
        text = path.read_text(encoding="utf-8")
        found = PIN.findall(text)
        assert len(found) == text.count("uses:"), path
        for action, commit, version in found:
            pins.setdefault(action, set()).add((commit, version))
    assert {action: len(versions) for action, versions in pins.items()} == dict.fromkeys(pins, 1)


def test_what_they_run_is_there() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = []
    for path in WORKFLOWS:
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
        commands += [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    for command in commands:
        assert {*re.findall(r"^make ([\w-]+)", command)} <= {*targets}
    assert sum(command.endswith(" .ci/run") for command in commands) == len(WORKFLOWS)
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_newest_releases_are_tried_each_week() -> None:
    newest = yaml.safe_load((ROOT / FOLDER / "newest.yml").read_text(encoding="utf-8"))
    [schedule] = newest[True]["schedule"]  # YAML reads `on` as true
    assert re.fullmatch(r"\d+ \d+ \* \* \d", schedule["cron"])
    steps = [step.get("run", "") for step in newest["jobs"]["test"]["steps"]]
    assert steps.index("make newest") < len(steps) - 1
    assert steps[-1].endswith(".ci/run")
    tell = newest["jobs"]["tell"]
    assert (tell["needs"], tell["if"]) == ("test", "failure()")
    assert tell["permissions"] == {"issues": "write"}
    assert not [step for step in tell["steps"] if "uses" in step]
