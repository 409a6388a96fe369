# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every template as a job on the lab, and what is left of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.world import World
from tests.awx.given import OTHER, TENANT, application, found_by_source, inventories, sliced, variables
from tests.awx.injecting import secrets_of
from tests.awx.lists import PROJECT, Item, named, rendered
from tests.awx.proofs_of_lists import ProofError, hold
from tests.awx.runner import Ended, Node, opened
from tests.awx.workflow import walk
from tests.e2e.conftest import Lab
from tests.e2e.evidence import Evidence, Marks
from tests.e2e.test_canary import canaries_of, leaks

BROKEN = ("vault-token-secret", "vault-addr", "tls-trust", "app-creds")
CONSENT = "Amazon integration - Seller's consent"


class Jobs:
    """The proofs, in the order in which they build on each other, on one lab."""

    def __init__(self, lab: Lab, place: Path) -> None:
        self.lab = lab
        world = self.world = World.load(lab.directory)
        self.lists = rendered(variables(world))
        self.evidence = Evidence(world.state)
        self.tenants = found_by_source(self.lists, place / "source")
        self.node = Node(place, self.lists, inventories(self.lists, self.tenants))
        self.types = self.node.types
        self.known = canaries_of(lab) | secrets_of(self.lists["controller_credentials"], self.types)
        self.ended: list[Ended] = []

    def run(
        self,
        name: str,
        *,
        good: bool = True,
        more: list[Item] | None = None,
        inventory: Mapping[str, Any] | None = None,
        **answers: Any,
    ) -> Ended:
        """Launch a template. :raises ProofError: it ends otherwise than it should."""
        ended = self.node.run(name, answers, more, inventory)
        self.ended.append(ended)
        self.known |= {f"{name} {len(self.ended)}": value for name, value in canaries_of(self.lab).items()}
        if (ended.code == 0) is not good:
            raise ProofError(f"{name} ended as {ended.status} ({ended.code}):\n{ended.output}")
        return ended

    def wrote(self, mark: Marks) -> list[str]:
        """What the servers' logs say was written since."""
        evidence = self.evidence
        return [*evidence.vault_writes(mark), *evidence.kubernetes_writes(mark), *evidence.sql_writes(mark)]

    def consent(self, tenant: str) -> Item:
        """What a seller has come back with, as a credential for one launch."""
        token = (self.lab.directory / "secrets" / "refresh_tokens" / f"{tenant}.token").read_text().strip()
        credential = {"name": f"consent {tenant}", "credential_type": CONSENT, "inputs": {"refresh_token": token}}
        self.known |= secrets_of([credential], self.types)
        return credential

    def audit(self, *, good: bool = True) -> list[Ended]:
        """The audit in its slices. :raises ProofError: they end otherwise than they should."""
        template = named(self.lists["controller_templates"], "amazon-audit")
        whole = self.node.inventories[template["inventory"]]
        count = min(template["job_slice_count"], len(whole["all"]["hosts"]))
        slices = [sliced(whole, number, count) for number in range(count)]
        ended = [self.run("amazon-audit", good=good, inventory=part) for part in slices]
        hold([] if len(ended) == len(whole["all"]["hosts"]) else [f"{len(ended)} slices"])
        return ended

    def sourced(self) -> str:
        """The inventory's source finds the tenants with its own credential alone."""
        hosts = self.tenants["_meta"]["hostvars"]
        hold([] if set(hosts) == {f"{TENANT}@lab", f"{OTHER}@lab"} else [f"the source found {', '.join(hosts)}"])
        return f"keybuzz.amazon.tenants lists {' and '.join(hosts)}"

    def connected(self) -> str:
        """A tenant that was never connected, with the seller's consent as a credential of the launch."""
        asked = self.run("amazon-connect", good=False, tenant=OTHER)
        hold([] if "/apps/authorize/consent?" in asked.output else [asked.output])
        self.run("amazon-connect", more=[self.consent(OTHER)], tenant=OTHER)
        return f"without it {OTHER} is told where to consent, with the credential added it is connected"

    def imported(self) -> str:
        """Backfill, then catch-up, then the audit is in sync."""
        for tenant in (TENANT, OTHER):
            self.run("amazon-backfill", tenant=tenant)
        self.run("amazon-catch-up")
        mark = self.evidence.mark()
        slices = self.audit()
        hold(self.wrote(mark))
        verdicts = {one.artifacts.get("keybuzz_amazon_verdict") for one in slices}
        hold([] if verdicts == {"in_sync"} else [f"the audit's artifacts say {verdicts}"])
        return f"backfill and catch-up, then the audit in {len(slices)} slices is in sync and writes nothing"

    def repaired(self) -> str:
        """The workflow: drift, approval, repair, second look."""
        self.lab("break", *BROKEN)
        workflow = named(self.lists["controller_workflows"], "amazon-nightly")
        marks: dict[str, list[str]] = {}

        def launch(name: str) -> bool:
            mark = self.evidence.mark()
            ended = self.audit(good=False)[0] if name == "amazon-audit" else self.run(name)
            marks[name] = self.wrote(mark)
            if name == "amazon-repair-check":
                hold([] if ended.changed and ended.status == "successful" else [ended.output])
            return ended.code == 0

        mark = self.evidence.mark()
        denied = walk(workflow, launch, lambda _: False)
        hold(self.wrote(mark))
        hold([] if denied.failed and "repair" not in dict(denied.ended) else [f"denied: {denied}"])
        walked = walk(workflow, launch, lambda _: True)
        wanted = (
            ("audit", False),
            ("what-it-would-write", True),
            ("approval", True),
            ("repair", True),
            ("verify", True),
        )
        hold([] if (walked.ended, walked.failed) == (wanted, False) else [str(walked)])
        hold(
            [
                f"{name} wrote {said}"
                for name in ("amazon-audit", "amazon-repair-check", "amazon-verify")
                for said in marks[name]
            ]
        )
        hold([] if marks["amazon-repair"] else ["the repair wrote nothing"])
        # The next night: tenants are looked at by themselves, and the repair was of their environment.
        self.audit()
        return (
            "drift fails the audit, the approval lets the repair run, the second look and the next audit are green; "
            "denied, it ends failed and has written nothing"
        )

    def kept_in_awx(self) -> str:
        """The application's credentials from AWX."""
        self.node.lists = rendered({**variables(self.world), **application(self.world)})
        self.known |= secrets_of(self.node.lists["controller_credentials"], self.types)
        audit = self.run("amazon-verify")
        hold([] if "AMAZON_CLIENT_SECRET" in audit.masked else ["no client secret was injected"])
        return "with the application's credentials in AWX the audit wants the same, and is in sync"

    def swept(self) -> str:
        """No secret in what is left of any job, and the sweep can fail."""
        places = {
            f"{number} {place}": text for number, one in enumerate(self.ended) for place, text in one.places().items()
        }
        known = {name: value for value, name in {value: name for name, value in self.known.items()}.items()}
        hold(leaks(known, places))
        for name, secret in known.items():
            place = self.ended[0].folder / "job_events" / "planted.json"
            place.write_text(json.dumps({"stdout": f"value: {secret}"}), encoding="utf-8")
            found = leaks({name: secret}, self.ended[0].places())
            place.unlink()
            hold([] if found else [f"the sweep does not see {name} in an event"])
        events = sum(len(one.events) for one in self.ended)
        ran = {one.template for one in self.ended}
        hold([f"{item['name']} was not run" for item in self.lists["controller_templates"] if item["name"] not in ran])
        return (
            f"{len(known)} secrets in no form in {len(places)} files of {len(self.ended)} jobs ({events} events); "
            "each is found when it is planted"
        )

    def proofs(self) -> Iterator[tuple[str, Any]]:
        """Each by what it says."""
        yield "the inventory's source works with its own credential", self.sourced
        yield "the seller's consent is a credential", self.connected
        yield "imports and the audit run as AWX runs them", self.imported
        yield "the workflow repairs", self.repaired
        yield "the application's credentials can be AWX's", self.kept_in_awx
        yield "nothing is left of a secret", self.swept


def on_a_lab() -> Iterator[Jobs]:
    """A lab of its own, ended in any case."""
    with tempfile.TemporaryDirectory(prefix="keybuzz-awx-") as folder:
        place = Path(folder)
        lab = Lab(place / "lab")
        try:
            lab("up")
            with opened(place):
                yield Jobs(lab, place)
        finally:
            subprocess.run(
                [sys.executable, "-m", "lab", "down"],
                cwd=PROJECT,
                env={**os.environ, "LAB_DIR": str(lab.directory)},
                stdout=subprocess.DEVNULL,
                check=False,
            )
