# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distinctive secrets everywhere, every output looked through: no copy outside its home."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from contextlib import closing
from pathlib import Path

import pytest

from lab.world import World
from tests.e2e.conftest import Lab
from tests.e2e.playbooks import Playbooks, Run

SHORTEST = 8


def forms(secret: str) -> dict[str, str]:
    """The secret as it is and as servers, shells and libraries repeat it."""
    raw = secret.encode()
    found = {
        "plain": secret,
        "json": json.dumps(secret)[1:-1],
        "json twice": json.dumps(json.dumps(secret)[1:-1])[1:-1],
        "url": urllib.parse.quote(secret, safe=""),
        "url plus": urllib.parse.quote_plus(secret),
        "hex": raw.hex(),
        "repr": repr(secret)[1:-1],
    }
    for shift in range(3):
        # Base64 of the secret inside a longer text: the part that does not depend on its neighbours.
        body = base64.b64encode(b"x" * shift + raw).decode().rstrip("=")
        found[f"base64 at {shift}"] = body[4 if shift else 0 : -4]
    return {name: text for name, text in found.items() if len(text) >= SHORTEST}


def leaks(canaries: dict[str, str], places: dict[str, str]) -> list[str]:
    """``name of secret, form, place`` of each copy; the secret itself is not repeated."""
    return [
        f"{name} ({form}) in {place}"
        for name, secret in canaries.items()
        for form, text in forms(secret).items()
        for place, content in places.items()
        if text in content
    ]


def places_of(run: Run, label: str, extra: Path | None = None) -> dict[str, str]:
    files = [*run.folder.rglob("*"), *(extra.rglob("*") if extra else [])]
    return {
        f"{label}: output": run.output,
        **{f"{label}: {file.name}": file.read_text(errors="replace") for file in files if file.is_file()},
    }


def canaries_of(lab: Lab) -> dict[str, str]:
    known: dict[str, str] = json.loads((lab.directory / "secrets" / "canaries.json").read_text())
    secret = World.load(lab.directory).kubernetes().get("secrets", "vault-token", "keybuzz-backend-dev")
    token = base64.b64decode(secret["data"]["VAULT_TOKEN"]).decode()
    return {**known, **({"backend's token": token} if token else {})}


def test_the_sweep_finds_what_it_looks_for() -> None:
    secret = 'CANARY+/="x\\y'
    for form, text in forms(secret).items():
        assert leaks({"one": secret}, {"place": f"before {text} after"}), form
    inside = base64.b64encode(b'{"token": "' + secret.encode() + b'"}').decode()
    assert leaks({"one": secret}, {"place": inside})
    assert leaks({"one": secret}, {"place": "nothing here"}) == []


def test_no_secret_is_in_any_output_report_or_file(healthy: Lab, playbooks: Playbooks, tmp_path: Path) -> None:
    log = tmp_path / "ansible.log"
    loud = ("-vvvv", "--diff")
    env = {"ANSIBLE_LOG_PATH": str(log)}
    seen: dict[str, str] = {}
    known = canaries_of(healthy)
    assert len(known) >= 8 and any("CANARY" in value for value in known.values())

    healthy("break", "all")
    seen |= places_of(playbooks.repair("--check", *loud, env=env), "check")
    seen |= places_of(playbooks.audit(*loud, env=env), "audit of the broken lab")
    repaired = playbooks.repair(*loud, env=env)
    assert repaired.code == 0, repaired.output
    seen |= places_of(repaired, "repair")
    known |= {f"{name} after": value for name, value in canaries_of(healthy).items()}
    stored = {
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
        "ANSIBLE_STDOUT_CALLBACK": "everything",
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit",
        "JUNIT_OUTPUT_DIR": str(tmp_path / "junit"),
    }
    healthy("break", "vault-token-secret", "app-creds", "tenant-connection")
    everything = playbooks.repair(*loud, env=env | stored)
    assert everything.code == 0 and '"drift": [' in everything.output, everything.output
    known |= {f"{name} at last": value for name, value in canaries_of(healthy).items()}
    seen |= places_of(everything, "stored results", tmp_path / "junit")
    assert any("junit" in place or place.endswith(".xml") for place in seen)

    world = World.load(healthy.directory)
    token_file = tmp_path / "wrong.token"
    token_file.write_text("s.CANARYwrongoperatortoken")
    known["wrong operator token"] = "s.CANARYwrongoperatortoken"
    seen |= places_of(playbooks.repair(*loud, "-e", f"vault_token_file={token_file}", env=env), "wrong token")
    seen |= places_of(playbooks.repair(*loud, "-e", "pg_port=1", env=env), "no database")
    healthy("break", "tenant-connection")
    bad_token = tmp_path / "ecomlg-001.token"
    bad_token.write_text("Atzr|CANARY-not-a-grant+/=")
    known["refused refresh token"] = "Atzr|CANARY-not-a-grant+/="
    refused = playbooks.repair(*loud, "-e", f"amazon_tenant_refresh_token_file={bad_token}", env=env)
    assert refused.code == 2
    seen |= places_of(refused, "refused grant")
    seen["ansible.log"] = log.read_text()
    seen |= {
        f"lab log {file.name}": file.read_text(errors="replace") for file in (healthy.directory / "logs").rglob("*.log")
    }

    assert leaks(known, seen) == []
    assert world.backend()[0] == 200


def test_no_buyers_data_reaches_the_database_or_any_report(healthy: Lab, playbooks: Playbooks) -> None:
    run = playbooks.audit()
    with closing(World.load(healthy.directory).database()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        for table in tables:
            cursor.execute(f'SELECT count(*) FROM "{table}" AS t WHERE t::text LIKE %s', ("%CANARY-BUYER%",))
            assert cursor.fetchone() == (0,), table
    assert not any("CANARY-BUYER" in text for text in places_of(run, "audit").values())


@pytest.mark.parametrize("inventory", ["inventories/lab", "inventories/as-reported", "inventories/example"])
def test_no_inventory_holds_a_secret(inventory: str) -> None:
    for file in Path(inventory).rglob("*.yml"):
        assert not re.search(r"(Atzr|Atza|hvs\.|amzn1\.oa2-cs)", file.read_text()), file
