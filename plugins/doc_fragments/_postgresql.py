# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - psycopg2-binary >= 2.9.9
options:
  pg_host:
    description:
      - Host name of the PostgreSQL server.
      - Falls back to the environment variable E(PGHOST).
    type: str
    required: true
  pg_port:
    description:
      - Port of the PostgreSQL server.
      - Falls back to the environment variable E(PGPORT).
    type: int
    default: 5432
  pg_dbname:
    description:
      - Name of the database.
      - Falls back to the environment variable E(PGDATABASE).
    type: str
    required: true
  pg_user:
    description:
      - Role to log in as.
      - Falls back to the environment variable E(PGUSER).
    type: str
    required: true
  pg_password:
    description:
      - Password of the role. Prefer O(pg_passfile), which never passes through Ansible.
      - Falls back to the environment variable E(PGPASSWORD).
    type: str
  pg_passfile:
    description:
      - Password file in libpq's format.
      - Falls back to the environment variable E(PGPASSFILE).
    type: path
  pg_sslmode:
    description:
      - As libpq's C(sslmode). Anything below V(verify-full) lets somebody in between read the password; the module then
        says so in a warning.
      - Falls back to the environment variable E(PGSSLMODE).
    type: str
    default: verify-full
    choices: [verify-full, verify-ca, require, prefer, allow, disable]
  pg_sslrootcert:
    description:
      - PEM file with the authorities that may sign the server's certificate.
      - Falls back to the environment variable E(PGSSLROOTCERT).
    type: path
  pg_connect_timeout:
    description:
      - Seconds to wait for a connection.
      - Falls back to the environment variable E(PGCONNECT_TIMEOUT).
    type: int
    default: 10
"""
