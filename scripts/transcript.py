"""Write what `make new` looks like into the README, as text and as a picture, from a real run.

Paths are shortened to a home's, and what follows the next steps is left out.
"""

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from pty import openpty
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "make-new.svg"
BLOCK = re.compile(r"(?<=```\n)\$ make new\n.*?(?=```)", re.DOTALL)
NAME = "My Shop"
PROMPT = re.compile(r"\)(\x1b\[\d*m)*: $")
STYLE = re.compile(r"\x1b\[[\d;?]*[a-zA-Z]")
CONTROL_C = "\x03"
COLUMNS = 100


def main() -> None:
    """Run `make new`, rewrite the block in the README, and draw the picture.

    Raises:
        SystemExit: The run failed.
    """
    with TemporaryDirectory() as folder:
        command = ["make", "--silent", "new", f"ARGS=--default-config -o {folder}"]
        status, said = record(command, [NAME, *[""] * 20], cwd=ROOT)
        if status:
            sys.exit(said)
        shown = "$ make new\n" + shorten(said, folder)
    PICTURE.write_text(draw(shown), encoding="utf-8")
    text = STYLE.sub("", shown)
    readme = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(text.replace("\\", r"\\"), readme, count=1), encoding="utf-8")


def shorten(said: str, folder: str) -> str:
    """Show what is the same on every machine.

    Args:
        said: What was on the terminal.
        folder: Where the project was made.

    Returns:
        The text from the first question to the next steps.
    """
    first = said.index("[1/")
    text = said[said.rfind("\n", 0, first) + 1 :].partition("\nThe same again")[0]
    text = re.sub(r"cd \S+/", "cd ../", text.replace(f"is in {folder}", "is in ~"))
    return re.sub(r"^.*\r| +$", "", text, flags=re.MULTILINE)


def draw(text: str) -> str:
    """Draw a terminal as SVG, which needs nothing from anywhere.

    Args:
        text: What the terminal shows, with its escape sequences.
    """
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="standard"
    )
    console.print(Text.from_ansi(text))
    svg = console.export_svg(title="make new", unique_id="terminal")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def converse(
    command: Sequence[str | Path],
    replies: Sequence[str],
    cwd: Path,
    asks: re.Pattern[str] = PROMPT,
    **environment: str,
) -> tuple[int, str]:
    """Do what `record` does; give what was on the terminal without its escape sequences."""
    status, said = record(command, replies, cwd, asks, **environment)
    return status, STYLE.sub("", said)


def record(
    command: Sequence[str | Path],
    replies: Sequence[str],
    cwd: Path,
    asks: re.Pattern[str] = PROMPT,
    **environment: str,
) -> tuple[int, str]:
    """Run a command on a terminal of its own, and answer each time that it asks.

    Args:
        command: The program and its arguments.
        replies: What to type; those that nobody asks for are not typed.
        cwd: Where to run it.
        asks: What the terminal shows when it is time for the next reply.
        environment: More variables.

    Returns:
        The exit status, and what was on the terminal.
    """
    terminal, own = openpty()

    def sit_down() -> None:
        os.login_tty(own)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background ignores it

    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | {"TERM": "xterm", "COLUMNS": str(COLUMNS)} | environment,
        preexec_fn=sit_down,
    )
    os.close(own)
    waiting = list(replies)
    said, heard = "", 0
    while chunk := read(terminal):
        said += chunk
        if waiting and asks.search(said, heard):
            heard = len(said)
            reply = waiting.pop(0)
            os.write(terminal, reply.encode() + b"\n" * (reply != CONTROL_C))
    os.close(terminal)
    return process.wait(), said.replace("\r\n", "\n")


def read(terminal: int) -> str:
    """Read what there is; nothing once the other side is closed."""
    try:
        return os.read(terminal, 1 << 16).decode(errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    main()
