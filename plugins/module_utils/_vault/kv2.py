# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Key-value engine, version 2: versions, check-and-set, deleted versions that come back, custom metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    ForbiddenError,
    KeybuzzError,
    UnexpectedAnswerError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import Answer, VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.document import (
    Document,
    State,
    lost_race,
    mapping,
    strings,
    target,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.instants import instant

Noted = Literal["written", "unchanged", "not_permitted", "not_supported"]


class NoDocumentError(UnexpectedAnswerError):
    """The answer has nothing of a document of version 2."""


@dataclass(frozen=True)
class Version:
    """One version of a document, without its values.

    :param readable: it is neither deleted nor destroyed.
    """

    number: int
    created_time: str
    readable: bool


def read(client: VaultClient, mount: str, path: str, *, number: int | None = None) -> Document | None:
    """A version of the document, the current one by default. One request.

    :returns: ``None`` if the answer is not one of this engine, which is how it says that there is nothing, too.
    """
    place = target(mount, "data", path)
    asked = place if number is None else f"{place}?version={number}"
    answer = client.request("GET", asked, doing="reading", accept=(200, 404))
    metadata = mapping(answer.data.get("metadata"))
    if not metadata:
        _refuse_other_answers(answer, client.url(place), mount)
        return None
    raw = mapping(answer.data.get("data"))
    return Document(
        address=client.url(place),
        state=_state(answer.status, bool(raw), metadata),
        version=int(metadata.get("version") or 0),
        data=strings(raw),
        raw=raw,
        created_time=metadata.get("created_time") or None,
        ends=metadata.get("deletion_time") or None,
        custom_metadata=mapping(metadata.get("custom_metadata")),
        names=tuple(raw),
    )


def read_keys(client: VaultClient, mount: str, path: str) -> Document | None:
    """The document without any of its values: by ``subkeys/``, else what ``metadata/`` alone tells.

    ``subkeys/`` came with Vault 1.10. Where it is missing or forbidden the keys stay unknown (``names`` is ``None``).

    :returns: ``None`` if there is nothing, or the engine is another.
    :raises ForbiddenError: the token may read neither of the two.
    """
    try:
        answer = client.request(
            "GET", target(mount, "subkeys", path), doing="reading the keys of", accept=(200, 404, 405)
        )
    except ForbiddenError:
        document = _from_metadata(client, mount, path, accept=(200, 403, 404))
        if document is None:
            raise
        return document
    metadata = mapping(answer.data.get("metadata"))
    if not metadata:
        _refuse_other_answers(answer, client.url(target(mount, "subkeys", path)), mount)
        missing = answer.status == 405 or any("unsupported path" in error for error in answer.errors)
        return _from_metadata(client, mount, path, accept=(200, 404)) if missing else None
    subkeys = mapping(answer.data.get("subkeys"))
    return Document(
        address=client.url(target(mount, "data", path)),
        state=_state(answer.status, bool(subkeys), metadata),
        version=int(metadata.get("version") or 0),
        created_time=metadata.get("created_time") or None,
        ends=metadata.get("deletion_time") or None,
        custom_metadata=mapping(metadata.get("custom_metadata")),
        depth="keys",
        names=tuple(subkeys),
        objects=frozenset(name for name, value in subkeys.items() if isinstance(value, Mapping)),
    )


def versions(client: VaultClient, mount: str, path: str) -> tuple[Version, ...]:
    """The versions that the server still knows, the newest first. One request."""
    answer = client.request("GET", target(mount, "metadata", path), doing="reading the versions of", accept=(200, 404))
    found = mapping(answer.data.get("versions"))
    return tuple(
        Version(int(number), str(entry.get("created_time") or ""), not _is_gone(entry))
        for number, entry in sorted(found.items(), key=lambda pair: -int(pair[0]))
    )


def write(client: VaultClient, mount: str, path: str, document: Mapping[str, object], *, read_before: Document) -> int:
    """Write a version with exactly this document, if the current one still is the one that was read.

    Written as a whole rather than with PATCH, which needs a capability of its own and a version that is not
    deleted. Check-and-set also serves mounts and documents that demand it (``cas_required``).

    :returns: the number of the new version.
    """
    answer = client.request(
        "POST",
        target(mount, "data", path),
        doing="writing",
        body={"options": {"cas": read_before.version}, "data": document},
        accept=(200, 204, 400),
    )
    if answer.status == 400:
        if any("check-and-set parameter did not match" in error for error in answer.errors):
            gone = f"version {read_before.version}, which was read, is not the current one any more"
            raise lost_race(read_before.address, gone)
        raise KeybuzzError(
            "writing",
            read_before.address,
            "the server does not take the document (HTTP 400)",
            "Look at the server's log, and at the mount's settings: vault read " + target(mount, "config", ""),
        )
    version = answer.data.get("version")
    if not isinstance(version, int):
        raise UnexpectedAnswerError(
            "writing",
            read_before.address,
            "the answer names no version, as a key-value engine of version 2 does",
            "Check vault_mount, and look at what is stored there now.",
        )
    return version


def undelete(client: VaultClient, mount: str, path: str, version: int) -> None:
    """Bring a soft-deleted version back. Makes no new version."""
    client.request("POST", target(mount, "undelete", path), doing="undeleting", body={"versions": [version]})


def note(client: VaultClient, mount: str, path: str, values: Mapping[str, str]) -> Noted:
    """Set keys of the path's custom metadata, keeping the others. Makes no new version, and is no one's need.

    By PATCH, else by reading and writing it whole, for servers and policies that know no PATCH.

    It can be read by whoever may read the document: no secret and no plain hash belongs in it.
    """
    place, doing = target(mount, "metadata", path), "noting the origin in"
    short = {key: value.encode()[:512].decode(errors="ignore") for key, value in values.items()}  # the server's limit
    refused = (400, 403, 404, 405)
    merge = "application/merge-patch+json"
    answer = client.request(
        "PATCH", place, doing=doing, body={"custom_metadata": short}, content_type=merge, accept=(200, 204, *refused)
    )
    if answer.status in (403, 404, 405):
        answer = client.request("GET", place, doing=doing, accept=(200, *refused))
        if answer.status == 200:
            whole = {**mapping(answer.data.get("custom_metadata")), **short}
            answer = client.request(
                "POST", place, doing=doing, body={"custom_metadata": whole}, accept=(200, 204, *refused)
            )
    if answer.status in (200, 204):
        return "written"
    return "not_permitted" if answer.status == 403 else "not_supported"


def _from_metadata(client: VaultClient, mount: str, path: str, *, accept: tuple[int, ...]) -> Document | None:
    answer = client.request("GET", target(mount, "metadata", path), doing="reading the versions of", accept=accept)
    number = int(answer.data.get("current_version") or 0)
    entry = mapping(mapping(answer.data.get("versions")).get(str(number)))
    if not entry:
        return None
    state: State = "present"
    if _is_gone(entry):
        state = "destroyed" if entry.get("destroyed") else "soft_deleted"
    return Document(
        address=client.url(target(mount, "data", path)),
        state=state,
        version=number,
        created_time=entry.get("created_time") or None,
        ends=entry.get("deletion_time") or None,
        custom_metadata=mapping(answer.data.get("custom_metadata")),
        depth="keys",
        names=None if state == "present" else (),
    )


def _is_gone(entry: Mapping[str, Any]) -> bool:
    """A time of deletion may lie ahead: a version can be given a life (``delete_version_after``)."""
    ends = instant(entry.get("deletion_time"))
    return bool(entry.get("destroyed")) or (ends is not None and ends <= datetime.now(UTC))


def _state(status: int, filled: bool, metadata: Mapping[str, Any]) -> State:
    if status == 404:
        return "destroyed" if metadata.get("destroyed") else "soft_deleted"
    return "present" if filled else "empty"


def _refuse_other_answers(answer: Answer, address: str, mount: str) -> None:
    """A 200 without metadata comes from version 1, or from something between here and the server; it is no absence."""
    if answer.status == 200:
        raise NoDocumentError(
            "reading",
            address,
            "the answer is no document of a key-value engine of version 2",
            f"Check vault_mount ({mount}), and that nothing between here and the server rewrites its answers.",
        )
