"""The README shows what a terminal shows: the questions in order, and each line of the report."""

import ast
import re
import sys
from pathlib import Path

from scripts.transcript import BLOCK, NAME, README, ROOT, converse, shorten
from tests.conftest import ANSWERS, Bake
from tests.test_answers import load


def shown() -> str:
    """Read the transcript in the README."""
    [block] = BLOCK.findall(README.read_text(encoding="utf-8"))
    return str(block)


def test_the_questions_are_those_of_a_terminal(tmp_path: Path) -> None:
    asked = sum(key != "install" for key in ANSWERS)
    command: list[str | Path] = [sys.executable, ROOT / "scripts" / "new.py", "--default-config"]
    status, said = converse([*command, "-o", tmp_path], [NAME, *[""] * (asked - 1), "n"], cwd=ROOT)
    assert status == 0, said
    questions = "$ make new\n" + shorten(said, str(tmp_path)).partition("\n\n")[0]
    assert questions.removesuffix(" n") == shown().partition("\n\n")[0]


def test_the_report_has_a_line_for_each_check(bake: Bake) -> None:
    tests = []
    for module in sorted(load("post_gen_project").SHOWN):
        code = (bake() / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        functions = [
            node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)
        ]
        tests += [name.removeprefix("test_").replace("_", " ") for name in functions
                  if name.startswith("test_")]  # fmt: skip
    lines = re.findall(r"^  (.) (.+?) +\d+\.\d s$", shown(), re.MULTILINE)
    assert {mark for mark, _ in lines} == {"✓"}
    first, *checks, others = [name for _, name in lines]
    assert first == "installed with Poetry"
    assert checks == tests
    assert re.fullmatch(r"\d+ more tests of the migrations", others)
    assert shown().endswith("\nNext:\n  cd ../my-shop\n  make run\n")
    assert f"\n{NAME} is in ~/my-shop\n" in shown()
