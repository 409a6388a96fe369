# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# An auditor with vault_depth: keys: sees which keys the documents have, and can read no secret.
#
# Adapt the mount, the paths and keybuzz-backend-dev to your own names.
# vault policy write keybuzz-audit-keys vault-audit-keys.hcl
path "sys/policies/acl/keybuzz-backend-dev" { capabilities = ["read"] }
path "auth/token/roles/keybuzz-backend-dev" { capabilities = ["read"] }
path "auth/token/lookup-accessor" { capabilities = ["update"] }
path "auth/token/lookup" { capabilities = ["update"] }
path "sys/mounts/auth/token/tune" { capabilities = ["read"] }
path "secret/metadata/keybuzz/amazon_spapi/app" { capabilities = ["read"] }
path "secret/subkeys/keybuzz/amazon_spapi/app" { capabilities = ["read"] }
path "secret/metadata/keybuzz/tenants/+/amazon_spapi" { capabilities = ["read"] }
path "secret/subkeys/keybuzz/tenants/+/amazon_spapi" { capabilities = ["read"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "sys/capabilities-self" { capabilities = ["update"] }
