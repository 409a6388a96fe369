#!/usr/bin/python
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drift_report
short_description: Report what was checked in every environment, and decide
version_added: 0.1.0
author:
  - KeyBuzz (@keybuzz)
description:
  - Collects the drift items of all steps and environments, shows them as a table, writes them as one JSON document and
    ends with the verdict.
  - The verdict is V(in_sync) only when every check was made and nothing differs. What could not be checked makes it
    V(incomplete), a failed check V(error).
  - In check mode it does the same and writes the same files and the same history. They are the report, not something
    that can drift, so writing them is never a change.
extends_documentation_fragment:
  - keybuzz.amazon._attributes
  - keybuzz.amazon._postgresql
attributes:
  check_mode:
    details:
      - The report's files are written in check mode too, and its history with them, be it a file or a table.
  diff_mode:
    support: none
    details:
      - Nothing is changed, so there is no difference to show.
options:
  environments:
    description:
      - What was looked at, one entry for each environment.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the environment, usually C(inventory_hostname).
        type: str
        required: true
      drift:
        description:
          - The RV(ignore:drift) lists of the collection's modules, one after the other, of the last look.
        type: list
        elements: dict
        default: []
      items_path:
        description:
          - A file with more items of the same look, as M(keybuzz.amazon.amazon_integration_info) writes it for
            thousands of tenants. It has one item a line as JSON, in the form of RV(ignore:drift), and a last line that
            says how many there are.
          - It is read as a stream. What is not clean is listed as if it was in O(environments[].drift), what is clean
            is only counted.
          - A file that cannot be read, ends without its last line, has another number of items, or a line that is no
            item, makes the verdict of the environment V(error) and hides no other environment.
        version_added: 0.3.0
        type: path
      found:
        description:
          - The same lists from before a repair. With them and O(mode=repair) the table says what was found, what was
            done and what is there now.
        type: list
        elements: dict
        default: []
      tenants:
        description:
          - The tenants that were looked at.
        type: list
        elements: str
        default: []
      error:
        description:
          - Why this environment was not finished. Makes its verdict V(error).
        type: str
      git_fragment:
        description:
          - YAML that makes the repair permanent where the Deployment is declared, as
            M(keybuzz.amazon.k8s_deployment_env) returns it. It is put into the document, and shown where a tool such as
            Argo CD, Flux or Helm applies what differs.
        type: str
  mode:
    description:
      - What the run was, for the title.
    type: str
    choices: [audit, check, repair]
    default: audit
  path:
    description:
      - Where to write the JSON document (format 1.2, see C(docs/schema/drift_report-1.0.schema.json)). It is written
        with mode C(0600), as the other files are. Without it there is no JSON document.
    type: path
  html_path:
    description:
      - Where to write the report as one HTML page, which needs no network and works from a file. It lists at most
        50,000 items, and says so where there are more.
    version_added: 0.3.0
    type: path
  junit_path:
    description:
      - Where to write it as JUnit XML, one test case a check. What could not be checked is an error there.
    version_added: 0.3.0
    type: path
  prometheus_path:
    description:
      - Where to write it for the textfile collector of Prometheus' node exporter (C(*.prom)), which often is another
        user, so that the mode is C(0644). No series names a tenant.
        Of more than 100 environments those that are called C(TENANT@ENVIRONMENT) are told by what is behind the C(@),
        and what is still more than 100 environments or 50 checks shares the value C(other).
    version_added: 0.3.0
    type: path
  sarif_path:
    description:
      - Where to write insecure settings as SARIF 2.1.0, for code scanning.
    version_added: 0.3.0
    type: path
  repair_path:
    description:
      - File for O(repair_text), readable by everybody.
    type: path
    version_added: 0.3.0
  repair_text:
    description:
      - What a repair has done, in the words of whoever calls. The role hands over its report for the infrastructure
        repository, so that this takes no task of its own.
    type: str
    version_added: 0.3.0
  history_path:
    description:
      - A file that remembers since when each item is not in sync, how often it came back and who brought it. With it
        the report begins with what has changed since the last one. It is read and written anew by each run, so that
        only one run at a time should use it.
      - Mutually exclusive with O(history_table).
    version_added: 0.3.0
    type: path
  history_table:
    description:
      - A table in PostgreSQL, C(table) or C(schema.table), that remembers the same as O(history_path). It is locked
        while a report is made, so that several may be made at once and from several hosts. A second one waits up to two
        minutes.
      - Needs O(pg_host), O(pg_dbname) and O(pg_user), and C(SELECT), C(INSERT), C(UPDATE) and C(DELETE) on the table.
    version_added: 0.3.0
    type: str
  history_manage_schema:
    description:
      - Whether the table of O(history_table) is created if it is missing. Otherwise that is an error, with the
        statement to run.
    version_added: 0.3.0
    type: bool
    default: false
  pg_host:
    required: false
    version_added: 0.3.0
  pg_port:
    version_added: 0.3.0
  pg_dbname:
    required: false
    version_added: 0.3.0
  pg_user:
    required: false
    version_added: 0.3.0
  pg_password:
    version_added: 0.3.0
  pg_passfile:
    version_added: 0.3.0
  pg_sslmode:
    version_added: 0.3.0
  pg_sslrootcert:
    version_added: 0.3.0
  pg_connect_timeout:
    version_added: 0.3.0
  webhook_url:
    description:
      - Address that is told when something has changed since the last report, which O(history_path) or
        O(history_table) knows. It gets
        verdicts and counts, never a value of an item. A notification that does not arrive is a warning.
      - The address is a secret, so let it come from the variable E(KEYBUZZ_WEBHOOK_URL) of the environment. Without the
        option that variable is read.
    version_added: 0.3.0
    type: str
  webhook_format:
    description:
      - V(generic) is the head of the JSON document, V(slack) a text for Slack's incoming webhooks.
    version_added: 0.3.0
    type: str
    choices: [generic, slack]
    default: generic
  webhook_ca_cert:
    description:
      - PEM file with the authorities that may sign the certificate there. By default those of the Python installation.
    version_added: 0.3.0
    type: path
  ignore:
    description:
      - Drift that somebody answers for until a day. Such items are listed and counted as V(ignored), and fail nothing.
      - What could not be checked is never ignored. An expired rule has no effect and is named.
    version_added: 0.3.0
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description:
          - Pattern for the items' ids, with C(*) and C(?).
        type: str
        required: true
      environment:
        description:
          - Pattern for the environments' names.
        type: str
        default: "*"
      owner:
        description:
          - Who answers for it.
        type: str
        required: true
      reason:
        description:
          - Why it is let be.
        type: str
        required: true
      expires:
        description:
          - Last day on which the rule holds, in UTC (ISO 8601).
        type: str
        required: true
  fail_on:
    description:
      - V(never) never fails the task.
      - V(incomplete) fails it only when something could not be checked or a check failed.
      - V(critical) fails it for that, and for critical items.
      - V(any) fails it for that, and for any item that is not in sync.
    type: str
    choices: [never, incomplete, critical, any]
    default: never
