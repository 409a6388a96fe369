# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seller Central's consent page: the seller is asked, agrees, and is sent back with a code.

Amazon's website authorisation workflow: ``application_id`` and ``state`` are required, ``redirect_uri``
must be the registered one, ``version=beta`` is for an application that is still a draft. The answer goes
to the redirect URI with ``state``, ``selling_partner_id`` and ``spapi_oauth_code``.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from lab.amazon.answers import Answer
from lab.amazon.config import Seller
from lab.amazon.gateway import form_of, record
from lab.amazon.world import World

PATH = "/apps/authorize/consent"
FIELDS = ("application_id", "state", "redirect_uri", "version")

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Authorize {application}</title></head>
<body><h1>Amazon Seller Central (simulated)</h1>
<p>Application <code>{application}</code> asks for access to your orders. Who are you?</p>
{forms}</body></html>
"""
FORM = """<form method="post" action="{path}">{hidden}
<button name="selling_partner_id" value="{seller_id}">Authorize as {seller_id} ({tenant})</button></form>
"""


def refusal(world: World, asked: Mapping[str, str]) -> str | None:
    """Why a request for consent is refused, or None."""
    if asked.get("application_id") != world.config.application_id:
        return "The application_id is not that of a registered application."
    if not asked.get("state"):
        return "The state parameter is missing."
    if asked.get("redirect_uri", world.config.redirect_uri) != world.config.redirect_uri:
        return "The redirect_uri is not registered for this application."
    if asked.get("version", "beta") != "beta":
        return "The version can only be beta."
    return None


def answer_uri(world: World, seller: Seller, state: str, redirect_uri: str | None) -> tuple[str, str]:
    """Consents: the URI the browser is sent to, and the code in it."""
    code = world.grants.consent(seller, redirect_uri)
    target = redirect_uri or world.config.redirect_uri
    query = urlencode({"state": state, "selling_partner_id": seller.seller_id, "spapi_oauth_code": code})
    return f"{target}{'&' if '?' in target else '?'}{query}", code


def _refused(why: str) -> Response:
    return HTMLResponse(f"<!doctype html><title>Error</title><h1>Error</h1><p>{escape(why)}</p>\n", 400)


def routes(world: World) -> list[Route]:
    """The page and its button."""

    def log(request: Request, status: int, asked: dict[str, str], seller: Seller | None) -> None:
        record(world, request, "consent", asked, Answer(status, b""), seller=seller, fault=None)

    async def ask(request: Request) -> Response:
        asked = {name: value for name, value in request.query_params.items() if name in FIELDS}
        why = refusal(world, asked)
        log(request, 400 if why else 200, asked, None)
        if why:
            return _refused(why)
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in asked.items()
        )
        forms = "".join(
            FORM.format(path=PATH, hidden=hidden, seller_id=escape(seller.seller_id), tenant=escape(seller.tenant))
            for seller in world.config.sellers
        )
        page = PAGE.format(application=escape(asked["application_id"]), forms=forms)
        return HTMLResponse(page, headers={"Referrer-Policy": "no-referrer"})

    async def agree(request: Request) -> Response:
        form = await form_of(request)
        seller_id = form.pop("selling_partner_id", "")
        seller = next((one for one in world.config.sellers if one.seller_id == seller_id), None)
        why = refusal(world, form) or (None if seller else "There is no such selling partner.")
        log(request, 400 if why else 302, form, seller)
        if why or seller is None:
            return _refused(why or "")
        target, _code = answer_uri(world, seller, form["state"], form.get("redirect_uri"))
        return RedirectResponse(target, 302, headers={"Referrer-Policy": "no-referrer"})

    return [Route(PATH, ask, methods=["GET"]), Route(PATH, agree, methods=["POST"])]
