"""What the benchmarks write, without running them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import capacity
from benchmarks.__main__ import BENCHMARKS, PAGE, page, section
from benchmarks.capacity import CREATE, DIRECT, LIST, POOLED, READ, Budget, Figures
from tests.conftest import run

ROOT = PAGE.parents[1]
BURN = """
import os, subprocess, sys, time
if len(sys.argv) == 1:
    child = subprocess.Popen([sys.executable, __file__, "child"], stdin=subprocess.PIPE)
while time.process_time() < 0.3: pass
print("done", flush=True)
sys.stdin.read()
"""


def test_a_benchmark_replaces_its_own_section() -> None:
    both = page("", {"service": section("Service.\n\nMore.", "| 1 |", "again"), "bake": "Old.\n"})
    assert "## bake\n\nOld.\n\n## service\n\nService.\n\n| 1 |\n" in both
    assert "More." not in both
    assert "Again: `again`" in both
    one = page(both, {"bake": "New.\n"})
    assert one == both.replace("Old.", "New.")
    assert page(one, {}) == one


def test_the_page_is_what_the_benchmarks_write() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, {}) == text
    for name in (name for name in BENCHMARKS if f"## {name}\n" in text):
        assert f"`.venv/bin/python -m benchmarks {name}" in text


def test_an_unknown_benchmark_is_refused() -> None:
    command = (sys.executable, "-m", "benchmarks", "bake", "nothing")
    assert "there is no nothing" in run(*command, cwd=ROOT, status=2).stdout


def figures(*ways: str) -> capacity.Seen:
    """Make figures up: 0.5 ms of PostgreSQL for each request, 2 ms of the service for a read."""
    cost = {LIST: 5.0, READ: 2.0, CREATE: 4.0}
    return {
        (what, workers, way): Figures(1000 / ms * workers, 1.0 * workers, 0.5 / ms * workers, 0.1)
        for way in ways
        for workers in capacity.WORKERS
        for what, ms in cost.items()
    }


@pytest.mark.parametrize(
    ("ways", "pooler"),
    [((DIRECT, POOLED), "there were 1.00 times as many"), ((DIRECT,), "There was none here")],
)
def test_the_page_on_capacity_computes_its_advice(ways: tuple[str, ...], pooler: str) -> None:
    budget = Budget(kept=5, worker=15, server=97, clients=1000, pooled=20)
    text = " ".join(capacity.write(figures(*ways), budget, 1024, "again").split())
    assert pooler in text
    assert "| single read | 2.00 ms | 0.50 ms | 500/s | 2000/s |" in text
    assert "a core of it feeds 4.0 workers or more" in text
    assert "lets in 97, besides administrators: enough for 6 workers" in text
    assert "lets in 1000, enough for 66 workers, and opens 20 to the server" in text
    assert "from worker 7 on" in text
    assert "an item takes 1024 bytes with its indexes, so a GiB holds 1.0 million" in text


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")
def test_cpu_time_is_of_a_process_and_of_what_it_started(tmp_path: Path) -> None:
    script = tmp_path / "burn.py"
    script.write_text(BURN)
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert [process.stdout.readline() for _ in range(2)] == [b"done\n"] * 2
        assert process.pid in capacity.children(os.getpid())
        assert len(capacity.children(process.pid)) == 1
        assert capacity.cpu_time(process.pid) >= 0.55  # rounded down to hundredths, each
        process.communicate(b"")