"""

EXAMPLES = r"""
- name: Look
  keybuzz.amazon.amazon_integration_info:
    vault_token_secret:
      namespace: keybuzz-backend-dev
  register: found

- name: Report over all environments
  keybuzz.amazon.drift_report:
    mode: audit
    path: reports/drift_report.json
    html_path: reports/drift_report.html
    history_path: reports/drift_history.jsonl
    fail_on: any
    ignore:
      - id: backend_access/env/LOG_*
        owner: platform team
        reason: raised for the migration
        expires: "2026-12-31"
    environments:
      - name: staging
        tenants: [ecomlg-001]
        drift: "{{ found.drift }}"
  run_once: true

- name: Report over ten thousand tenants, with a history that several hosts share
  keybuzz.amazon.drift_report:
    path: reports/drift_report.json
    html_path: reports/drift_report.html
    history_table: drift_report.history
    history_manage_schema: true
    pg_host: postgres.example.com
    pg_dbname: keybuzz
    pg_user: drift_report
    pg_passfile: /run/secrets/pgpass
    pg_sslrootcert: /etc/ssl/certs/platform.pem
    environments:
      - name: prod
        drift: "{{ found.drift }}"
        items_path: reports/prod.jsonl
  run_once: true
"""

RETURN = r"""
verdict:
  description: The worst verdict of all environments.
  type: str
  returned: always
  choices: [in_sync, drift, incomplete, error]
  sample: drift
counts:
  description: How many items there are, by status and severity.
  type: dict
  returned: success
  sample: {items: 12, drift: 1, unchecked: 0, by_status: {in_sync: 11, missing: 1}, by_severity: {high: 1}}
environments:
  description: The verdict of each environment.
  type: dict
  returned: success
  sample: {staging: drift}
verdict_line:
  description: The verdict as a sentence.
  type: str
  returned: success
  sample: "VERDICT  drift: what differs is listed above."
fails_on:
  description: The values of O(fail_on) that make such a report fail.
  type: list
  elements: str
  returned: success
  sample: [any]
since_last:
  description: What has changed since the last report, in lines; empty without O(history_path) or O(history_table).
  type: list
  elements: str
  returned: success
  sample: ["Since 2026-01-11T02:00Z: 2 new, 3 cleared"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import answer
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.drift_report import OPTIONS, RULES


def main() -> None:
    answer(AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True, **RULES))


if __name__ == "__main__":
    main()
