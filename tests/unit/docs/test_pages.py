# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages say is there is there: links, commands, variables, tests, files, statuses, errors, messages, figures.

Each check is a function that returns what is wrong, so that a test can see it find something.
"""

from __future__ import annotations

import ast
import re
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, get_args

import pytest
import yaml
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Action, Status, Verdict
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import FAIL_ON
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import answers, lwa
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.marketplaces import (
    AWS_REGIONS,
    ENDPOINTS,
    MARKETPLACES,
)

PROJECT = Path(__file__).parents[3]
DOCS = PROJECT / "docs"
UTILS = PROJECT / "plugins" / "module_utils"
SAMPLE = DOCS / "report.md"
PAGES = sorted([PROJECT / "README.md", *DOCS.glob("*.md")])
FENCE = re.compile(r"^\s*(```|~~~)")
LINK = re.compile(r"!?\[(?:[^][`]|`[^`]*`|!\[[^]]*\]\([^)]*\))*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#{1,6}) +(.+?)\s*$")
CODE = re.compile(r"`([^`]+)`")
TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
SERVERS, OUTPUTS = ("_vault", "_kube", "_spapi", "_store"), ("_report", "_plan")
PLAYBOOKS = {path.stem for path in (PROJECT / "playbooks").glob("*.yml")}


class Page(NamedTuple):
    """``prose``: lines with their numbers outside of fences; ``blocks``: language and text of each fence."""

    prose: list[tuple[int, str]]
    blocks: list[tuple[str, str]]


def split(text: str) -> Page:
    page, fence, language, inside = Page([], []), "", "", []
    for number, line in enumerate(text.splitlines(), start=1):
        mark = FENCE.match(line)
        if fence:
            if mark and line.strip() == fence:
                page.blocks.append((language, "\n".join(inside)))
                fence, inside = "", []
            else:
                inside.append(line)
        elif mark:
            fence, language = mark[1], line.strip().strip("`~")
        else:
            page.prose.append((number, line))
    assert not fence, "a fence is not closed"
    return page


def headings(text: str) -> list[tuple[int, str]]:
    """Level and text."""
    found = (HEADING.match(line) for _number, line in split(text).prose)
    return [(len(match[1]), match[2]) for match in found if match]


def anchor(heading: str) -> str:
    """As GitHub makes it, and myst-parser with ``myst_heading_anchors``."""
    shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")


@cache
def anchors(path: Path) -> frozenset[str]:
    return frozenset(anchor(text) for _level, text in headings(path.read_text(encoding="utf-8")))


def prose(text: str) -> str:
    """The page without its fences, in one line, so that a span over two lines is one."""
    return " ".join(line for _number, line in split(text).prose)


def broken_links(page: Path, text: str) -> list[str]:
    wrong = []
    for target in LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _hash, wanted = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists():
            wrong.append(f"{target}: there is no such file")
        elif wanted and wanted not in anchors(path):
            wrong.append(f"{target}: there is no such heading")
    return wrong


def wrong_form(_page: Path, text: str) -> list[str]:
    levels = [level for level, _text in headings(text)]
    wrong = [] if levels.count(1) == 1 and levels[:1] == [1] else ["it has not exactly one H1, as its first heading"]
    wrong += [f"a heading skips from {a} to {b}" for a, b in pairwise(levels) if b > a + 1]
    for number, line in split(text).prose:
        if re.search(r"</?[a-zA-Z][\w-]*(\s[^<>]*)?/?>|<!--", CODE.sub("", line)):
            wrong.append(f"line {number} has raw HTML")
    return wrong


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command that starts with make or ansible-playbook, in fences of a shell and in code spans."""
    page = split(text)
    lines = [line for language, block in page.blocks if language in {"shell", "bash", "sh"} for line in _joined(block)]
    lines += [" ".join(span.split()) for span in CODE.findall(prose(text)) if span.startswith(("make ", "ansible-"))]
    for line in lines:
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # a quote that a here-document opens
            continue
        at = next((n for n, word in enumerate(words) if "=" not in word), len(words))  # VARIABLE=value before it
        if words[at : at + 1] in (["make"], ["ansible-playbook"]):
            yield words[at:]


def _joined(block: str) -> list[str]:
    return re.sub(r"\\\n\s*", " ", block).splitlines()


