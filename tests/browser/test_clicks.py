# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as a person uses it: real keys and clicks, in both schemes, on paper and with a hundred thousand items."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import html_large
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.html import render

from tests.browser import fleet, sample
from tests.browser.driver import CHROMIUM, WHY_NOT, Page, browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)
SHOWN = """[...document.querySelectorAll(".item h4")].filter((one) => one.checkVisibility())
  .map((one) => one.textContent.slice(2))"""
IN_SYNC = 3 * sample.FLEET + 13
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, str]]:
    """A browser, and the address of the documentation's sample."""
    folder = tmp_path_factory.mktemp("sample")
    (folder / "page.html").write_text(sample.page(folder), encoding="utf-8")
    with browser(folder) as page:
        yield page, (folder / "page.html").as_uri()


@pytest.fixture
def page(opened: tuple[Page, str]) -> Iterator[Page]:
    """The sample, just opened on a desk. Whatever is done with it asks the network for nothing."""
    page, address = opened
    page.requested.clear()
    page.size(1200, 900)
    page.appear()
    page.open("about:blank")
    page.open(address)
    yield page
    assert page.requested == [address], "a page that needs no network asks for nothing but itself"
    assert page.errors == []


def text(page: Page, name: str) -> str:
    return str(page.ask(f"document.getElementById({json.dumps(name)}).textContent"))


def element(name: str) -> str:
    return f"document.getElementById({json.dumps(name)})"


def choose(page: Page, name: str, letters: str, value: str) -> None:
    """A click on a filter, the first letters of a choice, and Enter; the view is there when its address is."""
    page.click(element(name))
    page.until(f"!CSS.supports('selector(:open)') || {element(name)}.matches(':open')")
    page.type(letters)
    page.press("Enter")
    page.until(f"new URLSearchParams(location.hash.slice(1)).get('{name}') === '{value}'")


def test_the_filters_are_reached_by_tab_in_their_order_each_with_a_name_and_a_visible_focus(page: Page) -> None:
    reached: list[str] = []
    for _ in range(12):
        page.press("Tab")
        reached.append(page.ask("document.activeElement.id || document.activeElement.textContent.trim()"))
        style = page.ask("(({outlineStyle, outlineWidth}) => outlineStyle + outlineWidth)"
                         "(getComputedStyle(document.activeElement))")  # fmt: skip
        assert style == "solid3px", reached
    assert reached[0] == "To the items"
    at = reached.index("status")
    assert reached[at : at + 5] == ["status", "severity", "environment", "q", "reset"]
    page.press("Tab", shift=True)
    names = page.ask("['status', 'severity', 'environment', 'q'].map((id) =>"
                     " document.getElementById(id).labels[0].textContent.trim().split(' ')[0])")  # fmt: skip
    assert [name.split("\n")[0][:6] for name in names] == ["Status", "Severi", "Enviro", "Text"]


def test_the_link_over_the_table_leads_to_the_items_by_keyboard_alone(page: Page) -> None:
    page.press("Tab")
    page.press("Enter")
    page.until("document.activeElement.id === 'lists'")


def test_a_click_on_a_status_then_a_severity_then_a_word_narrows_and_escape_and_show_all_widen(page: Page) -> None:
    assert len(page.ask(SHOWN)) == 8
    choose(page, "status", "miss", "missing")
    assert page.ask(SHOWN) == [
        "amazon_app/document",
        "backend_access/env/VAULT_ADDR",
        "backend_access/config/vault-ca",
        "amazon_orders/ecomlg-001/window",
        "amazon_tenant/switaa-002/grant",
    ]
    assert text(page, "shown") == f"Shown: 5 of 8 not clean, 0 of 1 ignored, 0 of {IN_SYNC} in sync."
    choose(page, "severity", "crit", "critical")
    assert page.ask(SHOWN) == ["amazon_app/document"]
    page.click(element("q"))
    page.type("nobody says this")
    page.until("document.querySelectorAll('section[data-environment]:not([hidden])').length === 0")
    assert page.ask(SHOWN) == []
    assert text(page, "shown") == f"Shown: 0 of 8 not clean, 0 of 1 ignored, 0 of {IN_SYNC} in sync."
    page.press("Escape")
    page.until(f"{element('q')}.value === '' && !location.hash.includes('q=')")
    assert page.ask(SHOWN) == ["amazon_app/document"]
    assert page.ask("location.hash") == "#status=missing&severity=critical", "the view can be sent to somebody"
    page.click(element("reset"))
    page.until(f"{element('status')}.value === ''")
    assert len(page.ask(SHOWN)) == 8


def test_a_word_is_found_in_reason_hint_and_owner_and_in_one_environment_only(page: Page) -> None:
    for words, found in (
        ("withdrawn his consent", ["amazon_tenant/switaa-002/grant"]),
        ("AMAZON HAS ACCEPTED", ["amazon_app/document"]),
        ("kubectl-edit", ["vault_token/secret"]),
    ):
        page.click(element("q"))
        page.press("Escape")
        page.type(words)
        page.until(f"new URLSearchParams(location.hash.slice(1)).get('q') === {json.dumps(words)}")
        assert page.ask(SHOWN) == found
    page.press("Escape")
    choose(page, "environment", "stag", "staging")
    assert page.ask(SHOWN) == ["backend_access/forbidden/NODE_TLS_REJECT_UNAUTHORIZED"]


