# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forbidden options inside NODE_OPTIONS, and words there that would set a forbidden variable at run time."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Source
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.node_options import unwanted, without, words
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import plan

from tests.unit.kube.looks import acting, applied, container_of, item, observed, secret, unreadable, wanted

BYPASS = "NODE_TLS_REJECT_UNAUTHORIZED"
FLAGS = {"name": "NODE_OPTIONS", "flags": ["--use-openssl-ca"]}
WANT = wanted(forbidden=[{"name": BYPASS, "value": "0"}, FLAGS])
SCRIPT = f"--import=data:text/javascript,process.env.{BYPASS}=0"
BY_SECRET = {"envFrom": [{"secretRef": {"name": "s"}}]}


def options(text: str, **more: Any) -> Any:
    return observed({"env": [{"name": "A"}, {"name": "NODE_OPTIONS", "value": text}], **more})


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("", []),
        ("  --a   --b=1 ", ["--a", "--b=1"]),
        ('--require "./a b.js"', ["--require", "./a b.js"]),
        (r'"--title=a \"b\" \\"', [r'--title=a "b" \\'.replace(r"\\", "\\")]),
        (r"--x=a\b", [r"--x=a\b"]),
        ('--a="b c"d', ["--a=b cd"]),
        ('--open "a b', ["--open", "a b"]),
    ],
)
def test_words_are_split_as_node_splits_them(text: str, split: list[str]) -> None:
    assert [word.text for word in words(text)] == split


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("--use-openssl-ca", ""),
        ("--trace-gc --use-openssl-ca --max-http-header-size=1", "--trace-gc --max-http-header-size=1"),
        ("--use_openssl_ca --title=x", "--title=x"),
        (f'--require "./{BYPASS}.js" --title="a b"', '--title="a b"'),
        (f"--title=x {SCRIPT}", "--title=x"),
        ("--title=--use-openssl-ca", "--title=--use-openssl-ca"),
    ],
)
def test_only_the_forbidden_words_go_and_the_rest_stays_as_it_is_written(text: str, left: str) -> None:
    assert without(text, unwanted(text, ["--use-openssl-ca"], [BYPASS])) == left


def test_a_forbidden_flag_is_taken_out_of_the_variable() -> None:
    look = options("--trace-gc --use-openssl-ca")
    made = plan(look, WANT)
    found = item(made.items, "forbidden/NODE_OPTIONS")
    assert (found.status, found.action, found.severity) == ("forbidden_present", "update", "high")
    assert (found.before, found.after) == ("--use-openssl-ca (env)", "without --use-openssl-ca")
    assert "depends on the image" in found.reason
    after = container_of(applied(look, made))
    assert after["env"] == [{"name": "A"}, {"name": "NODE_OPTIONS", "value": "--trace-gc"}]
    assert not plan(observed(after), WANT).patch


def test_a_variable_of_forbidden_flags_only_goes_as_a_whole() -> None:
    look = options("--use-openssl-ca")
    assert container_of(applied(look, plan(look, WANT)))["env"] == [{"name": "A"}]


def test_a_script_that_mentions_a_forbidden_variable_is_critical_even_if_no_flags_are_given() -> None:
    for want in (WANT, wanted(forbidden=[{"name": BYPASS, "value": "0"}])):
        made = plan(options(SCRIPT), want)
        found = item(made.items, "forbidden/NODE_OPTIONS")
        assert (found.status, found.severity) == ("forbidden_present", "critical")
        assert found.before == f"a word with {BYPASS} (env)"
    assert not any(
        one.id.endswith("NODE_OPTIONS")
        for one in plan(options("--use-openssl-ca"), wanted(forbidden=[{"name": BYPASS, "value": "0"}])).items
    )


@pytest.mark.parametrize(
    ("look", "place"),
    [
        (
            observed(BY_SECRET, sources={("secret", "s"): secret("s", {"NODE_OPTIONS": "--use-openssl-ca"})}),
            "Secret s key",
        ),
        (
            observed(
                {
                    "env": [
                        {
                            "name": "NODE_OPTIONS",
                            "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}},
                        }
                    ]
                },
                sources={("config_map", "c"): Source(True, {"k": "--use-openssl-ca"})},
            ),
            "ConfigMap c key k",
        ),
        (
            observed({"env": [{"name": "X", "value": "--use-openssl-ca"}, {"name": "NODE_OPTIONS", "value": "$(X)"}]}),
            "another variable",
        ),
    ],
)
def test_one_that_comes_from_elsewhere_is_insecure_and_left_to_its_source(look: Any, place: str) -> None:
    made = plan(look, WANT)
    found = item(made.items, "forbidden/NODE_OPTIONS")
    assert (found.status, found.action) == ("insecure", "none")
    assert place in found.hint
    assert acting(made) == set()


def test_what_cannot_be_read_is_not_green() -> None:
    look = observed(BY_SECRET, sources={("secret", "s"): unreadable("s")})
    assert item(plan(look, WANT).items, "forbidden/NODE_OPTIONS").status == "unknown"


def test_other_options_are_in_sync_and_a_wanted_value_is_not_forbidden() -> None:
    assert item(plan(options("--max-old-space-size=512"), WANT).items, "forbidden/NODE_OPTIONS").status == "in_sync"
    want = wanted(env=[{"name": "NODE_OPTIONS", "value": "--use-openssl-ca"}], forbidden=[FLAGS])
    assert not any(one.id.endswith("forbidden/NODE_OPTIONS") for one in plan(observed(), want).items)


@pytest.mark.parametrize(
    "forbidden", [{"name": "OTHER", "flags": ["--x"]}, {"name": "NODE_OPTIONS", "value": "x", "flags": ["--x"]}]
)
def test_flags_of_another_variable_or_beside_a_value_are_refused(forbidden: dict[str, Any]) -> None:
    with pytest.raises(BadInputError):
        wanted(forbidden=[forbidden])


def test_a_bypass_by_reference_to_another_variable_is_found() -> None:
    look = observed({"env": [{"name": "ZERO", "value": "0"}, {"name": BYPASS, "value": "$(ZERO)"}]})
    made = plan(look, WANT)
    assert item(made.items, f"forbidden/{BYPASS}").action == "remove"
    late = observed({"env": [{"name": BYPASS, "value": "$(ZERO)"}, {"name": "ZERO", "value": "0"}]})
    assert item(plan(late, WANT).items, f"forbidden/{BYPASS}").status == "in_sync"  # the process gets "$(ZERO)"


def test_a_bypass_behind_an_optional_reference_that_leads_nowhere_is_made_harmless() -> None:
    optional = {"name": BYPASS, "valueFrom": {"secretKeyRef": {"name": "s", "key": "gone", "optional": True}}}
    look = observed({**BY_SECRET, "env": [optional]}, sources={("secret", "s"): secret("s", {BYPASS: "0"})})
    made = plan(look, WANT)
    assert item(made.items, f"forbidden/{BYPASS}").status == "forbidden_present"
    assert container_of(applied(look, made))["env"] == [{"name": BYPASS, "value": "1"}]
