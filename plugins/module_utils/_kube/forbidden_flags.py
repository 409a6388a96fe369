# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Forbidden options inside ``NODE_OPTIONS``, and words there that would set a forbidden variable at run time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env import CHECK, explicit, unseen
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.json_patch import ListEdit
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.node_options import (
    NODE_OPTIONS,
    Word,
    unwanted,
    without,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.owners import in_container, named, owner_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.process_env import ProcessEnv, Reached
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired

REASONS: Mapping[str, str] = {
    "--use-openssl-ca": "--use-openssl-ca takes OpenSSL's store instead of the authorities Node.js brings along, so "
    "that whom the backend believes to be Amazon depends on the image",
    "--insecure-http-parser": "--insecure-http-parser accepts malformed HTTP, which lets requests be smuggled",
    "--tls-min-v1.0": "--tls-min-v1.0 allows a version of TLS that is broken",
    "--tls-min-v1.1": "--tls-min-v1.1 allows a version of TLS that is broken",
}


def plan_flags(observed: Observed, desired: Desired, resolved: ProcessEnv) -> tuple[Item, ListEdit] | None:
    """The item ``backend_access/forbidden/NODE_OPTIONS`` and the edit of ``env``; None when nobody asked for it.

    Asked for by an entry of ``forbidden`` with flags. A word that mentions a forbidden variable is found in any case.
    """
    asked = next((one for one in desired.forbidden if one.flags), None)
    names = [one.name for one in desired.forbidden if not one.flags]
    found = resolved.variables.get(NODE_OPTIONS)
    if any(variable.name == NODE_OPTIONS for variable in desired.env):
        return None
    bad = unwanted(found.text or "", asked.flags if asked else (), names) if found else ()
    if asked is None and not bad:
        return None
    item = Item(
        id=f"{CHECK}/forbidden/{NODE_OPTIONS}",
        address=f"{observed.container_address} env {NODE_OPTIONS}",
        check=CHECK,
        severity="critical" if any(name in word.text for word in bad for name in names) else "high",
        status="in_sync",
        before="missing" if found is None else found.state,
        after="missing" if found is None else found.state,
        owner=owner_of(observed.metadata, in_container(observed.container_name, "f:env", named(NODE_OPTIONS))),
    )
    if bad and found is not None:
        return _present(observed, item, found, bad, names)
    problems = unseen(NODE_OPTIONS, observed.env_from, observed.sources) if found is None else ()
    if found is not None and found.text is None and found.state == "unknown":
        problems = (found.problem,)
    if problems:
        reason = f"What the variable holds is not known: {'; '.join(problems)}."
        item = replace(item, status="unknown", before="unknown", reason=reason, hint="Allow get on its source.")
    return item, ListEdit()


def _present(
    observed: Observed, item: Item, found: Reached, bad: tuple[Word, ...], names: list[str]
) -> tuple[Item, ListEdit]:
    shown = [_shown(word, names) for word in bad]
    reasons = dict.fromkeys(_why(word, names) for word in bad)
    item = replace(item, before=f"{', '.join(shown)} ({found.place})", after="without " + ", ".join(shown))
    reason = f"{'; '.join(reasons)}."
    at = explicit(observed.env, NODE_OPTIONS)
    written = str(observed.env[at[-1]].get("value") or "") if at else ""
    ours = [word.text for word in unwanted(written, [word.flag for word in bad], names)]
    if ours != [word.text for word in bad]:  # it comes from a source or a $(NAME), which is not ours to edit
        hint = f"Take it out where it comes {found.place if found.place != 'env' else 'from: another variable'}."
        return replace(item, status="insecure", action="none", after=item.before, reason=reason, hint=hint), ListEdit()
    rest = without(written, unwanted(written, [word.flag for word in bad], names))
    item = replace(item, status="forbidden_present", action="update" if rest else "remove", reason=reason)
    if not rest:
        return item, ListEdit(removed=at)
    return item, ListEdit(replaced={at[0]: {"name": NODE_OPTIONS, "value": rest}}, removed=at[1:])


def _shown(word: Word, names: list[str]) -> str:
    mentioned = next((name for name in names if name in word.text), None)
    return f"a word with {mentioned}" if mentioned else word.flag


def _why(word: Word, names: list[str]) -> str:
    mentioned = next((name for name in names if name in word.text), None)
    if mentioned:
        return f"A word of NODE_OPTIONS mentions {mentioned}: a script can set it while the process runs"
    return REASONS.get(word.flag, f"{word.flag} is forbidden here")