def detail(page: Page, name: str) -> str:
    """What can be read of an item now."""
    return str(page.ask(f"""[...document.querySelectorAll(".item")]
        .find((one) => one.textContent.includes({json.dumps(name)})).innerText"""))  # fmt: skip


def test_an_item_tells_reason_hint_and_owner_and_its_environment_the_fragment_for_git(page: Page) -> None:
    name = "backend_access/forbidden/NODE_TLS_REJECT_UNAUTHORIZED"
    shut = detail(page, name)
    assert "Node.js accepts any certificate" in shut and "A repair mounts the authority of Vault" in shut
    assert "2 times, last by argocd-controller" in shut
    assert "Owner: argocd-controller, Argo CD; it will be reverted" in shut and "Application backend" not in shut
    page.click(f"""[...document.querySelectorAll(".item")]
        .find((one) => one.textContent.includes({json.dumps(name)})).querySelector("summary")""")  # fmt: skip
    opened = detail(page, name)
    assert "Argo CD, Application backend" in opened and "2026-01-12T04:02:11Z at least" in opened
    page.press("Space")
    assert detail(page, name) == shut, "the keyboard folds what a click has unfolded"
    fragment = page.ask('[...document.querySelectorAll("pre")].filter((one) => one.checkVisibility())[0].innerText')
    assert "value: https://10.0.0.150:8200" in fragment
    page.click('document.querySelector("section[data-environment=prod] .part:last-child summary")')
    page.until('document.querySelector("section[data-environment=prod] .part:last-child").open')
    assert str(3 * sample.FLEET) in page.ask('document.querySelector("section[data-environment=prod]").innerText')


def test_a_click_on_copy_takes_the_whole_fragment(page: Page) -> None:
    page.click('[...document.querySelectorAll("button")].find((one) => one.textContent === "Copy")')
    page.until(f"['Copied.', 'Selected; copy it with the keyboard.'].includes({element('shown')}.textContent)")
    assert page.ask("String(getSelection())").strip() == sample.FRAGMENT.strip()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("media", ["screen", "print"])
def test_every_text_that_is_shown_has_a_contrast_of_four_and_a_half(page: Page, media: str, scheme: str) -> None:
    page.appear(media, scheme)
    page.ask("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found: list[dict[str, Any]] = page.ask(CONTRAST)
    assert len(found) > 150, "the texts of the page"
    assert {one["kind"] for one in found} >= {"badge drift", "badge critical", "badge high", "quiet"}
    assert [one for one in found if one["contrast"] < 4.5] == []
    dark = page.ask("getComputedStyle(document.documentElement).backgroundColor") != "rgb(255, 255, 255)"
    assert dark is (scheme == "dark" and media == "screen"), "paper stays white"


@pytest.mark.parametrize(("width", "media"), [(1200, "screen"), (390, "screen"), (700, "print")])
def test_nothing_is_wider_than_the_window_or_the_paper(page: Page, width: int, media: str) -> None:
    page.size(width, 900)
    page.appear(media)
    assert page.ask("document.documentElement.scrollWidth") <= width
    assert page.ask(f"{element('status')}.checkVisibility()") is (media == "screen"), "a filter is of no use on paper"


def test_a_hundred_thousand_items_open_at_once_and_what_is_not_listed_is_said(tmp_path: Path) -> None:
    report = fleet.report(tmp_path, tenants=33_334)
    (tmp_path / "page.html").write_text(render(report), encoding="utf-8")
    with browser(tmp_path) as page:
        page.size(1200, 900)
        began = time.monotonic()
        page.open((tmp_path / "page.html").as_uri())
        page.until("document.querySelectorAll('#lists summary').length === 3")
        opened = time.monotonic() - began
        assert opened < 15, "about 2 s on two cores"
        total = 3 * 33_334
        left = total - html_large.LISTED
        said = f"The first {html_large.LISTED} of {total} items are listed on this page, the worst of each environment."
        assert text(
            page, "left-out"
        ) == f"{said} The other {left} are counted under “Not listed one by one”; all are in " + (
            "/reports/drift_report.json."
        )
        assert page.ask(f"{element('left-out')}.checkVisibility()")
        assert text(page, "shown") == f"Shown: {total} of {total} not clean, 0 of 0 ignored, 0 of 0 in sync."
        page.click("document.querySelector('#lists summary')")
        page.until("document.querySelectorAll('.item').length === 200")
        not_listed = 33_334 - html_large.shares([33_334] * 3, html_large.LISTED)[0]
        assert f"Not listed one by one ({not_listed})" in page.ask("document.getElementById('lists').innerText")
        page.click("[...document.querySelectorAll('#lists button')].find((one) => one.textContent.includes('more of'))")
        page.until("document.querySelectorAll('.item').length === 400")
        page.click(element("q"))
        page.type("t16000/")
        page.until("document.querySelectorAll('.item').length === 3")
        assert page.ask(SHOWN) == ["amazon_tenant/t16000/grant"] * 3
        assert page.errors == [] and page.requested == [(tmp_path / "page.html").as_uri()]
