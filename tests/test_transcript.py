"""The README shows what a terminal shows: the questions in order, and each line of the report."""

import ast
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

from scripts.transcript import BLOCK, NAME, PICTURE, README, ROOT, converse, draw, shorten
from tests.conftest import ANSWERS, Bake
from tests.test_answers import load

SVG = "{http://www.w3.org/2000/svg}"


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


def test_the_picture_shows_the_same() -> None:
    picture = PICTURE.read_text(encoding="utf-8")
    title, *texts = (text.text or "" for text in ElementTree.fromstring(picture).iter(f"{SVG}text"))
    assert title == "make\xa0new"
    assert "".join("".join(texts).split()) == "".join(shown().split())
    readme = README.read_text(encoding="utf-8")
    assert f"({PICTURE.relative_to(ROOT)})" in readme
    assert not re.search("url\\(.?http|@import|href", picture)


def test_a_picture_has_the_colors_of_the_terminal() -> None:
    svg = draw("\x1b[1;35m<1>\x1b[0m & more\n")
    assert svg == draw("\x1b[1;35m<1>\x1b[0m & more\n")
    first, second = list(ElementTree.fromstring(svg).iter(f"{SVG}text"))[1:3]
    assert (first.text, second.text) == ("<1>", "\xa0&\xa0more")
    assert first.get("class") != second.get("class")
