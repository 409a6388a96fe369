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
from xml.etree import ElementTree

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import UNCHECKED, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment, Report, iso

NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold even escaped (section 2.2, Char)."""


def render(report: Report) -> str:
    """One suite an environment, one case an item (``classname`` the check, ``name`` the id). Times are UTC."""
    when = iso(report.generated_at)
    root = ElementTree.Element("testsuites", name=_text(f"{report.generator} {report.mode}"))
    for environment in report.environments:
        root.append(_suite(environment, when))
    if not report.environments:
        suite = ElementTree.SubElement(root, "testsuite", name="environments", timestamp=when)
        _broken(suite, "environments", "incomplete", "No environment was looked at.")
        _count(suite)
    _count(root)
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document.decode() + "\n"


def _suite(environment: Environment, when: str) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=_text(environment.name), timestamp=when)
    if environment.error:
        _broken(suite, environment.name, "error", environment.error)
    elif not environment.items:
        _broken(suite, environment.name, "incomplete", "Nothing was looked at.")
    for item in environment.items:
        _case(suite, item)
    _count(suite)
    return suite


def _broken(suite: ElementTree.Element, name: str, kind: str, why: str) -> None:
    """A case for what has no item to stand for it, lest the suite read as passed."""
    case = ElementTree.SubElement(suite, "testcase", classname="environment", name=_text(name), time="0")
    ElementTree.SubElement(case, "error", type=kind, message=_text(why)).text = _text(why)


def _case(suite: ElementTree.Element, item: Item) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=_text(item.check), name=_text(item.id), time="0")
    if item.status == "in_sync":
        return
    if item.status == "ignored":
        ElementTree.SubElement(case, "skipped", message=_text(item.reason or "ignored"))
        return
    broken = item.status == "error" or item.status in UNCHECKED
    message = f"{item.status} ({item.severity}): {item.address}"
    result = ElementTree.SubElement(
        case, "error" if broken else "failure", type=_text(item.status), message=_text(message)
    )
    said = [message, item.reason, f"To do: {item.hint}" if item.hint else ""]
    result.text = _text("\n".join(str(line) for line in said if line))


def _count(element: ElementTree.Element) -> None:
    """Counted from what is really there, so that the attributes cannot disagree with the cases."""
    element.set("tests", str(len(element.findall(".//testcase"))))
    element.set("failures", str(len(element.findall(".//failure"))))
    element.set("errors", str(len(element.findall(".//error"))))
    element.set("skipped", str(len(element.findall(".//skipped"))))
    element.set("time", "0")


def _text(value: object) -> str:
    return NO_XML.sub("\N{REPLACEMENT CHARACTER}", str(value))
