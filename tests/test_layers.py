"""The layers of the package: a module imports only what stands below it."""

import ast
from pathlib import Path

import pytest

import gsmflow

ROOT = Path(gsmflow.__file__).parent
LAYERS = (
    {"errors", "seeds"},
    {"files", "settings"},
    {"overrides"},
    {"recipes"},
    {"data"},
    {"devices", "progress", "streams", "tracking"},
    {"scaling", "semantics"},
    {"training"},
    {"generators"},
    {"recognizers"},
    {"evaluation"},
    {"drawing"},
    {"model"},
    {"runs"},
    {"selection"},
    {"experiment"},
    {"evidence"},
    {"comparison"},
    {"report"},
    {"estimator", "export", "hub"},
    {"encoders"},
    {"cli"},
)
"""Lowest first; those of one layer may not import each other."""
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
UPWARDS = {("experiment", "report")}
"""The one door that opens upwards: `Result.report`."""
OF_EVALUATION = {"errors", "data"}


def part(path: Path) -> str:
    """The part of the package that a file belongs to."""
    inside = path.relative_to(ROOT).parts
    return inside[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The parts of the package that a file imports, inside of functions too."""
    package = ("gsmflow", *path.relative_to(ROOT).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module or "").split(".")) if node.module else base
            if module[:1] == ("gsmflow",):
                names = [module[1]] if len(module) > 1 else [alias.name for alias in node.names]
                found |= set(names)
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("gsmflow.")}
    return found - {"__version__"}


FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.name != "__init__.py")


def test_every_part_has_a_layer():
    assert {part(path) for path in FILES} == set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_stands_below_it(path):
    here = part(path)
    for other in imports(path) - {here}:
        assert LEVEL[other] < LEVEL[here] or (here, other) in UPWARDS, f"{here} imports {other}"


def test_the_reader_of_imports_sees_what_is_there():
    assert {"settings", "selection", "report"} <= imports(ROOT / "experiment.py")
    assert "experiment" in imports(ROOT / "cli" / "train.py")


def test_evaluation_knows_of_ours_errors_and_data_alone():
    for path in (ROOT / "evaluation").rglob("*.py"):
        assert imports(path) - {"evaluation"} <= OF_EVALUATION