@cache
def make_targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


WITH_VALUE = {"-i", "-e", "-l", "-f", "--limit", "--inventory", "--extra-vars", "--forks", "--tags"}


def playbook_and_variables(words: list[str]) -> tuple[str | None, list[str]]:
    """Of the words of ``ansible-playbook …``; ``None`` where the page leaves the playbook out."""
    playbook, variables, rest = None, [], iter(words[1:])
    for word in rest:
        if word in WITH_VALUE:
            value = next(rest, "")
            if word in {"-e", "--extra-vars"}:
                variables += [value.partition("=")[0]] if re.match(r"\w+=", value) else []
        elif not word.startswith("-") and playbook is None:
            playbook = word
    return (None if playbook == "…" else playbook), variables


@cache
def variables_that_exist() -> frozenset[str]:
    """Options of the roles, what playbooks read, and the variables of the AWX lists."""
    known: set[str] = set()
    for specs in (PROJECT / "roles").glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"].values():
            known |= set(entry.get("options") or {})
    for file in [*(PROJECT / "playbooks").rglob("*.yml"), *(PROJECT / "extensions").rglob("*.yml")]:
        known |= set(re.findall(r"[a-z][a-z0-9_]{2,}", file.read_text(encoding="utf-8")))
    return frozenset(known)


def wrong_commands(page: Path, text: str) -> list[str]:
    wrong = []
    for words in commands(text):
        if words[0] == "make":
            named = [word for word in words[1:] if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")]
            wrong += [f"make {name}: there is no such target" for name in named if name not in make_targets()]
            continue
        playbook, variables = playbook_and_variables(words)
        if playbook and not _is_playbook(page, playbook):
            wrong.append(f"ansible-playbook {playbook}: there is no such playbook")
        wrong += [f"-e {name}: no role or playbook has it" for name in variables if name not in variables_that_exist()]
    # A lone -e in a table or a sentence.
    lone = re.findall(r"-e (\w+)=", " ".join(CODE.findall(prose(text))))
    return wrong + [f"-e {name}: no role or playbook has it" for name in lone if name not in variables_that_exist()]


def _is_playbook(page: Path, name: str) -> bool:
    if name.startswith("keybuzz.amazon."):
        return name.removeprefix("keybuzz.amazon.") in PLAYBOOKS
    return any((folder / name).is_file() for folder in (PROJECT, page.parent))


CHECKS: dict[Callable[[Path, str], list[str]], tuple[str, ...]] = {
    broken_links: (
        "# A\n[x](nowhere.md)",
        "# A\n[x](report.md#no-such-heading)",
        "# A\n[x](#b)",
        "# A\n![`x`](none.svg)",
    ),
    wrong_form: (
        "no heading",
        "# A\n# B",
        "## A\n# B",
        "# A\n### B",
        "# A\n<br>",
        "# A\n<!-- x -->",
        "# A\n<a href='x'>",
    ),
    wrong_commands: (
        "# A\n```shell\nmake nothing\n```",
        "# A\nType `make nothing`.",
        "# A\n```shell\nansible-playbook nothing.yml -e tenant=a\n```",
        "# A\n```shell\nX=1 ansible-playbook -i a keybuzz.amazon.nothing\n```",
        "# A\n```shell\nansible-playbook audit_amazon.yml \\\n  -e no_such_variable=1\n```",
        "# A\nGive `-e no_such_variable=1`.",
    ),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_right(page: Path, check: Callable[[Path, str], list[str]]) -> None:
    assert check(page, page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("check", "text"), [(check, text) for check, wrong in CHECKS.items() for text in wrong], ids=lambda one: None
)
def test_a_wrong_page_is_found_to_be_wrong(check: Callable[[Path, str], list[str]], text: str) -> None:
    assert check(SAMPLE, text)


def test_what_is_right_is_not_found_to_be_wrong() -> None:
    text = "# A\n[x](#what-it-writes) [y](plan.md#signed-plans)\n"
    text += "```shell\nmake demo  # make nothing\n```\n`<tenant>` `make lint`"
    assert broken_links(SAMPLE, text) == wrong_form(SAMPLE, text) == wrong_commands(SAMPLE, text) == []
    assert anchor("A `b`: what's [it](x)?") == "a-b-whats-it"


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the tables below a heading, up to the next one; header and rule left out."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found: list[list[str]] = []
    inside, number = False, 0
    for _number, line in split(text).prose:
        if match := HEADING.match(line):
            inside = match[2] == heading
        number = number + 1 if line.startswith("|") else 0
        if inside and number > 2:
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])])
    assert found, f"{page} has no table below {heading!r}"
    return found


