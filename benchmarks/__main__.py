"""Measure, and write docs/benchmarks.md and docs/capacity.md: `python -m benchmarks [NAME ...]`.

A name replaces its own section; without names all are measured.
"""

import argparse
import re
from types import ModuleType

from benchmarks import bake, capacity, migrations, parallel, service, suite
from benchmarks.common import ROOT, machine, render

# How often each figure is taken: pairs of times, or rounds
BENCHMARKS: dict[str, tuple[ModuleType, int]] = {
    "bake": (bake, bake.PAIRS),
    "migrations": (migrations, migrations.PAIRS),
    "parallel": (parallel, parallel.ROUNDS),
    "service": (service, service.ROUNDS),
    "suite": (suite, suite.PAIRS),
}
PAGE = ROOT / "docs" / "benchmarks.md"
CAPACITY = ROOT / "docs" / "capacity.md"

INTRODUCTION = """\
# Benchmarks

This page is not typed: `make bench` measures and writes it, `.venv/bin/python -m benchmarks NAME`
replaces one section, and [capacity.md](capacity.md) is written in the same way. Times are medians
of wall time, the start of the interpreter included; /s is answered requests per second, on 32
connections, of one process. A ratio is ours by the one beside it, both taken in turn in one run:
the median of the pairs, and the least to the most.
"""


def main() -> None:
    """Run the benchmarks named on the command line, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = [*BENCHMARKS, "capacity"]
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(known))
    parser.add_argument("--repeat", type=int, help="pairs of times, or rounds, of each figure")
    arguments = parser.parse_args()
    names = arguments.names or known
    if unknown := set(names) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    if arguments.repeat is not None and arguments.repeat < 1:
        parser.error("--repeat must be at least 1")
    for name in names:
        again = f".venv/bin/python -m benchmarks {name}"
        again += f" --repeat {arguments.repeat}" if arguments.repeat else ""
        if name == "capacity":
            text = capacity.document(arguments.repeat or capacity.ROUNDS, again)
            CAPACITY.write_text(text, encoding="utf-8")
        else:
            module, repeat = BENCHMARKS[name]
            table = render(module.measure(arguments.repeat or repeat))
            text = section(module.__doc__ or "", table, again)
            before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
            PAGE.write_text(page(before, {name: text}), encoding="utf-8")
        print(text)


def section(docstring: str, table: str, again: str) -> str:
    """Write what a section of the page says.

    Args:
        docstring: Of the benchmark's module; its first line says what is measured.
        table: What came of it.
        again: The command that measures it again.
    """
    return f"{docstring.splitlines()[0]}\n\n{table}\n\n{machine()} Again: `{again}`\n"


def page(before: str, sections: dict[str, str]) -> str:
    """Write docs/benchmarks.md anew.

    Args:
        before: What it said until now.
        sections: What is new, by the name of the benchmark; the others stay as they are.
    """
    old = dict(re.findall(r"^## (\w+)\n\n(.*?\n)(?=\n## |\Z)", before, re.MULTILINE | re.DOTALL))
    known = old | sections
    parts = [f"## {name}\n\n{known[name]}" for name in BENCHMARKS if name in known]
    return "\n".join([INTRODUCTION, *parts])


if __name__ == "__main__":
    main()
