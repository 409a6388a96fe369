# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module vault_amazon_app_creds does: look, prove, plan, and outside check mode carry the plan out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Item, Outcome, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    BlockedError,
    KeybuzzError,
    StaleError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import document_keys
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import document_rights as rights
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_age import (
    SINCE,
    SINCE_VERSION,
    Limits,
    Since,
    warning,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_history import Place, secret_since
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_plan import (
    DOCUMENT,
    FIELDS,
    SECRET_AGE,
    SHOWN,
    Desired,
    Observed,
    Proof,
    Wish,
    clean,
    differing,
    is_stored,
    needs_proof,
    plan,
    target,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_source import (
    refuse_ambiguous_keys,
    wished,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.connections import Connections
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.entries import refuse_unplanned
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import InvalidClient, InvalidScope, LwaClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.instants import instant, iso

Protect = Callable[[Iterable[str | None]], None]

TRIES = 3
"""How often a lost race is planned anew before it is reported."""


@dataclass(frozen=True)
class Servers:
    """Who is asked, and for which document.

    :param lwa: where credentials are proven before they are written; ``None`` writes them unproven.
    :param depth: ``keys`` reads no value of the document.
    """

    vault: VaultClient
    mount: str
    path: str
    lwa: LwaClient | None
    protect: Protect
    depth: kv.Depth = "values"


def from_options(options: Mapping[str, Any], protect: Protect, *, check_mode: bool) -> Outcome:
    """Run with the module's options; connects first, and ends its login last."""
    with Connections(options, protect) as servers:
        return with_connections(servers, options, check_mode=check_mode)


def with_connections(connections: Connections, options: Mapping[str, Any], *, check_mode: bool) -> Outcome:
    """Run over connections that are there."""
    refuse_ambiguous_keys(options["document_keys"])
    depth: kv.Depth = options.get("depth") or "values"
    document_keys.require_check_mode(depth, check_mode=check_mode)
    since = _given_since(options.get("client_secret_since"))
    vault = connections.vault
    # With depth keys no secret is read anywhere, the source's neither.
    source = options.get("source_secret") if depth == "values" else None
    kube = connections.kube if source else None
    lwa = None
    if options["verify"] == "lwa":
        lwa = LwaClient(options["amazon_lwa_url"], ca_cert=options["amazon_ca_cert"], timeout=options["amazon_timeout"])
    servers = Servers(vault, options["vault_mount"], options["path"], lwa, connections.protect, depth)
    desired = Desired(
        keys={name: options["document_keys"][name] for name in FIELDS},
        limits=Limits(
            options["secret_max_age_days"],
            options["secret_age_warning_days"],
            options["secret_age_critical_days"],
        ),
        undelete_command=f"vault kv undelete -mount={servers.mount} -versions=VERSION {servers.path}",
        since=since,
    )
    wish = wished(options, kube, connections.protect) if depth == "values" else Wish()
    return run(servers, wish, desired, check_mode=check_mode, planned=options.get("planned"))


def _given_since(text: str | None) -> datetime | None:
    if not text:
        return None
    moment = instant(text if "T" in text else f"{text}T00:00:00Z")
    if moment is None:
        raise BadInputError(
            "reading option",
            "client_secret_since",
            f"{text!r} is no day and no time with a zone",
            "Write it as 2026-01-31 or 2026-01-31T09:30:00Z.",
        )
    return moment


def run(
    servers: Servers,
    wish: Wish,
    desired: Desired,
    *,
    check_mode: bool,
    now: datetime | None = None,
    planned: Sequence[Mapping[str, Any]] | None = None,
) -> Outcome:
    """Look, prove, plan, and outside check mode repair.

    :param now: aware UTC time, for the age of the client secret.
    :param planned: what may be written, if that is restricted.
    :raises BlockedError: outside check mode, when a value is nowhere to be had or Amazon refuses the credentials.
    :raises StaleError: the document changed under our hands three times in a row, or something was not planned.
    """
    fingerprints = Fingerprints()
    moment = now or datetime.now(UTC)
    found: tuple[Item, ...] = ()
    before = 0
    undeleted = False
    for _try in range(TRIES):
        observed = _observe(servers, wish, desired, moment)
        spelled = _with_version(desired, observed)
        items = plan(observed, spelled, fingerprints)
        if not found:
            found, before = items, observed.document.version
        todo = pending(items)
        if check_mode:
            return _predicted(servers, observed, items)
        if not todo:
            _refuse_if_blocked(items, observed)
            return _outcome(found, observed, before, changed=undeleted, remaining=items)
        refuse_unplanned(items, planned)
        try:
            after, noted = _apply(servers, observed, desired)
        except kv.CasMismatch:
            undeleted = undeleted or observed.document.state == "soft_deleted"
            continue
        left = plan(replace(after, proof=None, document_proof=None), spelled, fingerprints)
        return _outcome(found, after, before, changed=True, remaining=left, noted=noted)
    raise StaleError(
        "writing",
        observed.document.address,
        f"it was changed by somebody else {TRIES} times in a row; nothing was overwritten",
        "Find out who writes here (the audit log of Vault), and run again.",
    )


def _predicted(servers: Servers, observed: Observed, items: tuple[Item, ...]) -> Outcome:
    """The answer of check mode, with what a repair would lack."""
    todo = pending(items)
    lacking: tuple[str, ...] | None = ()
    if todo:
        lacking = rights.missing(servers.vault, rights.to_write(observed.document, servers.mount, servers.path))
    outcome = _outcome(items, observed, observed.document.version, changed=bool(todo))
    return replace(
        outcome,
        facts={**outcome.facts, **rights.facts(lacking, is_pending=bool(todo))},
        warnings=(*outcome.warnings, *rights.warnings(lacking)),
    )


def _observe(servers: Servers, wish: Wish, desired: Desired, now: datetime) -> Observed:
    """Read the document; ask Amazon only about what is about to be written."""
    document = _read(servers, desired)
    observed = Observed(document, wish, now, _since(servers, document, wish, desired, now))
    if document.depth == "keys":
        return observed
    values = needs_proof(document, wish, desired.keys)
    if servers.lwa is None or values is None:
        return observed
    proof = _prove(servers.lwa, values["client_id"], values["client_secret"])
    own = {name: clean(document.raw.get(desired.keys[name])) for name in ("client_id", "client_secret")}
    document_proof = None
    others = any(own[name] != values[name] for name in own)
    if proof.verdict == "refused" and all(own.values()) and others:
        document_proof = _prove(servers.lwa, own["client_id"], own["client_secret"])
    return replace(observed, proof=proof, document_proof=document_proof)


def _since(
    servers: Servers, document: kv.Document, wish: Wish, desired: Desired, now: datetime, *, exactly: bool = False
) -> Since:
    """Since when the secret in the document is in use; what somebody says of it counts where Vault cannot tell."""
    if not is_stored(document, desired.keys) or document.state != "present":
        return Since()
    key = desired.keys["client_secret"]
    place = Place(servers.vault, servers.mount, servers.path, key, servers.protect)
    since = secret_since(place, document, now, desired.limits, exactly=exactly)
    if since.bound in {"exact", "at_most"}:
        return since
    if desired.since:
        return Since(desired.since, "exact", "")
    source_has_it = clean(document.raw.get(key)) == wish.values.get("client_secret")
    if since.moment is None and since.bound == "unknown" and wish.since and source_has_it:
        return Since(wish.since, "at_least", f"the time of {wish.source}")
    return since


def _read(servers: Servers, desired: Desired) -> kv.Document:
    document = kv.read(servers.vault, servers.mount, servers.path, servers.depth)
    harmless = {desired.keys[name] for name in SHOWN}
    servers.protect([value for key, value in document.data.items() if key not in harmless])
    return document


def _prove(lwa: LwaClient, client_id: str, client_secret: str) -> Proof:
    """A grant that needs no seller. That LWA knows the application but not the scope proves it as well."""
    try:
        lwa.client_credentials(client_id, client_secret)
    except InvalidScope:
        return Proof("accepted")
    except InvalidClient as error:
        return Proof("refused", error)
    except KeybuzzError as error:
        return Proof("unproven", error)
    return Proof("accepted")


def _with_version(desired: Desired, observed: Observed) -> Desired:
    command = desired.undelete_command.replace("VERSION", str(observed.document.version))
    return replace(desired, undelete_command=command)


def _refuse_if_blocked(items: tuple[Item, ...], observed: Observed) -> None:
    """The error of the proof itself where that is the cause, so that its class is kept."""
    for item in items:
        if item.id == DOCUMENT and item.status == "blocked":
            if observed.proof and observed.proof.verdict == "unproven" and observed.proof.error:
                raise observed.proof.error
            raise BlockedError("repairing", item.address, item.reason.rstrip("."), item.hint)


def _apply(servers: Servers, observed: Observed, desired: Desired) -> tuple[Observed, kv.Noted]:
    """Bring a deleted version back if it is right, else write. Returns what there is now."""
    document, wish = observed.document, observed.wish
    if document.state == "soft_deleted":
        needed = rights.to_write(document, servers.mount, servers.path)
        rights.require(servers.vault, needed, document.address)
        kv.undelete(servers.vault, servers.mount, servers.path, document.version)
        document = _read(servers, desired)
        if document.version != observed.document.version or document.state != "present":
            raise _changed_meanwhile(document)
    values = target(document, wish, desired.keys)
    different = differing(document, values, desired.keys)
    new_secret = "client_secret" in different
    since = Since() if new_secret else _since(servers, document, wish, desired, observed.now, exactly=bool(different))
    if document.state == "present" and not different:
        return replace(observed, document=document, since=since), "unchanged"
    written = {desired.keys[name]: values[name] for name in FIELDS}
    version = kv.write_merged(servers.vault, servers.mount, servers.path, written, read=document)
    # A new secret is as old as the Secret it comes from; another key's change ages nothing.
    moment = min((wish.since if new_secret else since.moment) or observed.now, observed.now)
    metadata = {
        "managed_by": kv.MANAGED_BY,
        "source": wish.source,
        "written_at": iso(observed.now),
        SINCE: iso(moment),
        SINCE_VERSION: str(version),
    }
    noted = kv.note(servers.vault, servers.mount, servers.path, metadata, read=document)
    after = replace(
        document,
        state="present",
        version=version,
        data={**document.data, **written},
        raw={**document.raw, **written},
        names=tuple({**document.raw, **written}),
        created_time=iso(observed.now),
        ends=None,
        custom_metadata={**document.custom_metadata, **(metadata if noted == "written" else {})},
    )
    known = since if since.bound == "at_least" else Since(moment, "exact", "")
    return replace(observed, document=after, since=known), noted


def _changed_meanwhile(document: kv.Document) -> kv.CasMismatch:
    return kv.CasMismatch(
        "undeleting", document.address, "it was written or deleted by somebody else meanwhile", "Run again."
    )


def _outcome(
    items: tuple[Item, ...],
    observed: Observed,
    version_before: int,
    *,
    changed: bool,
    remaining: tuple[Item, ...] | None = None,
    noted: kv.Noted = "unchanged",
) -> Outcome:
    document = observed.document
    ages = [warning(item) for item in (items if remaining is None else remaining) if item.id == SECRET_AGE]
    return Outcome(
        items=items,
        changed=changed,
        remaining=remaining,
        facts={
            "document": {
                "state": document.state,
                "version_before": version_before,
                "version": document.version,
                "key_names": None if document.names is None else sorted(document.names),
                "custom_metadata": noted,
                "kv_version": document.engine,
            },
            "credentials": observed.proof.verdict if observed.proof else "not_asked",
            "depth": document.depth,
            **rights.facts((), is_pending=False),
        },
        warnings=(*(text for text in ages if text), *kv.ending(document)),
    )
