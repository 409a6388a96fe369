# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies and roles that are shipped are those that the lab works with, and the auditor's cannot write."""

from __future__ import annotations

import re

import pytest
import yaml

from lab.shipped_access import FOLDER, files


@pytest.mark.parametrize("name", sorted(files()))
def test_what_is_shipped_is_what_the_lab_works_with(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == files()[name], "run: python -m lab.shipped_access"


def test_nothing_else_is_shipped() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(files())


@pytest.mark.parametrize("name", ["vault-audit.hcl", "vault-audit-keys.hcl"])
def test_an_auditors_policy_can_write_nothing(name: str) -> None:
    questions = {"auth/token/lookup", "auth/token/lookup-accessor", "sys/capabilities-self"}
    granted = re.findall(r'^path "([^"]+)" \{ capabilities = \[([^]]*)\] \}$', files()[name], re.MULTILINE)
    assert granted
    for path, capabilities in granted:
        assert capabilities == '"read"' or (path in questions and capabilities == '"update"'), path
    if name == "vault-audit-keys.hcl":
        assert not [path for path, _capabilities in granted if "/data/" in path]


def test_an_auditors_role_in_kubernetes_can_write_nothing() -> None:
    documents = yaml.safe_load(files()["kubernetes-audit.yaml"])["items"]
    rules = [rule for one in documents if one["kind"] == "Role" for rule in one["rules"]]
    assert rules and {verb for rule in rules for verb in rule["verbs"]} <= {"get", "list"}
