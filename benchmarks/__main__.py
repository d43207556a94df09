"""Measure, and print one table: `python -m benchmarks [bake] [migrations] [parallel] [service]`."""

import argparse
import os
import platform
from collections.abc import Callable

from benchmarks import bake, migrations, parallel, service
from benchmarks.common import Row, render

BENCHMARKS: dict[str, tuple[Callable[[int], list[Row]], int]] = {
    "bake": (bake.measure, bake.PAIRS),
    "migrations": (migrations.measure, migrations.PAIRS),
    "parallel": (parallel.measure, parallel.ROUNDS),
    "service": (service.measure, service.ROUNDS),
}


def main() -> None:
    """Run the benchmarks named on the command line, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--repeat", type=int, help="pairs of times, or rounds, of each figure")
    arguments = parser.parse_args()
    names = arguments.names or list(BENCHMARKS)
    if unknown := set(names) - BENCHMARKS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    if arguments.repeat is not None and arguments.repeat < 1:
        parser.error("--repeat must be at least 1")
    rows: list[Row] = []
    for name in names:
        measure, repeat = BENCHMARKS[name]
        rows += measure(arguments.repeat or repeat)
    print(render(rows))
    print(
        "\nTimes are medians in seconds of wall time, start of the interpreter included; /s"
        "\nis answered requests per second, on 32 connections, of one process. A ratio is"
        "\nours by the one beside it, both timed in turn: the median of the pairs (least to most)."
        f"\nHere: {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}."
        f"\nAgain: .venv/bin/python -m benchmarks {' '.join(names)}"
        + (f" --repeat {arguments.repeat}" if arguments.repeat else "")
    )


if __name__ == "__main__":
    main()
