# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module vault_amazon_app_creds does: look, prove, plan, and outside check mode carry the plan out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Item, Outcome, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    BlockedError,
    ForbiddenError,
    KeybuzzError,
    StaleError,
    UnexpectedAnswerError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import client as kube_client
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import SecretState, read_secret
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_plan import (
    DOCUMENT,
    FIELDS,
    SHOWN,
    SINCE,
    Desired,
    Observed,
    Proof,
    Wish,
    clean,
    differing,
    instant,
    iso,
    needs_proof,
    plan,
    secret_since,
    target,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import InvalidClient, InvalidScope, LwaClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import client as vault_client
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

Protect = Callable[[Iterable[str | None]], None]

TRIES = 3
"""How often a lost race is planned anew before it is reported."""


@dataclass(frozen=True)
class Servers:
    """Who is asked, and for which document.

    :param lwa: where credentials are proven before they are written; ``None`` writes them unproven.
    """

    vault: VaultClient
    mount: str
    path: str
    lwa: LwaClient | None
    protect: Protect


def from_options(options: Mapping[str, Any], protect: Protect, *, check_mode: bool) -> Outcome:
    """Run with the module's options; connects first."""
    _refuse_ambiguous_keys(options["document_keys"])
    vault = vault_client.connect(options, protect)
    source = options.get("source_secret")
    kube = kube_client.connect(options, protect) if source else None
    lwa = None
    if options["verify"] == "lwa":
        lwa = LwaClient(options["amazon_lwa_url"], ca_cert=options["amazon_ca_cert"], timeout=options["amazon_timeout"])
    servers = Servers(vault, options["vault_mount"], options["path"], lwa, protect)
    desired = Desired(
        keys={name: options["document_keys"][name] for name in FIELDS},
        max_age_days=options["secret_max_age_days"],
        warning_days=options["secret_age_warning_days"],
        undelete_command=f"vault kv undelete -mount={servers.mount} -versions=VERSION {servers.path}",
    )
    return run(servers, wished(options, kube, protect), desired, check_mode=check_mode)


def _refuse_ambiguous_keys(keys: Mapping[str, str]) -> None:
    """Two values under one key would overwrite each other on each run, with a new version each time."""
    if all(keys.values()) and len(set(keys.values())) == len(keys):
        return
    raise BadInputError(
        "reading option",
        "document_keys",
        "a key is empty or named twice",
        f"Give each of {', '.join(keys)} a key of its own.",
    )


def wished(options: Mapping[str, Any], kube: KubeClient | None, protect: Protect) -> Wish:
    """The values to write, from the source Secret and the given values; a given one wins."""
    given = {name: clean(options.get(name)) for name in FIELDS if clean(options.get(name))}
    source = options.get("source_secret")
    if not source or kube is None:
        return Wish(given, problem=None if given else "No source_secret and no values were given")
    state = _read_source(kube, source, protect)
    keys = source["keys"]
    stored = {name: clean(state.data.get(keys[name])) for name in FIELDS if clean(state.data.get(keys[name]))}
    lacking = [keys[name] for name in FIELDS if name not in stored and name not in given]
    problem = None
    if not state.exists and not given:
        problem = f"{state.address} does not exist"
    elif lacking:
        problem = f"{state.address} lacks {', '.join(lacking)}" if state.exists else f"{state.address} does not exist"
    return Wish(
        {**stored, **given},
        source=f"{state.address} and the given values"
        if given and stored
        else state.address
        if stored
        else "the given values",
        problem=problem,
        since=None if "client_secret" in given else instant(state.data_written),
    )


def _read_source(kube: KubeClient, source: Mapping[str, Any], protect: Protect) -> SecretState:
    """Read the Secret and have its secrets masked, but not a region, which stands in many other outputs."""
    values: list[str | None] = []
    state = read_secret(kube, source["namespace"], source["name"], values.extend)
    harmless = {state.data.get(source["keys"][name]) for name in SHOWN}
    harmless |= {state.encoded.get(source["keys"][name]) for name in SHOWN}
    protect([value for value in values if value not in harmless])
    protect([clean(state.data.get(source["keys"][name])) for name in FIELDS if name not in SHOWN])
    return state


def run(servers: Servers, wish: Wish, desired: Desired, *, check_mode: bool, now: datetime | None = None) -> Outcome:
    """Look, prove, plan, and outside check mode repair.

    :param now: aware UTC time, for the age of the client secret.
    :raises BlockedError: outside check mode, when a value is nowhere to be had or Amazon refuses the credentials.
    :raises StaleError: the document changed under our hands three times in a row.
    """
    fingerprints = Fingerprints()
    moment = now or datetime.now(UTC)
    found: tuple[Item, ...] = ()
    before = 0
    undeleted = False
    for _ in range(TRIES):
        observed = _observe(servers, wish, desired, moment)
        spelled = _with_version(desired, observed)
        items = plan(observed, spelled, fingerprints)
        if not found:
            found, before = items, observed.document.version
        todo = pending(items)
        if check_mode:
            return _outcome(found, observed, before, changed=bool(todo))
        if not todo:
            _refuse_if_blocked(items, observed)
            return _outcome(found, observed, before, changed=undeleted, remaining=items)
        try:
            document, noted = _apply(servers, observed, desired)
        except kv.CasMismatch:
            undeleted = undeleted or observed.document.state == "soft_deleted"
            continue
        left = plan(replace(observed, document=document, proof=None, document_proof=None), spelled, fingerprints)
        after = replace(observed, document=document)
        return _outcome(found, after, before, changed=True, remaining=left, noted=noted)
    raise StaleError(
        "writing",
        observed.document.address,
        f"it was changed by somebody else {TRIES} times in a row; nothing was overwritten",
        "Find out who writes here (the audit log of Vault), and run again.",
    )


def _observe(servers: Servers, wish: Wish, desired: Desired, now: datetime) -> Observed:
    """Read the document; ask Amazon only about what is about to be written."""
    document = _read(servers, desired)
    observed = Observed(document, wish, now)
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


def _read(servers: Servers, desired: Desired) -> kv.Document:
    document = kv.read(servers.vault, servers.mount, servers.path)
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


def _apply(servers: Servers, observed: Observed, desired: Desired) -> tuple[kv.Document, str]:
    """Bring a deleted version back if it is right, else write. Returns the document as it is now."""
    document, wish = observed.document, observed.wish
    if document.state == "soft_deleted":
        kv.undelete(servers.vault, servers.mount, servers.path, document.version)
        document = _read(servers, desired)
        if document.version != observed.document.version or document.state != "present":
            raise _changed_meanwhile(document)
    values = target(document, wish, desired.keys)
    different = differing(document, values, desired.keys)
    if document.state == "present" and not different:
        return document, "unchanged"
    written = {desired.keys[name]: values[name] for name in FIELDS}
    version = kv.write_merged(servers.vault, servers.mount, servers.path, written, read=document)
    metadata = _metadata(document, observed, new_secret="client_secret" in different)
    after = replace(
        document,
        state="present",
        version=version,
        data={**document.data, **written},
        raw={**document.raw, **written},
        created_time=iso(observed.now),
    )
    noted = _note(servers, metadata)
    if noted == "written":
        after = replace(after, custom_metadata={**document.custom_metadata, **metadata})
    return after, noted


def _changed_meanwhile(document: kv.Document) -> kv.CasMismatch:
    return kv.CasMismatch(
        "undeleting", document.address, "it was written or deleted by somebody else meanwhile", "Run again."
    )


def _metadata(document: kv.Document, observed: Observed, *, new_secret: bool) -> dict[str, str]:
    """Origin and age. A new secret is as old as the Secret it comes from; another key's change ages nothing."""
    since = observed.wish.since if new_secret else secret_since(document)
    return {
        "managed_by": "keybuzz.amazon",
        "source": observed.wish.source,
        "written_at": iso(observed.now),
        SINCE: iso(min(since or observed.now, observed.now)),
    }


def _note(servers: Servers, metadata: Mapping[str, str]) -> str:
    """Custom metadata is a comfort with a right of its own: without it the document is no worse."""
    try:
        kv.patch_custom_metadata(servers.vault, servers.mount, servers.path, metadata)
    except ForbiddenError:
        return "not_permitted"
    except UnexpectedAnswerError:
        return "not_supported"
    return "written"


def _outcome(
    items: tuple[Item, ...],
    observed: Observed,
    version_before: int,
    *,
    changed: bool,
    remaining: tuple[Item, ...] | None = None,
    noted: str = "unchanged",
) -> Outcome:
    document = observed.document
    return Outcome(
        items=items,
        changed=changed,
        remaining=remaining,
        facts={
            "document": {
                "state": document.state,
                "version_before": version_before,
                "version": document.version,
                "key_names": sorted(document.raw),
                "custom_metadata": noted,
            },
            "credentials": observed.proof.verdict if observed.proof else "not_asked",
        },
    )