@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("Statuses", get_args(Status)),
        ("Verdicts", get_args(Verdict)),
        ("Actions", get_args(Action)),
        ("When a job fails", FAIL_ON),
    ],
)
def test_the_runbook_has_each_value_once_and_no_other(heading: str, values: tuple[str, ...]) -> None:
    assert [cells[0] for cells in rows("runbook.md", heading)] == [f"`{value}`" for value in values]


def error_classes() -> dict[str, set[str]]:
    """Every class of the one exception tree, by package; ``""`` is the tree's own file."""
    bases: dict[tuple[str, str], list[str]] = {}
    for path in UTILS.rglob("*.py"):
        package = path.relative_to(UTILS).parts[0] if path.parent != UTILS else ""
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases[package, node.name] = [base.id for base in node.bases if isinstance(base, ast.Name)]
    errors = {"KeybuzzError"}
    while more := {name for (_p, name), over in bases.items() if errors & set(over)} - errors:
        errors |= more
    found: dict[str, set[str]] = {}
    for (package, name), over in bases.items():
        if name == "KeybuzzError" or errors & set(over):
            found.setdefault(package, set()).add(name)
    return found


def test_the_runbook_has_every_error_class_and_no_other() -> None:
    page = (DOCS / "runbook.md").read_text(encoding="utf-8")
    classes = error_classes()
    assert {"_vault", "_kube", "_spapi", "_store", "_module", ""} <= set(classes) and "RowsHeld" in classes["_store"]
    documented = {}
    for _level, heading in headings(page):
        if match := re.fullmatch(r".*: `(_\w+)(\.py)?`", heading):
            package = "" if match[2] else match[1]
            documented[package] = {cells[0].strip("`") for cells in rows("runbook.md", heading)}
    assert documented == classes


def proofs_in(path: str) -> set[str]:
    file = PROJECT / path
    if not file.is_file():
        return set()
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_proof_of_the_security_page_is_a_test_and_every_threat_has_one() -> None:
    assert proofs_in("tests/nowhere.py") == set() and "test_a_page_is_right" in proofs_in(
        "tests/unit/docs/test_pages.py"
    )
    threats = rows("security.md", "Threats, defences, proofs")
    for cells in threats:
        assert len(cells) == 3, cells
        named = TEST.findall(cells[2])
        assert named, f"no proof: {cells[0]}"
        assert [f"{path}::{name}" for path, name in named if name not in proofs_in(path)] == [], cells[0]


@cache
def words_of_the_code() -> str:
    """All texts of module_utils, one a line."""
    found: list[str] = []
    for path in UTILS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(" ".join(node.value.split()))
    return "\n".join(found)


def unknown_words(message: str) -> list[str]:
    """What of a message no text of the code has. ``…`` and quotation marks stand for what differs."""
    parts = (part.strip(" '(),.:") for part in message.split("…"))
    return [part for part in parts if len(part) > 2 and part not in words_of_the_code()]


@pytest.mark.parametrize("heading", ["Login with Amazon", "Consent", "Selling Partner API", "Reports"])
def test_every_message_is_one_of_the_code(heading: str) -> None:
    assert unknown_words("nothing says this … at all") and not unknown_words("invalid_grant")
    for cells in rows("amazon.md", heading):
        assert CODE.findall(cells[0]), cells
        assert [word for message in CODE.findall(cells[0]) for word in unknown_words(message)] == []
        assert all(cells), cells


def test_every_code_that_the_code_tells_apart_is_on_the_amazon_page() -> None:
    text = (DOCS / "amazon.md").read_text(encoding="utf-8")
    codes = {*lwa._MEANING, *lwa._OTHER_CODES, *answers.ERROR_CODES}
    assert {"invalid_grant", "QuotaExceeded"} <= codes
    assert {code for code in codes if f"`{code}`" not in text} == set()


