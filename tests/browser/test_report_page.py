# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of the report in a real browser without a window. The filter is set by the page's address."""

from __future__ import annotations

import datetime
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import build
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.html import render

from tests.browser.driver import CHROMIUM, WHY_NOT, command_line

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)
NOW = datetime.datetime(2026, 1, 12, 9, 30, tzinfo=datetime.UTC)
OPENS_WITHIN = 20.0
"""Seconds for browser start and a page of 30,000 items; about 2 on two cores. A page that lays out every row takes
longer than the browser waits."""


def item(status: str, name: str, severity: str = "high", **more: Any) -> dict[str, Any]:
    check = name.split("/", maxsplit=1)[0]
    return {"id": name, "check": check, "address": "Secret a/b", "severity": severity, "status": status, **more}


class Dom(HTMLParser):
    """What the browser made of the page: the ids of the rows that are shown and the line that tells how many."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.path: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.shown: list[str] = []
        self.scripted = False
        self.folds = self.images = 0
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.folds += tag == "details"
        self.images += tag == "img"
        self.scripted |= "script" in (found.get("class") or "").split() and "hidden" not in found
        if tag not in {"meta", "input", "br", "img"}:
            self.path.append((tag, found))

    def handle_endtag(self, tag: str) -> None:
        while self.path and self.path.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, found in self.path:
            if found.get("id"):
                self.texts[found["id"] or ""] = self.texts.get(found["id"] or "", "") + data
        hidden = any("hidden" in found or (tag == "details" and "open" not in found) for tag, found in self.path)
        names = {"h4", "th"}.intersection(tag for tag, _ in self.path)
        if not hidden and names and any("data-status" in found for _, found in self.path) and "/" in data:
            self.shown.append(data.strip())


def chromium(folder: Path, page: str, address: str, *options: str) -> tuple[str, str]:
    """Standard output and error of one run of the browser on the page."""
    target = folder / "page.html"
    target.write_text(page, encoding="utf-8")
    command = [*command_line(folder), *options, f"{target.as_uri()}{address}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, cwd=folder)
    return done.stdout, done.stderr


def dom(folder: Path, page: str, address: str = "", *options: str) -> Dom:
    out, err = chromium(folder, page, address, "--dump-dom", *options)
    assert "Content Security Policy" not in err and "Uncaught" not in err, err
    return Dom(out)


def small() -> str:
    return render(
        build(
            [
                {
                    "name": "dev",
                    "git_fragment": "kind: Deployment\n",
                    "drift": [
                        item("missing", "vault_token/secret", "critical", reason="Nothing <b>there</b>"),
                        item("missing", "vault_token/role", "low"),
                        item("drifted", "backend_access/env/A", "critical"),
                        item("ignored", "backend_access/mount", reason="known"),
                        item("in_sync", "amazon_app/document", "info"),
                    ],
                },
                {"name": "prod & co", "drift": [item("unknown", "vault_token/secret", hint="Look at ÜMLAUT")]},
            ],
            "audit",
            NOW,
        )
    )


def large() -> str:
    checks = ("vault_token", "backend_access", "amazon_app", "amazon_tenant", "amazon_orders")
    return render(
        build(
            [
                {
                    "name": f"env-{number:04}",
                    "drift": [
                        item("missing" if number == 777 else "in_sync", f"{check}/thing", reason="why " * 20)
                        for check in checks
                    ],
                }
                for number in range(6000)
            ],
            "audit",
            NOW,
        )
    )


def test_without_a_filter_all_is_there_and_what_is_in_sync_is_folded(tmp_path: Path) -> None:
    seen = dom(tmp_path, small())
    assert seen.scripted
    assert seen.texts["shown"] == "Shown: 4 of 4 not clean, 1 of 1 ignored, 1 of 1 in sync."
    assert len(seen.shown) == 5 and "amazon_app/document" not in seen.shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("#status=missing&severity=critical", ["vault_token/secret"]),
        ("#status=in_sync", ["amazon_app/document"]),
        ("#status=ignored", ["backend_access/mount"]),
        ("#severity=critical", ["vault_token/secret", "backend_access/env/A"]),
        ("#environment=prod+%26+co", ["vault_token/secret"]),
        ("#q=%C3%BCmlaut", ["vault_token/secret"]),
        ("#q=%3Cb%3Ethere", ["vault_token/secret"]),
        ("#status=stale", []),
    ],
)
def test_the_address_filters_the_rows(tmp_path: Path, address: str, shown: list[str]) -> None:
    assert dom(tmp_path, small(), address).shown == shown


def test_without_scripts_everything_can_be_read_and_no_dead_control_is_shown(tmp_path: Path) -> None:
    seen = dom(tmp_path, small().replace("<script>", "<script type=off>"))
    assert not seen.scripted
    assert len(seen.shown) == 5 and "kind: Deployment" in seen.texts["lists"]


def test_a_script_that_is_not_the_pages_own_is_refused(tmp_path: Path) -> None:
    out, err = chromium(tmp_path, small().replace('"use strict";', '"use strict";;'), "", "--dump-dom")
    assert "Content Security Policy" in err
    assert not Dom(out).scripted


def test_text_of_the_report_stays_text(tmp_path: Path) -> None:
    attack = "</script><img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    filler = [item("missing", f"vault_token/{number}", reason=attack, hint=attack) for number in range(2100)]
    for drift in (filler[:1], filler):
        page = render(build([{"name": attack, "drift": drift, "error": attack}], "audit", NOW))
        out, _ = chromium(tmp_path, page, "#status=missing", "--dump-dom")
        assert Dom(out).images == 0 and "<title>taken" not in out


def test_thirty_thousand_items_open_at_once_and_one_environment_is_found_among_them(tmp_path: Path) -> None:
    page = large()
    began = time.monotonic()
    seen = dom(tmp_path, page)
    assert time.monotonic() - began < OPENS_WITHIN
    assert seen.texts["shown"] == "Shown: 5 of 5 not clean, 0 of 0 ignored, 29995 of 29995 in sync."
    assert seen.folds == 100 and seen.shown == []
    assert "Show 100 more of 5900 further environments" in seen.texts["lists"]
    found = dom(tmp_path, page, "#status=missing&q=orders")
    assert found.folds == 1 and found.shown == ["amazon_orders/thing"]
    assert "env-0777" in found.texts["lists"]


@pytest.mark.parametrize("options", [(), ("--blink-settings=preferredColorScheme=0",), ("--window-size=390,2000",)])
def test_the_page_can_be_drawn_in_both_themes_and_on_a_telephone(tmp_path: Path, options: tuple[str, ...]) -> None:
    picture = tmp_path / "page.png"
    chromium(tmp_path, small(), "", f"--screenshot={picture}", *options)
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 10_000


def test_the_page_can_be_printed(tmp_path: Path) -> None:
    paper = tmp_path / "page.pdf"
    chromium(tmp_path, small(), "", f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF") and paper.stat().st_size > 5_000
