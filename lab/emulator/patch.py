# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three kinds of patch the emulator takes. Pure functions: the object given is never changed."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import jsonpointer

from lab.emulator.errors import bad_request, unprocessable_patch, unsupported_media_type
from lab.emulator.strategic import strategic_merge

Object = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


def apply(item: Object, patch: Any, content_type: str) -> Object:
    """Raises StatusError: 415 for another type, 400 for a patch of the wrong form, 422 for one that fails."""
    if content_type == JSON_PATCH:
        return _json_patch(item, patch)
    if content_type not in (MERGE_PATCH, STRATEGIC_PATCH):
        raise unsupported_media_type()
    if not isinstance(patch, dict):
        raise bad_request("the patch is not a JSON object")
    if content_type == MERGE_PATCH:
        merged: Object = merge(item, patch)
        return merged
    return strategic_merge(item, patch)


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def _json_patch(item: Object, patch: Any) -> Object:
    if not isinstance(patch, list) or not all(isinstance(step, dict) and "op" in step for step in patch):
        raise bad_request("the patch is not a list of operations")
    # kube-apiserver ignores a remove of what is not there no more than RFC 6902 does: all failures are 422.
    try:
        patched: Object = jsonpatch.JsonPatch(patch).apply(item)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError):
        raise unprocessable_patch() from None
    return patched
