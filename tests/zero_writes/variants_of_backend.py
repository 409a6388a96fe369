# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What could be written about the backend: its token, its Deployment and ConfigMap, the application's document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.zero_writes.place import Place
from tests.zero_writes.variant import (
    API_NAMESPACE,
    BOTH,
    DEPLOYMENT,
    FLAGGED,
    MORE,
    NAMESPACE,
    OWNED,
    REPAIR,
    SPARE,
    Variant,
)


def vault_token_secret(place: Place) -> Iterator[Variant]:
    base = {
        **place.vault,
        **place.kubernetes,
        "copy_from": {"namespace": API_NAMESPACE},
        "consumers": [{"deployment": DEPLOYMENT}],
        "environment": "lab",
    }
    bootstrap = {"vault_bootstrap_token_file": place.bootstrap_token}
    login = {"auth_mode": "kubernetes", "service_account": DEPLOYMENT, "kubernetes_audience": "vault"}
    for name, given, holders in (
        ("a token of its own", {"strategy": "scoped", "superseded": "keep"}, BOTH),
        ("a token of its own, and the replaced one revoked", {"superseded": "revoke"}, BOTH),
        ("the replaced token revoked, whoever uses it", {"superseded": "revoke", "consumers": []}, BOTH),
        ("policy and token role, by the file of the bootstrap token", bootstrap, REPAIR),
        ("policy and token role, by the bootstrap token", {"vault_bootstrap_token": place.bootstrap_value}, REPAIR),
        ("another policy", {**bootstrap, "policy": 'path "secret/data/x" { capabilities = ["read"] }'}, REPAIR),
        ("a policy for another document", {**bootstrap, "app_path": "keybuzz/elsewhere"}, REPAIR),
        ("a policy for other tenants", {**bootstrap, "tenant_path_pattern": "keybuzz/elsewhere/+"}, REPAIR),
        ("a policy for another mount", {**bootstrap, "vault_mount": "elsewhere"}, REPAIR),
        ("another period", {**bootstrap, "token_period": "72h"}, REPAIR),
        ("another policy and role by name", {**bootstrap, "policy_name": "other", "token_role": "other"}, REPAIR),
        ("the token renewed", {"renew_below": "604799s"}, BOTH),
        ("another place's token", {"strategy": "copy", "compare_with": []}, BOTH),
        ("another place's token, and the replaced one revoked", {"strategy": "copy", "superseded": "revoke"}, BOTH),
        ("the role of a login", {**bootstrap, **login, "superseded": "revoke"}, REPAIR),
        ("another role of a login", {**bootstrap, **login, "kubernetes_auth_role": "other"}, REPAIR),
        ("the token of a backend that logs in", {"auth_mode": "token", "key": "OTHER_TOKEN"}, BOTH),
        ("a Secret that is not there", {"secret": "another-token"}, BOTH),
        ("a Secret of another namespace", {"namespace": API_NAMESPACE, "policy_name": NAMESPACE}, BOTH),
    ):
        yield Variant("vault_token_secret", name, given, base, holders=holders)


