# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Who generates a Secret from somewhere else, so that a write by hand does not last, and from which object.

The marks are those that the tools leave (read in their sources): owner references; External Secrets Operator also
labels, and its field manager ``externalsecrets.external-secrets.io/<name>``, which remains where it merges into a
Secret that it does not own.
"""

from __future__ import annotations

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.metadata import managers
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import SecretState
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import ForeignOwner

ESO, VSO, SEALED = "External Secrets Operator", "Vault Secrets Operator", "Sealed Secrets"

# Kind of the owner -> (tool, resource for kubectl)
_KINDS = {
    "ExternalSecret": (ESO, "externalsecrets.external-secrets.io"),
    "ClusterExternalSecret": (ESO, "clusterexternalsecrets.external-secrets.io"),
    "VaultStaticSecret": (VSO, "vaultstaticsecrets.secrets.hashicorp.com"),
    "VaultDynamicSecret": (VSO, "vaultdynamicsecrets.secrets.hashicorp.com"),
    "VaultPKISecret": (VSO, "vaultpkisecrets.secrets.hashicorp.com"),
    "HCPVaultSecretsApp": (VSO, "hcpvaultsecretsapps.secrets.hashicorp.com"),
    "SealedSecret": (SEALED, "sealedsecrets.bitnami.com"),
}
_ESO_MANAGER = "externalsecrets.external-secrets.io/"
_VSO_OWNER = "secrets.hashicorp.com/vso-ownerRefUID"


def generator(state: SecretState) -> ForeignOwner | None:
    """Who generates the Secret and from what; ``None`` if nobody is known to."""
    for reference in state.metadata.get("ownerReferences") or ():
        kind, name = str(reference.get("kind")), str(reference.get("name"))
        if kind in _KINDS:
            return _named(state, kind, name)
    # Who wrote the data, not who once wrote anything: the name stays in managedFields when the tool has gone.
    for manager in managers(state.metadata, ("f:data",)):
        if manager.startswith(_ESO_MANAGER):
            return _named(state, "ExternalSecret", manager.removeprefix(_ESO_MANAGER))
    return _by_marks(state)


def _named(state: SecretState, kind: str, name: str) -> ForeignOwner:
    tool, resource = _KINDS[kind]
    where = "" if kind.startswith("Cluster") else f"-n {state.namespace} "
    shown = name if kind.startswith("Cluster") else f"{state.namespace}/{name}"
    return ForeignOwner(tool, f"{kind} {shown}", f"kubectl {where}get {resource} {name} -o yaml")


def _by_marks(state: SecretState) -> ForeignOwner | None:
    """Marks that tell the tool and not the object: with the command that finds it."""
    every = f"kubectl -n {state.namespace} get"
    target = "with the target"
    if state.labels.get("reconcile.external-secrets.io/managed") == "true":
        resource = _KINDS["ExternalSecret"][1]
        return ForeignOwner(ESO, f"an ExternalSecret {target} {state.name}", f"{every} {resource}")
    if state.labels.get("app.kubernetes.io/managed-by") == "hashicorp-vso" or _VSO_OWNER in state.labels:
        kinds = ",".join(resource.partition(".")[0] for tool, resource in _KINDS.values() if tool == VSO)
        uid = state.labels.get(_VSO_OWNER)
        source = f"the object with uid {uid}" if uid else f"a Vault…Secret {target} {state.name}"
        return ForeignOwner(VSO, source, f"{every} {kinds}")
    if state.annotations.get("sealedsecrets.bitnami.com/managed") == "true":
        return ForeignOwner(
            SEALED, f"SealedSecret {state.namespace}/{state.name}", f"{every} {_KINDS['SealedSecret'][1]} {state.name}"
        )
    return None
