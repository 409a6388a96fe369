# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request asks for, read from its method, path and query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from lab.emulator import errors
from lab.emulator.authorization import Attributes
from lab.emulator.resources import BY_PATH, Resource
from lab.emulator.selectors import selected_name

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True)
class Call:
    """One request on a resource; ``name`` is empty for a collection."""

    resource: Resource
    verb: str
    namespace: str
    name: str
    subresource: str

    @property
    def attributes(self) -> Attributes:
        resource = f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural
        return Attributes(self.verb, self.resource.group, resource, self.namespace, self.name)

    def reference(self) -> dict[str, str]:
        """``objectRef`` of the audit log."""
        return {
            "resource": self.resource.plural,
            "namespace": self.namespace,
            "name": self.name,
            "apiGroup": self.resource.group,
            "apiVersion": self.resource.version,
            "subresource": self.subresource,
        }


def parse(method: str, raw_path: str, query: Mapping[str, str]) -> Call:
    """Raises 404 for a path that is none of this server's, 405 for a method that has no meaning there."""
    parts = [unquote(part) for part in raw_path.strip("/").split("/")]
    if parts[:2] == ["api", "v1"]:
        group, rest = "", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3 and parts[2] == "v1":
        group, rest = parts[1], parts[3:]
    else:
        raise errors.no_such_path()
    namespace = ""
    # /namespaces/<name> is the Namespace itself, /namespaces/<name>/<resource> is what it holds.
    if rest[0] == "namespaces" and len(rest) > 2 and (group, "v1", rest[2]) in BY_PATH:
        namespace, rest = rest[1], rest[2:]
    resource = BY_PATH.get((group, "v1", rest[0]))
    if resource is None or len(rest) > 3 or (namespace and not resource.namespaced):
        raise errors.no_such_path()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource and subresource not in resource.subresources:
        raise errors.no_such_path()
    if not name and method in ("GET", "DELETE"):
        name = selected_name(query.get("fieldSelector", ""))
        collection = True
    else:
        collection = not name
    namespace = name if resource.plural == "namespaces" and not collection else namespace
    return Call(resource, _verb(method, query, resource, collection=collection), namespace, name, subresource)


def _verb(method: str, query: Mapping[str, str], resource: Resource, *, collection: bool) -> str:
    if resource.review and method != "POST":
        raise errors.not_allowed()
    if method == "GET":
        if query.get("watch") in ("true", "1"):
            return "watch"
        return "list" if collection else "get"
    if method == "DELETE":
        return "deletecollection" if collection else "delete"
    if method not in _VERBS or (method != "POST" and collection):
        raise errors.not_allowed()
    return _VERBS[method]