def k8s_deployment_env(place: Place) -> Iterator[Variant]:
    address = {"name": "VAULT_ADDR", "value": place.vault_addr}
    env = [address, {"name": "NODE_EXTRA_CA_CERTS", "value": "/etc/vault-ca/ca.crt"}]
    owned = {"env": [*env, {"name": OWNED, "value": "debug"}]}
    mount = {"volume": "vault-ca", "config_map": "vault-ca", "key": "ca.crt", "mount_path": "/etc/vault-ca"}
    restart = {"secret": "vault-token"}
    base = {
        **place.kubernetes,
        "namespace": NAMESPACE,
        "deployment": DEPLOYMENT,
        "container": DEPLOYMENT,
        "env": env,
        "env_from": [{"secret": name} for name in ("keybuzz-backend-db", "vault-token", "amazon-spapi-creds")],
        "config_mounts": [{**mount, "content_file": place.vault_ca, "verify_url": place.vault_addr}],
        "restart_for": [restart],
    }
    backend = {"name": DEPLOYMENT, "namespace": NAMESPACE, "container": DEPLOYMENT}
    several: dict[str, Any] = {"deployment": None, "deployments": [backend, {"name": MORE}]}
    content = {"name": MORE, "key": "ca.crt", "optional": False}
    referred = {"name": "vault-token", "key": "VAULT_TOKEN", "optional": False}
    presented = {**mount, "verify_url": place.vault_addr}
    pinned = {**presented, "content_file": place.vault_ca, "pin_sha256": place.authority_pin}
    for name, given, idle in (
        ("what the backend needs", {"wait": True, "on_foreign_owner": "auto"}, ""),
        ("what the backend needs, without waiting", {"wait": False}, ""),
        ("what the backend needs, with a time to wait", {"wait": True, "wait_timeout": 5.0}, ""),
        ("pods restarted for a token that will change", {"restart_for": [{**restart, "will_change": True}]}, ""),
        (
            "a variable that Argo CD declares, left to it",
            {**owned, "on_foreign_owner": "auto"},
            "Argo CD would write it back",
        ),
        ("a variable that Argo CD declares, with a warning", {**owned, "on_foreign_owner": "warn"}, ""),
        (
            "a variable that Argo CD declares, blocked",
            {**owned, "on_foreign_owner": "block"},
            "Argo CD would write it back",
        ),
        ("a variable that Argo CD declares, by force", {**owned, "on_foreign_owner": "force"}, ""),
        ("a new variable", {"env": [*env, {"name": "NEW", "value": "1"}]}, ""),
        ("a variable from a Secret", {"env": [*env, {"name": "NEW", "secret_key_ref": referred}]}, ""),
        ("a variable from a ConfigMap", {"env": [*env, {"name": "NEW", "config_map_key_ref": content}]}, ""),
        (
            "variables that need not be",
            {
                "env": [
                    *env,
                    {"name": "NEW", "secret_key_ref": {**referred, "optional": True}},
                    {"name": "NEWER", "config_map_key_ref": {**content, "optional": True}},
                ]
            },
            "",
        ),
        ("variables from a ConfigMap", {"env_from": [{"config_map": MORE, "prefix": "CA_"}]}, ""),
        ("variables from a Secret that need not be", {"env_from": [{"secret": "another", "optional": True}]}, ""),
        ("a variable taken away", {"absent": [SPARE]}, ""),
        ("a forbidden value", {"forbidden": [{"name": SPARE, "value": "1"}]}, ""),
        ("a forbidden variable of the container alone", {"forbidden": [{"name": SPARE, "in_env_from": False}]}, ""),
        (
            "a forbidden variable of a Secret",
            {"forbidden": [{"name": "PGPORT", "in_env_from": True}]},
            "what a Secret holds is not edited",
        ),
        ("a forbidden flag", {"forbidden": [{"name": "NODE_OPTIONS", "flags": [FLAGGED]}]}, ""),
        (
            "a file as content of the ConfigMap",
            {"config_mounts": [{**mount, "content_file": place.amazon_ca}]},
            "",
        ),
        ("another content of the ConfigMap", {"config_mounts": [{**mount, "content": "another\n"}]}, ""),
        (
            "content from a ConfigMap",
            {"config_mounts": [{**mount, "content_from": {"config_map": MORE, "key": "ca.crt"}}]},
            "",
        ),
        (
            "content from a Secret of a namespace",
            {
                "config_mounts": [
                    {**mount, "content_from": {"namespace": NAMESPACE, "secret": "vault-token", "key": "VAULT_TOKEN"}}
                ]
            },
            "",
        ),
        (
            "a certificate that Vault presents",
            {"config_mounts": [presented]},
            "it is not trusted just because it is shown",
        ),
        (
            "a certificate that Vault presents, by its fingerprint",
            {"config_mounts": [{**presented, "pin_sha256": place.leaf_pin}]},
            "Node.js trusts authorities, and this is none",
        ),
        ("an authority by its fingerprint", {"config_mounts": [pinned]}, ""),
        (
            "a second mount",
            {"config_mounts": [{**mount, "volume": MORE, "mount_path": "/etc/more", "content": "more\n"}]},
            "",
        ),
        ("several Deployments", several, ""),
    ):
        yield Variant("k8s_deployment_env", name, given, base, idle=idle)


def vault_amazon_app_creds(place: Place) -> Iterator[Variant]:
    connection = {**place.vault, **place.kubernetes, **place.login_with_amazon}
    source = {"namespace": NAMESPACE, "name": "amazon-spapi-creds"}
    pair = {"client_id": place.client_id, "client_secret": place.client_secret}
    rest = {"application_id": "amzn1.sp.solution.other", "redirect_uri": "https://elsewhere.example", "region": "x"}
    for name, given, idle in (
        ("the document from the Secret, proven", {"source_secret": source, "verify": "lwa"}, ""),
        ("the document from the Secret, unproven", {"source_secret": source, "verify": "none"}, ""),
        ("given values, proven", {**pair, **rest}, ""),
        ("given values, unproven", {**pair, **rest, "verify": "none"}, ""),
        ("a secret that Amazon refuses", {**pair, **rest, "client_secret": "wrong"}, "it is not written unproven"),
        ("a secret that Amazon refuses, unproven", {**pair, **rest, "client_secret": "wrong", "verify": "none"}, ""),
        ("keys by other names", {"source_secret": source, "document_keys": {"region": "aws_region"}}, ""),
        (
            "from keys of the Secret by other names",
            {"source_secret": {**source, "keys": {"region": "AMAZON_SPAPI_APPLICATION_ID"}}},
            "",
        ),
        ("the keys alone", {"source_secret": source, "depth": "keys"}, ""),
        ("all of it", {"source_secret": source, "depth": "values"}, ""),
        ("the age of the secret", {"source_secret": source, "client_secret_since": "2020-01-01"}, ""),
    ):
        yield Variant("vault_amazon_app_creds", name, given, connection, idle=idle)