def test_the_marketplaces_are_those_of_the_code() -> None:
    documented = {}
    for region, also, endpoint, listed in rows("amazon.md", "Regions, endpoints, marketplaces"):
        area = region.strip("`")
        assert (also, endpoint) == (f"`{AWS_REGIONS[area]}`", f"`{ENDPOINTS[area]}`")
        documented |= {market: (country, area) for country, market in re.findall(r"([A-Z]{2}) `(\w+)`", listed)}
    assert documented == {one.id: (one.country, one.area) for one in MARKETPLACES.values()}


def test_every_file_of_the_architecture_is_there() -> None:
    for cells in rows("architecture.md", "Where to change what"):
        named = [name for name in CODE.findall(cells[1]) if "/" in name or name.endswith(".py")]
        assert named, cells
        for name in named:
            pattern = re.sub(r"<\w+>", "*", name).rstrip("/")
            assert list(UTILS.glob(pattern)) or list(PROJECT.glob(pattern)), f"{cells[0]}: {name}"


def imports(path: Path) -> set[str]:
    """Packages and files of module_utils that a file imports, ``ansible`` for anything of Ansible's own."""
    prefix = "ansible_collections.keybuzz.amazon.plugins.module_utils"
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith(f"{prefix}."):
                found.add(name.removeprefix(f"{prefix}.").partition(".")[0])
            elif name.split(".")[0] == "ansible":
                found.add("ansible")
    return found


def test_the_layers_are_as_the_architecture_says() -> None:
    assert "_module" in imports(PROJECT / "plugins/modules/environment_lease.py")
    foundation = {name for cell in CODE.findall(layer("foundation")) for name in _stems(cell)}
    assert {"_drift", "_errors", "_tls", "_tls_pin", "_kept_connections"} <= foundation
    border = {name for cell in CODE.findall(layer("border")) for name in _stems(cell)}
    assert [one.rstrip("/") for one in CODE.findall(layer("servers"))] == [*SERVERS]
    assert [one.rstrip("/") for one in CODE.findall(layer("outputs"))] == [*OUTPUTS]
    packages = {path.stem for path in UTILS.iterdir() if path.name.startswith("_") and path.name != "__pycache__"}
    assert packages - {"__init__"} == foundation | border | {"_module"} | set(SERVERS) | set(OUTPUTS)
    for path in UTILS.rglob("*.py"):
        part = path.relative_to(UTILS).with_suffix("").parts[0]
        allowed = foundation | {part} | (border if part in border | {"_module"} else set())
        if part == "_module":
            allowed |= {*SERVERS, *OUTPUTS, "ansible"}
        if part in border | {"_secrets"}:
            allowed |= {"ansible"}
        assert imports(path) <= allowed, path


def layer(name: str) -> str:
    return next(cells[1] for cells in rows("architecture.md", "Layers in module_utils") if cells[0] == name)


def _stems(pattern: str) -> set[str]:
    return {path.stem for path in UTILS.glob(pattern.rstrip("/"))}


def test_the_picture_says_in_words_what_it_shows_and_brings_its_own_background() -> None:
    svg = "{http://www.w3.org/2000/svg}"
    root = ET.parse(DOCS / "architecture.svg").getroot()  # noqa: S314 - our own file
    assert root.get("role") == "img"
    title, words = root.find(f"{svg}title"), root.find(f"{svg}desc")
    assert title is not None and words is not None and title.text and words.text
    assert root.get("aria-labelledby") == f"{title.get('id')} {words.get('id')}"
    box = [float(number) for number in str(root.get("viewBox")).split()]
    background = root.find(f"{svg}rect")
    assert background is not None and background.get("fill", "none") != "none"
    assert float(str(background.get("width"))) >= box[2] - 1 and float(str(background.get("height"))) >= box[3] - 1
    for package in (*SERVERS, *OUTPUTS, "_module"):
        assert package in words.text, package


def test_the_comparisons_figures_are_those_of_the_benchmarks() -> None:
    figure = re.compile(r"\d[\d.,]* (?:s|h|d)\b")
    benchmarks = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.glob("benchmarks-*.md"))
    measured = set(figure.findall(benchmarks))
    told = set(figure.findall((DOCS / "comparison.md").read_text(encoding="utf-8")))
    assert "3.97 h" in told and "4.1 h" not in measured
    assert told <= measured, told - measured
