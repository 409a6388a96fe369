# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in of an AWX's API v2: as much of it as awx.awx asks for, strict where an AWX is lenient.

It keeps objects, refuses what rules.py knows that an AWX refuses, shows no secret, and remembers every write. It runs
no job; a project is there as soon as it is made.
"""

from __future__ import annotations

import itertools
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.awx import rules
from tests.awx.controller_fields import ASSOCIATED, FIELDS, REFERENCES, TYPES, UNIFIED
from tests.awx.lists import PROJECT

MASK = "$encrypted$"
PASSING = frozenset({"type", "id", "url", "related", "summary_fields"})
PRODUCT = {"X-API-Product-Name": "AWX", "X-API-Product-Version": "24.6.1"}
PREFIXES = ("/api/v2/", "/api/controller/v2/")
"""Of AWX, and of the controller in an Ansible Automation Platform."""


class RefusedError(Exception):
    """What an AWX answers with 400."""


@dataclass
class Controller:
    """The objects, by collection and id.

    :param writes: ``METHOD path`` of each request that was no GET and was taken.
    """

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    objects: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: {name: {} for name in FIELDS})
    associated: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    surveys: dict[int, dict[str, Any]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    address: str = ""

    def __post_init__(self) -> None:
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._prefix = PREFIXES[0]

    def application(self) -> Starlette:
        """The server. Every answer names the product, as awx.awx compares it with its own release."""
        routes = [Route(prefix + "{path:path}", self._answer, methods=["GET", "POST", "PATCH"]) for prefix in PREFIXES]
        return Starlette(routes=routes)

    async def _answer(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"detail": "Authentication credentials were not provided."}, 401, PRODUCT)
        body = json.loads(await request.body() or b"{}") if request.method != "GET" else {}
        parts = request.path_params["path"].strip("/").split("/")
        try:
            with self._lock:
                self._prefix = next(prefix for prefix in PREFIXES if request.url.path.startswith(prefix))
                status, content = self._dispatch(request.method, parts, dict(request.query_params), body)
                if request.method != "GET":
                    self.writes.append(f"{request.method} {'/'.join(parts)}")
        except RefusedError as error:
            return JSONResponse({"__all__": [str(error)]}, 400, PRODUCT)
        except KeyError:
            return JSONResponse({"detail": "Not found."}, 404, PRODUCT)
        return Response(None, status, PRODUCT) if content is None else JSONResponse(content, status, PRODUCT)

    def _dispatch(self, method: str, parts: list[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
        kind = parts[0]
        if len(parts) == 1:
            return (200, self._found(kind, query)) if method == "GET" else (201, self._create(kind, body))
        number = int(parts[1])
        if len(parts) == 2:
            return 200, self._patch(kind, number, body) if method == "PATCH" else self._shown(kind, number)
        if parts[2] == "survey_spec":
            return 200, self._survey(kind, number, method, body)
        if parts[2] == "create_approval_template":
            return 201, self._approval(number, body)
        return self._association(kind, number, parts[2], method, body)

    def _found(self, kind: str, query: dict[str, str]) -> dict[str, Any]:
        kinds = UNIFIED if kind == "unified_job_templates" else (kind,)
        every = [self._shown(one, number) for one in kinds for number in self.objects[one]]
        # Only what is asked for by equality is asked for here.
        results = [item for item in every if all(str(item.get(name)) == value for name, value in query.items())]
        return {"count": len(results), "next": None, "previous": None, "results": results}

    def _create(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        known = FIELDS[kind]
        item = {**known, **{name: value for name, value in body.items() if name not in PASSING}}
        self._check(kind, item)
        number = next(self._ids)
        self.objects[kind][number] = item
        return self._shown(kind, number)

    def _patch(self, kind: str, number: int, body: dict[str, Any]) -> dict[str, Any]:
        before = self.objects[kind][number]
        item = {**before, **{name: value for name, value in body.items() if name not in PASSING}}
        if kind == "credentials":
            item["inputs"] = {
                name: before["inputs"].get(name) if value == MASK else value for name, value in item["inputs"].items()
            }
        self._check(kind, item, number)
        self.objects[kind][number] = item
        return self._shown(kind, number)

    def _check(self, kind: str, item: dict[str, Any], number: int | None = None) -> None:
        said = [f"{name}: no such field of {kind}" for name in item.keys() - FIELDS[kind].keys()]
        for name, places in REFERENCES.items():
            value = item.get(name)
            if value is not None and not any(value in self.objects[place] for place in places):
                said.append(f"{name}: there is no object {value}")
        key = "identifier" if kind == "workflow_job_template_nodes" else "name"
        scope = ["organization", "inventory", "credential_type", "unified_job_template"]
        scope = ["workflow_job_template"] if kind == "workflow_job_template_nodes" else scope
        same = [key, *(name for name in scope if name in item)]
        said += [
            f"{key} {item[key]!r} is taken"
            for other, one in self.objects[kind].items()
            if other != number and all(one.get(name) == item.get(name) for name in same)
        ]
        if kind == "credential_types":
            said += rules.credential_type(item)
        elif kind == "credentials":
            said += rules.credential(item, self.objects["credential_types"][item["credential_type"]])
        elif kind == "schedules":
            said += rules.rrule(item["rrule"])
        elif kind == "job_templates" and not (PROJECT / item["playbook"]).is_file():
            said.append("Playbook not found for project.")
        if said:
            raise RefusedError("; ".join(said))

    def _survey(self, kind: str, number: int, method: str, body: dict[str, Any]) -> dict[str, Any]:
        self.objects[kind][number]
        if method == "POST":
            if said := rules.survey(body):
                raise RefusedError("; ".join(said))
            self.surveys[number] = body
            return {}
        return self.surveys.get(number, {})

    def _approval(self, node: int, body: dict[str, Any]) -> dict[str, Any]:
        made = self._create("workflow_approval_templates", body)
        self.objects["workflow_job_template_nodes"][node]["unified_job_template"] = made["id"]
        return made

    def _association(self, kind: str, number: int, name: str, method: str, body: Any) -> tuple[int, Any]:
        self.objects[kind][number]
        place = ASSOCIATED[name]
        held = self.associated.setdefault((number, name), [])
        if method == "GET":
            results = [self._shown(place, other) for other in held]
            return 200, {"count": len(results), "next": None, "previous": None, "results": results}
        other = int(body["id"])
        if body.get("disassociate"):
            held.remove(other)
            return 204, None
        item = self.objects[place][other]
        if name == "credentials":
            types = [self.objects[place][one]["credential_type"] for one in held]
            if item["credential_type"] in types:
                raise RefusedError("Cannot assign multiple credentials of one type.")
        held.append(other)
        return 204, None

    def _shown(self, kind: str, number: int) -> dict[str, Any]:
        item = json.loads(json.dumps(self.objects[kind][number]))
        if kind == "credentials":
            fields = self.objects["credential_types"][item["credential_type"]]["inputs"].get("fields", [])
            for name in {one["id"] for one in fields if one.get("secret")} & item["inputs"].keys():
                item["inputs"][name] = MASK
        if kind == "notification_templates" and item["notification_configuration"].get("password"):
            item["notification_configuration"]["password"] = MASK
        url = f"{self._prefix}{kind}/{number}/"
        related = {"survey_spec": f"{url}survey_spec/", "update": f"{url}update/"}
        one = item.get("unified_job_template")
        if kind == "workflow_job_template_nodes" and one is not None:
            place = next(
                name
                for name in REFERENCES["unified_job_template"]
                if item["unified_job_template"] in self.objects[name]
            )
            related["unified_job_template"] = f"{self._prefix}{place}/{one}/"
        extra = {"scm_revision": "0" * 40, "status": "successful"} if kind == "projects" else {}
        if kind == "inventory_sources":
            extra["organization"] = self.objects["inventories"][item["inventory"]]["organization"]
        return {
            "id": number,
            "type": TYPES[kind],
            "url": url,
            "related": related,
            "summary_fields": {},
            **item,
            **extra,
        }


class Running:
    """A stand-in that answers on a free port of this machine while the context lasts."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self._server = uvicorn.Server(uvicorn.Config(controller.application(), port=0, log_level="error"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Controller:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.controller.address = f"http://127.0.0.1:{port}"
        return self.controller

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
