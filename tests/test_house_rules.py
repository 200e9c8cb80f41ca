"""The bounds on size that Ruff does not count, and what the README has to name."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from execution_environment.settings import Settings as ExecutionSettings
from orchestrator.settings import Settings as OrchestratorSettings

ROOT = Path(__file__).parent.parent
PACKAGES = ("common", "execution_environment", "orchestrator", "agentic")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MAX_MODULE = 200
MAX_FUNCTION = 25
MAX_MODULES = 15
MAX_FLOORS = {"execution_environment": 9, "orchestrator": 5}
FOLDERS = sorted({path.parent for path in MODULES})


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body, its docstring left out: a contract may be as long as it needs."""
    has_docstring = ast.get_docstring(function) is not None
    body = function.body[1:] if has_docstring else function.body
    return 0 if not body else (function.end_lineno or 0) - body[0].lineno + 1


def too_long(source: str) -> list[str]:
    """Return the names of the functions that are longer than the bound."""
    nodes = ast.walk(ast.parse(source))
    functions = [n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [f.name for f in functions if _body_lines(f) > MAX_FUNCTION]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_are_short(path):
    """What does not fit on a few screens hides a seam."""
    source = path.read_text()
    assert source.count("\n") <= MAX_MODULE
    assert too_long(source) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_folder_holds_more_modules_than_can_be_seen_at_a_glance(folder):
    """What grows beyond that has rooms in it."""
    modules = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MAX_MODULES


@pytest.mark.parametrize(("package", "floors"), MAX_FLOORS.items())
def test_no_package_has_more_floors_than_can_be_remembered(package, floors):
    """The contracts hold imports to run down; this holds how far."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    contracts = tools["importlinter"]["contracts"]
    [layers] = [c["layers"] for c in contracts if c.get("containers") == [package]]
    assert len(layers) <= floors


def test_a_long_function_is_noticed():
    """The rule above can fail."""
    assert too_long("def f():\n" + "    x = 1\n" * (MAX_FUNCTION + 1)) == ["f"]


def blocking_dependencies(source: str) -> list[str]:
    """Return what `Depends` is given beside functions that are `async`: FastAPI has it in a thread."""
    tree = ast.parse(source)
    plain = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    given = [
        call.args[0].id if call.args and isinstance(call.args[0], ast.Name) else "nothing"
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Depends"
    ]
    return [name for name in given if name in {"nothing", *plain}]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_dependency_takes_a_thread(path):
    """Each request would wait for one, or several, before its endpoint begins."""
    assert blocking_dependencies(path.read_text()) == []


def test_a_dependency_that_takes_a_thread_is_noticed():
    """A function that is not `async`, and a class."""
    source = "def f(): ...\nasync def g(): ...\nx = Depends(f), Depends(), Depends(g)"
    assert blocking_dependencies(source) == ["f", "nothing"]


@pytest.mark.parametrize("settings", [ExecutionSettings, OrchestratorSettings])
def test_every_setting_is_documented(settings):
    """A setting that the README does not list cannot be found."""
    readme = (ROOT / "README.md").read_text()
    missing = [name for name in settings.variables() if f"`{name}`" not in readme]
    undescribed = [name for name, field in settings.model_fields.items() if not field.description]
    assert (missing, undescribed) == ([], [])


def test_the_readme_names_no_setting_that_does_not_exist():
    """A documented setting that the service refuses would be worse than none."""
    named = set(
        re.findall(r"`((?:EXEC_ENV|ORCHESTRATOR)_[A-Z_]+)`", (ROOT / "README.md").read_text())
    )
    assert named <= {*ExecutionSettings.variables(), *OrchestratorSettings.variables()}


def test_the_tests_that_the_security_page_names_are_there():
    """A claim whose test is gone is only a claim."""
    page = (ROOT / "docs/security.md").read_text()
    named = {
        path.replace("{" + names + "}", name)
        for path, names in re.findall(r"`((?:[\w/]+/)?test_(?:\{([\w,]+)\}|\w+)\.py)`", page)
        for name in names.split(",")
    }
    there = [f"/{path.relative_to(ROOT)}" for path in (ROOT / "tests").rglob("test_*.py")]
    assert named
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in there)] == []


def test_the_files_that_the_pages_name_are_there():
    """A newcomer follows a request by them; a room's files are named from the package on."""
    pages = ("README.md", "docs/architecture.md")
    text = "".join((ROOT / page).read_text() for page in pages)
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|lua))`", text)
    there = [
        f"/{path.relative_to(ROOT)}" for path in ROOT.glob("*/**/*.*") if ".venv" not in path.parts
    ]
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in there)] == []
