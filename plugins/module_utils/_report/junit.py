# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report as JUnit XML, so that a CI server lists each check as a test case.

The dialect is the one Jenkins and GitLab read: ``testsuites``, ``testsuite``, ``testcase`` with ``failure``, ``error``
or ``skipped``. What could not be checked is an error and never a passed case.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from xml.etree import ElementTree

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import UNCHECKED, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment, Report, iso
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.tally import Group

NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold even escaped (section 2.2, Char)."""

COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}
"""Elements of a case that a suite counts, and its attribute for each."""


def render(report: Report) -> str:
    """One suite an environment, one case an item (``classname`` the check, ``name`` the id). Times are UTC.

    Items that are summarised share a case, whose name has no count in it: a CI server knows it again in the next run.
    """
    when = iso(report.generated_at)
    total = Counter(tests=0)
    suites = []
    for environment in report.environments:
        suites.append(_suite(environment.name, when, _cases(environment), total))
    if not suites:
        nothing = _broken("environments", "incomplete", "No environment was looked at.")
        suites.append(_suite("environments", when, [nothing], total))
    start = _start("testsuites", {"name": f"{report.generator} {report.mode}"}, total)
    return "<?xml version='1.0' encoding='utf-8'?>\n" + "".join([start, "\n", *suites, "</testsuites>\n"])


def _suite(name: str, when: str, cases: Iterable[ElementTree.Element], total: Counter[str]) -> str:
    """A suite as text, case by case: a tree of a hundred thousand cases would need five times as much memory.

    :param total: gets what is counted here.
    """
    found = Counter(tests=0)
    parts = []
    for case in cases:
        found["tests"] += 1
        found.update(COUNTED[child.tag] for child in case if child.tag in COUNTED)
        ElementTree.indent(case, level=2)
        parts.append(f"    {_xml(case)}\n")
    total.update(found)
    start = _start("testsuite", {"name": name, "timestamp": when}, found)
    return "".join([f"  {start}\n", *parts, "  </testsuite>\n"])


def _cases(environment: Environment) -> Iterator[ElementTree.Element]:
    if environment.error:
        yield _broken(environment.name, "error", environment.error)
    elif not environment.looked_at:
        yield _broken(environment.name, "incomplete", "Nothing was looked at.")
    for item in environment.items:
        yield _item(item)
    for group in environment.summarised:
        yield _summarised(group)


def _case(classname: str, name: str) -> ElementTree.Element:
    return ElementTree.Element("testcase", classname=_text(classname), name=_text(name), time="0")


def _broken(name: str, kind: str, why: str) -> ElementTree.Element:
    """A case for what has no item to stand for it, lest the suite read as passed."""
    case = _case("environment", name)
    ElementTree.SubElement(case, "error", type=kind, message=_text(why)).text = _text(why)
    return case


def _item(item: Item) -> ElementTree.Element:
    case = _case(item.check, item.id)
    if item.status == "in_sync":
        return case
    if item.status == "ignored":
        ElementTree.SubElement(case, "skipped", message=_text(item.reason or "ignored"))
        return case
    broken = item.status == "error" or item.status in UNCHECKED
    message = f"{item.status} ({item.severity}): {item.address}"
    result = ElementTree.SubElement(
        case, "error" if broken else "failure", type=_text(item.status), message=_text(message)
    )
    said = [message, item.reason, f"To do: {item.hint}" if item.hint else ""]
    result.text = _text("\n".join(str(line) for line in said if line))
    return case


def _summarised(group: Group) -> ElementTree.Element:
    case = _case(group.check, f"{group.check}/summarised/{group.status}/{group.severity}")
    said = f"{group.count} items are {group.status.replace('_', ' ')}."
    if group.status == "ignored":
        ElementTree.SubElement(case, "skipped", message=said)
    ElementTree.SubElement(case, "system-out").text = said
    return case


def _start(tag: str, attributes: Mapping[str, str], found: Counter[str]) -> str:
    """A start tag with what was counted."""
    numbers = {name: str(found[name]) for name in ("tests", *COUNTED.values())}
    given = {name: _text(value) for name, value in attributes.items()}
    return _xml(ElementTree.Element(tag, given | numbers | {"time": "0"})).removesuffix(" />") + ">"


def _xml(element: ElementTree.Element) -> str:
    return ElementTree.tostring(element, encoding="unicode")


def _text(value: object) -> str:
    return NO_XML.sub("\N{REPLACEMENT CHARACTER}", str(value))
