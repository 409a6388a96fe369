# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import datetime
import hashlib
import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import build
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import html_large
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment, Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.html import LARGE_ITEMS, WITHOUT_SCRIPT, render
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.html_style import STYLE
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime.datetime(2026, 1, 12, 9, 30, tzinfo=datetime.UTC)
VOID = {"meta", "input", "br"}
ATTACK = "</script></pre></title><script>x=1</script><img src=x onerror=x> \" ' & \x00 \ud800"


def item(status: str, name: str = "vault_token/secret", **more: Any) -> dict[str, Any]:
    check = name.split("/", maxsplit=1)[0]
    return {"id": name, "check": check, "address": "Secret a/b", "severity": "high", "status": status, **more}


class Page(HTMLParser):
    """The page's elements in order, its text without style and script; every element has to be closed."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.text = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.raw:
            self.raw[self.open[-1]].append(data)
        else:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def source(*environments: dict[str, Any], mode: str = "audit") -> str:
    return render(build(environments, mode, NOW))


def page(*environments: dict[str, Any], mode: str = "audit") -> Page:
    return Page(source(*environments, mode=mode))


def large() -> list[dict[str, Any]]:
    return [
        {"name": f"env-{number}", "drift": [item("in_sync", f"a/{n}") for n in range(20)] + [item("missing")]}
        for number in range(LARGE_ITEMS // 20)
    ]


def test_the_page_says_when_how_and_with_what_verdict_in_words_beside_the_shape() -> None:
    shown = page({"name": "dev", "drift": [item("missing"), item("ignored", reason="known"), item("in_sync")]})
    assert "2026-01-12 09:30:00 UTC" in shown.text and "mode audit" in shown.text
    assert "▲ Drift: what differs is listed below." in shown.text
    assert "1 environment, 3 items: 1 ignored, 1 in sync, 1 missing." in shown.text
    assert "Ignored (1)" in shown.text and "known" in shown.text


def test_everything_of_an_item_that_is_not_clean_is_on_the_page() -> None:
    owner = {
        "managers": ["argocd-controller"],
        "gitops": "Argo CD",
        "source": "Application backend",
        "revert_risk": "certain",
        "since": "2026-01-10T07:12:00Z",
        "declared": True,
        "path": ".spec.a",
    }
    text = page(
        {
            "name": "dev",
            "error": "stopped here",
            "tenants": ["ecomlg-001"],
            "git_fragment": "kind: Deployment\n",
            "drift": [item("drifted", reason="why", hint="do", before={"a": 1}, after=["é"], owner=owner)],
        }
    ).text
    said = ["drifted", "severity high", "Secret a/b", "why", "do", '{"a": 1}', '["é"]', "argocd-controller", "Argo CD"]
    said += [
        "Application backend",
        "it will be reverted",
        "2026-01-10T07:12:00Z",
        ".spec.a",
        "kind: Deployment\n",
        "ecomlg-001",
    ]
    said += ["stopped here"]
    assert [one for one in said if one not in text] == []


def test_a_repair_shows_what_it_found_and_did() -> None:
    shown = page({"name": "lab", "drift": [item("in_sync")], "found": [item("empty", action="create")]}, mode="repair")
    assert re.search(r"Vault token of the backend\s*empty\s*created\s*in sync", shown.text)


def test_a_check_that_was_not_looked_at_is_not_shown_as_in_sync() -> None:
    shown = page({"name": "dev", "drift": [item("in_sync")]}, {"name": "prod", "drift": [item("in_sync", "other/a")]})
    assert shown.text.count("◆ not looked at") == 2


@pytest.mark.parametrize("many", [False, True])
def test_no_text_of_a_report_becomes_markup_or_script(many: bool) -> None:
    hostile = item("missing", reason=ATTACK, hint=ATTACK, address=ATTACK, before=ATTACK, owner={"managers": [ATTACK]})
    hostile |= {"id": ATTACK, "check": ATTACK}
    environments = [{"name": ATTACK, "drift": [hostile], "error": ATTACK, "git_fragment": ATTACK, "tenants": [ATTACK]}]
    made = source(*environments, *(large() if many else []))
    made.encode()
    shown = Page(made)
    assert shown.all("img") == []
    assert len(shown.all("script")) == (2 if many else 1)
    assert not any(name.startswith("on") or name == "style" for _, found in shown.elements for name in found)
    assert "<img src=x onerror=x>" in shown.text


def test_the_page_may_run_its_own_style_and_script_and_reach_nothing_else() -> None:
    shown = page({"name": "dev", "drift": [item("missing")]})
    policy = next(one["content"] for one in shown.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    hashes = {
        kind: base64.b64encode(hashlib.sha256(shown.raw[kind][0].encode()).digest()).decode() for kind in shown.raw
    }
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert all(one["href"] and one["href"].startswith("#") for one in shown.all("a"))
    assert not any("src" in found for _, found in shown.elements) and shown.all("link") == []
    assert "url(" not in STYLE and "@import" not in STYLE


def test_links_labels_and_headings_lead_somewhere_and_tables_name_their_headers() -> None:
    shown = page(
        {"name": "dev", "drift": [item("missing"), item("ignored"), item("in_sync")], "git_fragment": "a: b\n"},
        {"name": "prod", "drift": [item("in_sync")]},
    )
    ids = [found["id"] for _, found in shown.elements if "id" in found]
    assert len(ids) == len(set(ids))
    wanted = [found["href"] or "" for found in shown.all("a")]
    wanted += [f"#{found['aria-labelledby']}" for _, found in shown.elements if "aria-labelledby" in found]
    assert [one for one in wanted if one[1:] not in ids] == []
    levels = [int(tag[1]) for tag, _ in shown.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(found.get("scope") in {"row", "col"} for found in shown.all("th"))
    tags = [tag for tag, _ in shown.elements]
    assert [tags.count(tag) for tag in ("header", "main", "footer")] == [1, 1, 1]
    assert any(found.get("aria-live") == "polite" for found in shown.all("p"))


@pytest.mark.slow
def test_a_large_report_says_what_is_cut_without_the_script_and_has_everything_for_it() -> None:
    shown = page(*large())
    assert f"only {LARGE_ITEMS // 20} of {LARGE_ITEMS // 20} items that are not clean" in shown.text
    data = json.loads(shown.raw["script"][0])
    assert sum(len(one["items"]) for one in data["environments"]) == 21 * (LARGE_ITEMS // 20)
    many = page(*({"name": f"e{n}", "drift": [item("missing")] * 3} for n in range(1000)))
    assert f"only {WITHOUT_SCRIPT} of 3000 items" in many.text
    assert "worst 200 of 1000 environments" in many.text
    assert len(many.all("article")) == WITHOUT_SCRIPT


def test_of_more_items_than_a_page_can_have_the_rest_is_counted_and_its_place_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(html_large, "LISTED", LARGE_ITEMS)
    big = [item("missing", f"a/{n}", severity="low") for n in range(LARGE_ITEMS)]
    big += [item("missing", "a/worst", severity="critical"), item("in_sync", "a/good")]
    small = [item("missing", f"b/{n}") for n in range(10)]
    made = render(replace(build([{"name": "big", "drift": big}, {"name": "small", "drift": small}], "audit", NOW),
                          path="/reports/drift.json"))  # fmt: skip
    shown = Page(made)
    assert (
        "The first 2000 of 2012 items are listed on this page, the worst of each environment. "
        "The other 12 are counted under “Not listed one by one”; all are in /reports/drift.json."
    ) in shown.text
    first, second = json.loads(shown.raw["script"][0])["environments"]
    assert (len(first["items"]), len(second["items"])) == (1990, 10)
    assert first["items"][0][0] == "a/worst"
    assert first["groups"] == [
        ["Not listed one by one", [["a", "drift", "missing", "low", 11], ["a", "sync", "in_sync", "high", 1]]]
    ]


@given(st.lists(st.integers(0, 50)), st.integers(0, 200))
def test_a_page_is_shared_fairly(sizes: list[int], room: int) -> None:
    given = html_large.shares(sizes, room)
    assert sum(given) == min(room, sum(sizes))
    assert all(got <= size for got, size in zip(given, sizes, strict=True))
    cut = [got for got, size in zip(given, sizes, strict=True) if got < size]
    assert not cut or max(given) - min(cut) <= 1, "nobody has more than whoever was cut"


def test_a_large_report_begins_with_the_worst_environment() -> None:
    shown = page(*large(), {"name": "last", "error": "stopped"})
    assert json.loads(shown.raw["script"][0])["environments"][0]["name"] == "last"


def test_the_same_report_gives_the_same_page_and_none_at_all_is_incomplete() -> None:
    environments = [{"name": "dev", "drift": [item("missing"), item("in_sync", "z/y"), item("in_sync", "b/c")]}]
    assert source(*environments) == source(*environments)
    assert "◆ Incomplete" in Page(render(Report((), "audit", NOW))).text


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_has_a_contrast_of_four_and_a_half_and_borders_of_three_in_both_themes() -> None:
    themes = [dict(re.findall(r"--(\w+):\s*(#\w{6})", block)) for block in re.findall(r":root\{([^}]*)\}", STYLE)]
    assert len(themes) == 3, "light, dark and print"
    for theme in themes:
        for ground in ("ground", "raised"):
            for name, colour in theme.items():
                if name in {"ground", "raised"}:
                    continue
                dark, light = sorted((luminance(colour), luminance(theme[ground])))
                ratio = (light + 0.05) / (dark + 0.05)
                assert ratio >= (3 if name == "line" else 4.5), (name, colour, ground, ratio)


def test_what_changed_the_rules_and_since_when_are_on_the_page() -> None:
    found = Item("a/b", "Secret x", "a", "high", "missing")
    env = Environment(
        "dev", (found,), history={"a/b": {"first_seen": "2026-01-12T09:30:00Z", "times": 3, "brought_by": "helm"}}
    )
    page = render(Report((env,), "audit", NOW, since_last=("Since then: 1 <new>",), rules=("Rule a expired",)))
    assert "<p>Since then: 1 &lt;new&gt;</p>" in page
    assert "<p>Rule a expired</p>" in page
    assert "2026-01-12T09:30:00Z" in page and "3 times, last by helm" in page
