# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# vault_bootstrap_token_file: writes the policy and the token role, once.
#
# Adapt the mount, the paths and keybuzz-backend-dev to your own names.
# vault policy write keybuzz-bootstrap vault-bootstrap.hcl
path "sys/policies/acl/keybuzz-backend-dev" { capabilities = ["create", "update", "read"] }
path "auth/token/roles/keybuzz-backend-dev" { capabilities = ["create", "update", "read"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "sys/capabilities-self" { capabilities = ["update"] }
