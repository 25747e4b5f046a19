"""How long does help take? It must not import torch."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.harness import Row, alternate, arguments, finish

CODE = """
import sys
from gsmflow.cli import main
sys.argv = ["gsmflow", "--help"]
main()
assert "torch" not in sys.modules
"""


def main() -> None:
    asked = arguments(__doc__).parse_args()

    def run(code: str) -> object:
        return subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)

    seconds = alternate({"help": lambda: run(CODE), "import": lambda: run("import gsmflow")}, 2 if asked.tiny else 9)
    for_help, for_import = seconds["help"], seconds["import"]
    measured = f"help {for_help:.2f} s, import gsmflow {for_import:.2f} s, torch not imported for help"
    finish([Row("gsmflow --help, import", "", "under 0.5 s", measured)], asked)


if __name__ == "__main__":
    main()
