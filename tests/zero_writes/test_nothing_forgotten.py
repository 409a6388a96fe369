# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module, option and value of a choice is in the table of variants, or in the list that says why not."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import pytest

from lab import pieces
from tests.parity.modules import MODULES
from tests.parity.variables import PROJECT
from tests.zero_writes.explained import EVERYWHERE, OF_MODULES
from tests.zero_writes.place import Place
from tests.zero_writes.proof import STATES
from tests.zero_writes.variant import Variant
from tests.zero_writes.variants import all_variants

NAMES = sorted(file.stem for file in (PROJECT / "plugins" / "modules").glob("[!_]*.py"))
VARIANTS = all_variants(Place.nowhere())


class _Asked(Exception):
    """The module has said what its options are."""


def spec_of(module: str) -> Mapping[str, Any]:
    """The argument spec that the module's own ``main()`` gives to Ansible."""
    program = importlib.import_module(f"{MODULES}.{module}")
    with mock.patch.object(program, "AnsibleModule", side_effect=_Asked) as asked, pytest.raises(_Asked):
        program.main()
    spec: Mapping[str, Any] = asked.call_args.kwargs["argument_spec"]
    return spec


def flat(spec: Mapping[str, Any], above: str = "") -> dict[str, Mapping[str, Any]]:
    """Options by name, those within others as ``outer.inner``."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, option in spec.items():
        found[f"{above}{name}"] = option
        found |= flat(option.get("options") or {}, f"{above}{name}.")
    return found


def values(given: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """What is given, by the names of :func:`flat`."""
    for name, value in given.items():
        yield f"{above}{name}", value
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, Mapping):
                yield from values(inner, f"{above}{name}.")


def varied(module: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for variant in VARIANTS:
        if variant.module == module:
            for name, value in values(variant.given):
                found.setdefault(name, []).append(value)
    return found


def explained(module: str) -> Mapping[str, str]:
    return {**EVERYWHERE, **OF_MODULES[module]}


def test_every_module_has_variants_and_a_list_of_what_cannot_write() -> None:
    assert {one.module for one in VARIANTS} == set(NAMES) == set(OF_MODULES)


def test_every_variant_has_a_name_of_its_own() -> None:
    names = [str(one) for one in VARIANTS]
    assert len(names) == len(set(names))


def test_every_piece_of_the_lab_is_a_state_of_its_own() -> None:
    assert {piece.name for piece in pieces.EVERY} <= set(STATES)


@pytest.mark.parametrize("module", NAMES)
def test_every_option_is_varied_or_cannot_write(module: str) -> None:
    known, told = varied(module), explained(module)
    options = flat(spec_of(module))
    forgotten = [name for name in options if name not in known and name not in told]
    assert not forgotten, (
        f"new options: vary them in variants.py, or say in explained.py why they cannot write: {forgotten}"
    )
    assert not [name for name in OF_MODULES[module] if name not in options], "explained, and not an option"


@pytest.mark.parametrize("module", NAMES)
def test_every_value_of_a_choice_is_called_with(module: str) -> None:
    told = explained(module)
    for name, option in flat(spec_of(module)).items():
        choices = [True, False] if option.get("type") == "bool" else option.get("choices")
        if not choices or name in told:
            continue
        default = option.get("default")
        given = {value for value in varied(module)[name] if value is not None} | {default}
        assert set(choices) <= given, f"{module}.{name} is never {set(choices) - given}"


@pytest.mark.parametrize("variant", [one for one in VARIANTS if one.module == "amazon_integration_info"], ids=str)
def test_a_look_takes_the_options_of_the_steps_as_they_are(variant: Variant) -> None:
    assert set(variant.given) - {"tenants", "items_path"} <= set(NAMES)
