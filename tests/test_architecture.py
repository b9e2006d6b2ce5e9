"""The house stays the house: who imports what, what enters where, and how large things get."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "adapter"

# Room -> layer. A module belongs to the room that its first name below `adapter` names.
LAYERS = {
    "errors": 0, "issues": 0, "constant": 0, "record": 0, "outcome": 0,
    "settings": 1, "logs": 1, "data": 1, "terms": 1, "staging": 1, "spreadsheet": 1,
    "sources": 2, "mapping": 2, "validation": 2, "identity": 2, "store": 2, "security": 2,
    "program": 3, "referrals": 3, "consent": 3, "careplans": 3, "claims": 3, "reports": 3,
    "pipeline": 4, "convert": 4, "checked": 4, "members": 4, "feeds": 4,
    "returned": 4,
    "api": 5, "console": 5, "transport": 5,
    "cli": 6, "commands": 6, "feed_commands": 6, "alert_commands": 6, "output_commands": 6,
    "demo": 6, "outputs": 6, "serving": 6, "__main__": 6, "": 6,
    "member_commands": 6, "review_commands": 6, "reject_file": 6, "due_commands": 6, "letters": 6,
}  # fmt: skip

# Layer -> layers it may import from; rooms of one layer never import each other, but for those
# whose layer stands in its own set.
MAY_IMPORT = {
    0: {0},
    1: {0, 1},
    2: {0, 1},
    3: {0, 1},
    4: {0, 1, 2, 3, 4},
    5: {0, 1, 4},
    6: {0, 1, 2, 3, 4, 5, 6},
}
SEAMS = {"adapter.store.protocol": {3, 5}}  # modules that these layers may import besides

# Third-party package -> the modules through which it enters.
DOORS: dict[str, tuple[str, ...]] = {
    "asyncssh": ("adapter.transport.sftp",),
    "fastapi": ("adapter.api.*",),
    "fhir": ("adapter.validation.judge",),
    "fpdf": ("adapter.reports.letter",),
    "hl7apy": ("adapter.validation.hl7v2_conformance",),
    "httpx": ("adapter.transport.alerts",),
    "jinja2": ("adapter.console.*",),
    "lxml": ("adapter.sources.*", "adapter.api.*"),
    "orjson": ("adapter.data",),
    "pydantic": ("adapter.validation.judge",),
    "python_calamine": ("adapter.sources.*",),
    "sqlalchemy": ("adapter.store.*",),
    "starlette": ("adapter.api.*",),
    "uvicorn": ("adapter.api.*",),
    "xlsxwriter": ("adapter.reports.*",),
    "zstandard": ("adapter.store.packing",),
}
# A package whose types are the room's own language may be used all over the room.
WIDE = {"fastapi", "sqlalchemy", "starlette"}
# Dependencies that no module imports, and who needs them.
LOADED_BY_OTHERS = {
    "tzdata": "zoneinfo, where the system has no zone files",
    "httptools": "uvicorn's HTTP parser",
    "psycopg": "SQLAlchemy's PostgreSQL driver",
    "uvloop": "uvicorn's event loop",
}
IMPORT_NAMES = {"fpdf2": "fpdf", "fhir.resources": "fhir", "python-calamine": "python_calamine"}

# Clock, chance and environment: read in these rooms only, passed in everywhere else.
COMMAND_LINE = {"cli", "commands"}
IMPURE_ROOMS = {"settings", "api", "transport"} | COMMAND_LINE | {"serving"}
IMPURE_MODULES = {"random", "secrets"}
IMPURE_CALLS = {
    "date.today", "datetime.now", "datetime.today", "datetime.utcnow", "func.now", "os.environ",
    "os.getenv", "os.urandom", "time.localtime", "time.time", "time.time_ns", "uuid.uuid1",
    "uuid.uuid4",
}  # fmt: skip

NO_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "handler", "misc"}
FILE_LINES, FUNCTION_LINES = 400, 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    """One source file of the package, parsed."""

    name: str
    tree: ast.Module
    lines: int
    package: bool

    @property
    def room(self) -> str:
        """`store` of `adapter.store.sql`; empty for the package itself."""
        return room_of(self.name)


def room_of(name: str) -> str:
    return [*name.split("."), ""][1]


@cache
def modules() -> tuple[Module, ...]:
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        if "shipped" in file.parts:
            continue
        parts = file.relative_to(ROOT).with_suffix("").parts
        package = parts[-1] == "__init__"
        text = file.read_text(encoding="utf-8")
        name = ".".join(parts[:-1] if package else parts)
        found.append(Module(name, ast.parse(text), len(text.splitlines()), package))
    return tuple(found)


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything imported, in functions and by importlib too."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, node)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and last_name(node.func) in {"import_module", "__import__"}:
            yield node.lineno, leading_text(node.args[0])


def absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    drop = node.level - (1 if module.package else 0)
    base = module.name.split(".")
    return ".".join(base[: len(base) - drop] + ([node.module] if node.module else []))


def leading_text(node: ast.expr) -> str:
    """The constant text an expression starts with: the package, if the rest is computed."""
    if isinstance(node, ast.JoinedStr) and node.values:
        return leading_text(node.values[0])
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "?"


def last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def dotted(node: ast.expr) -> str:
    """`os.environ` of such an expression; only the last two names count."""
    return f"{last_name(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def test_every_room_has_a_layer() -> None:
    assert {module.room for module in modules()} - LAYERS.keys() == set()


def test_imports_follow_the_layers() -> None:
    wrong = []
    for module in modules():
        for line, name in imports(module):
            if name.startswith("adapter.") and not allowed(module, name):
                wrong.append(f"{module.name}:{line} imports {name}")
    assert wrong == []


def allowed(module: Module, name: str) -> bool:
    layer, room = LAYERS[module.room], room_of(name)
    if room == module.room or room not in LAYERS:  # its own room, or a name of adapter/__init__.py
        return room in LAYERS or layer == 6
    if any(name.startswith(seam) and layer in layers for seam, layers in SEAMS.items()):
        return True
    return LAYERS[room] in MAY_IMPORT[layer]


def test_third_party_packages_enter_by_their_door() -> None:
    ours = sys.stdlib_module_names | {"adapter"}
    wrong = []
    for module in modules():
        for line, name in imports(module):
            package = name.split(".")[0]
            doors = DOORS.get(package, ())
            if package not in ours and not any(fnmatchcase(module.name, door) for door in doors):
                wrong.append(f"{module.name}:{line} imports {package}")
    assert wrong == []


def test_one_module_a_room_is_the_door() -> None:
    users: dict[tuple[str, str], set[str]] = {}
    for module in modules():
        for _, name in imports(module):
            if (package := name.split(".")[0]) in DOORS.keys() - WIDE:
                users.setdefault((package, module.room), set()).add(module.name)
    assert {key: names for key, names in users.items() if len(names) > 1} == {}


def test_each_dependency_has_a_door_and_a_user() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {bare(line) for line in project["dependencies"]} - LOADED_BY_OTHERS.keys()
    used = {name.split(".")[0] for module in modules() for _, name in imports(module)}
    brought = {"pydantic", "starlette"}  # by fhir.resources and fastapi, whose types they have
    assert {IMPORT_NAMES.get(name, name) for name in declared} == DOORS.keys() - brought
    assert DOORS.keys() - used == set()


def bare(requirement: str) -> str:
    """`psycopg` of `psycopg[binary]>=3.2`."""
    return requirement.partition(">")[0].partition("[")[0].partition("=")[0].strip()


def test_clock_chance_and_environment_are_passed_in() -> None:
    wrong = []
    for module in modules():
        if module.room in IMPURE_ROOMS:
            continue
        wrong += [f"{module.name}:{line} {name}" for line, name in impurities(module)]
    assert wrong == []


def impurities(module: Module) -> Iterator[tuple[int, str]]:
    for line, name in imports(module):
        if name.split(".")[0] in IMPURE_MODULES or ".".join(name.split(".")[-2:]) in IMPURE_CALLS:
            yield line, name
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and dotted(node) in IMPURE_CALLS:
            yield node.lineno, dotted(node)


def test_only_the_command_line_prints() -> None:
    wrong = []
    for module in modules():
        if module.room in COMMAND_LINE:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and last_name(node.func) == "print":
                wrong.append(f"{module.name}:{node.lineno} print")
            if isinstance(node, ast.Attribute) and dotted(node) in {"sys.stdout", "sys.stderr"}:
                wrong.append(f"{module.name}:{node.lineno} {dotted(node)}")
    assert wrong == []


def test_every_module_says_what_it_is_for() -> None:
    assert [module.name for module in modules() if not says_in_one_line(module)] == []


def says_in_one_line(module: Module) -> bool:
    if not module.tree.body:
        return module.package  # an empty __init__.py only marks a folder
    first, _, rest = (ast.get_docstring(module.tree) or "").partition("\n")
    return bool(first) and (not rest or rest.startswith("\n"))


def test_public_names_have_docstrings() -> None:
    wrong = [
        f"{module.name}:{node.lineno} {node.name}"
        for module in modules()
        for node in public(module.tree)
        if ast.get_docstring(node) is None
    ]
    assert wrong == []


def public(node: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | Function]:
    """Classes and functions of a module, and methods of its classes, that others may call."""
    for child in node.body:
        if not isinstance(child, ast.ClassDef | Function) or child.name.startswith("_"):
            continue
        if any(last_name(mark) == "overload" for mark in child.decorator_list):
            continue
        yield child
        if isinstance(child, ast.ClassDef):
            yield from public(child)


def test_files_and_functions_stay_small() -> None:
    files = [f"{m.name} {m.lines} lines" for m in modules() if m.lines > FILE_LINES]
    functions = [
        f"{module.name}:{node.lineno} {node.name} {node.end_lineno - node.lineno + 1} lines"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, Function) and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
    ]
    assert files + functions == []


def test_no_room_for_odds_and_ends() -> None:
    names = {part for module in modules() for part in module.name.split(".")}
    assert names & NO_NAMES == set()


def compiled() -> Iterator[Module]:
    """The modules that the build hook compiles."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    hook = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]
    found, left = ({f for p in hook[key] for f in ROOT.glob(p)} for key in ("include", "exclude"))
    names = {".".join(f.relative_to(ROOT).with_suffix("").parts) for f in found - left}
    yield from (module for module in modules() if module.name in names)


def test_compiled_classes_inherit_from_nothing_written_in_c() -> None:
    """Compiled, one of threading.local had one set of attributes for all threads, and crashed."""
    ours = {n.name for m in modules() for n in ast.walk(m.tree) if isinstance(n, ast.ClassDef)}
    known = ours | {"NamedTuple", "Protocol", "Exception", "Generic"}
    classes = [
        (f"{module.name}.{node.name}", ast.unparse(base).partition("[")[0])
        for module in compiled()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    ]
    assert len(classes) > 50
    assert [(name, base) for name, base in classes if base not in known] == []
