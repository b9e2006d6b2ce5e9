"""What the documents say is what the code does: their tables are compared with it, row by row."""

from __future__ import annotations

import argparse
import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter import cli, data, settings
from adapter.issues import DETAILS
from adapter.mapping import events, feeds, model
from adapter.sources import layout

ROOT = Path(__file__).resolve().parent.parent
DOCS = ("README.md", "CONTRIBUTING.md", "mappings/README.md", "CHANGELOG.md")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")
QUOTED = re.compile(r"`([^`]+)`")
PATH = re.compile(r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_./-]*$")

Row = list[str]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def table(name: str, heading: str) -> list[Row]:
    """The rows of the one table of a document whose first heading cell is this."""
    found = [rows for rows in tables(read(name)) if rows[0][0] == heading]
    assert len(found) == 1, f"{name} has {len(found)} tables headed `{heading}`"
    return found[0][1:]


def tables(text: str) -> Iterator[list[Row]]:
    rows: list[Row] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows:
            yield [row for row in rows if set("".join(row)) - set("-: ")]
            rows = []


def first_codes(rows: list[Row]) -> set[str]:
    """Every code-quoted name in the first cells."""
    return {name for row in rows for name in QUOTED.findall(row[0])}


def test_the_readme_is_short() -> None:
    assert len(read("README.md").split()) <= 800


@pytest.mark.parametrize("name", DOCS)
def test_links_and_paths_lead_somewhere(name: str) -> None:
    text, folder = read(name), (ROOT / name).parent
    targets = {target for target in LINK.findall(text) if not (folder / target).exists()}
    paths = {
        path
        for path in QUOTED.findall(text)
        if PATH.match(path) and not any((base / path).exists() for base in (folder, ROOT))
    }
    assert targets | paths == set()


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    named = {
        target
        for name in DOCS
        for target in re.findall(r"(?:^|`|=1 )make ([a-z]+)", read(name), re.MULTILINE)
    }
    assert named
    assert named - targets == set()


def test_readme_commands_are_the_parser_s() -> None:
    documented = {name.split()[0] for name in first_codes(table("README.md", "command"))}
    assert documented == set(subcommands(cli.parser()))


def subcommands(parser: argparse.ArgumentParser) -> list[str]:
    (action,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return list(action.choices)


def test_readme_plans_are_the_layouts() -> None:
    layouts = {file.stem for file in data.path("mappings", "mif", "layouts").glob("*.toml")}
    assert first_codes(table("README.md", "plan")) == layouts


def test_readme_events_are_the_event_files() -> None:
    files = data.path("mappings", "hl7v2", "events").glob("adt_*.toml")
    events = {file.stem.removeprefix("adt_").upper() for file in files}
    assert first_codes(table("README.md", "event")) == events


def test_readme_settings_are_the_code_s() -> None:
    documented: dict[str, str] = {}
    for names, _, defaults in table("README.md", "setting"):
        values = QUOTED.findall(defaults) or [""]
        documented |= zip(QUOTED.findall(names), values, strict=True)
    actual = settings.read({})
    assert documented == {
        variable: str(getattr(actual, name)) for variable, name in settings.VARIABLES.items()
    }


def test_the_grammar_names_every_key() -> None:
    grammar = "mappings/README.md"
    assert first_codes(table(grammar, "file key")) == model.FILE_KEYS
    assert first_codes(table(grammar, "map key")) == model.MAP_KEYS
    assert first_codes(table(grammar, "rule key")) == model.RULE_KEYS
    assert first_codes(table(grammar, "event key")) == events.EVENT_KEYS
    assert first_codes(table(grammar, "feed key")) == feeds.FEED_KEYS
    keys = layout._TEXTS | layout._LISTS | layout._TABLES | layout._OTHERS
    assert first_codes(table(grammar, "layout key")) == keys


def test_the_slug_table_is_the_code_s() -> None:
    """The last table of CONTRIBUTING.md; `UPDATE_GOLDEN=1` rewrites it."""
    text = read("CONTRIBUTING.md")
    start = text.index("| slug | means | mend |")
    rows = [f"| `{slug}` | {row.meaning} | {row.remedy} |" for slug, row in DETAILS.items()]
    fresh = "\n".join(["| slug | means | mend |", "|---|---|---|", *rows, ""])
    if os.environ.get("UPDATE_GOLDEN") == "1":
        (ROOT / "CONTRIBUTING.md").write_text(text[:start] + fresh, encoding="utf-8")
        text = read("CONTRIBUTING.md")
    assert text[start:] == fresh


def test_every_slug_used_is_known() -> None:
    wrong = [f"{file}:{line} {slug}" for file, line, slug in slugs_used() if slug not in DETAILS]
    assert wrong == []


def test_every_known_slug_is_used() -> None:
    texts = {text for file in sources() for text in constants(file)}
    shipped = "\n".join(f.read_text(encoding="utf-8") for f in (ROOT / "mappings").rglob("*.toml"))
    unused = {slug for slug in DETAILS if slug not in texts and f'"{slug}"' not in shipped}
    assert unused == set()


def sources() -> list[Path]:
    found = (ROOT / "adapter").rglob("*.py")
    return sorted(f for f in found if f.name != "issues.py" and "shipped" not in f.parts)


def constants(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def slugs_used() -> Iterator[tuple[str, int, str]]:
    """The slug of every call that makes an issue, where it is written as a constant."""
    for file in sources():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (slug := slug_of(node)) is not None:
                yield file.relative_to(ROOT).as_posix(), node.lineno, slug


# Where the slug stands among the arguments, by the name of what is called.
PLACE = {"Issue": 1, "issue": 1, "BadValue": 0}


def slug_of(call: ast.Call) -> str | None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in PLACE:
        return None
    by_name = [word.value for word in call.keywords if word.arg == "detail"]
    node = (by_name or [*call.args[PLACE[name] :], None])[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
