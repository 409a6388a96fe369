# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creations that store no object of their own: reviews, tokens, bindings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lab.emulator import errors
from lab.emulator.authentication import Authentication, User
from lab.emulator.authorization import Attributes, allowed
from lab.emulator.calls import Call
from lab.emulator.registry import Registry, Writer, timestamp
from lab.emulator.resources import BY_NAME
from lab.emulator.storage import Storage

Object = dict[str, Any]

SHORTEST_TOKEN, DEFAULT_TOKEN = 600, 3600  # seconds


def access_review(storage: Storage, user: User, body: Object) -> Object:
    """SelfSubjectAccessReview: the very check a request goes through."""
    spec = body.get("spec") or {}
    wanted = spec.get("resourceAttributes")
    if wanted is None:
        return {**body, "metadata": {}, "status": {"allowed": False}}
    subresource = wanted.get("subresource", "")
    resource = wanted.get("resource", "") + (f"/{subresource}" if subresource else "")
    yes = allowed(
        storage,
        user,
        Attributes(
            wanted.get("verb", ""),
            wanted.get("group", ""),
            resource,
            wanted.get("namespace", ""),
            wanted.get("name", ""),
        ),
    )
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": spec,
        "status": {"allowed": yes},
    }


def who_am_i(user: User) -> Object:
    return {
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": timestamp()},
        "status": {"userInfo": user.as_dict()},
    }


def issue_token(registry: Registry, authentication: Authentication, call: Call, body: Object) -> Object:
    """TokenRequest of a service account. Raises 404 without the account, 422 for too short a life."""
    account = registry.get(call.resource, call.namespace, call.name)
    spec = body.get("spec") or {}
    seconds = int(spec.get("expirationSeconds") or DEFAULT_TOKEN)
    if seconds < SHORTEST_TOKEN:
        raise errors.invalid(
            call.resource,
            call.name,
            [
                (
                    "FieldValueInvalid",
                    "spec.expirationSeconds",
                    f"Invalid value: {seconds}: may not specify a duration less than 10 minutes",
                )
            ],
        )
    token, until = authentication.issue(account, seconds)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": call.name, "namespace": call.namespace},
        "spec": {**spec, "expirationSeconds": seconds},
        "status": {"token": token, "expirationTimestamp": timestamp(datetime.fromtimestamp(until, UTC))},
    }


def bind_pod(registry: Registry, call: Call, body: Object, writer: Writer) -> Object:
    """Sets spec.nodeName, once."""
    pods = BY_NAME["pods"]
    present = registry.get(pods, call.namespace, call.name)
    node = (body.get("target") or {}).get("name", "")
    bound = present["spec"].get("nodeName")
    if bound:
        raise errors.conflict(pods, call.name, f'pod {call.name} is already assigned to node "{bound}"')

    def bind(item: Object) -> Object:
        item["spec"]["nodeName"] = node
        return item

    registry.update(pods, call.namespace, call.name, bind, Writer(writer.manager, writer.dry_run))
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
