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
  - In check mode it does the same and writes the same file. The file is the report, not something that can drift, so
    writing it is never a change.
extends_documentation_fragment:
  - keybuzz.amazon._attributes
attributes:
  check_mode:
    details:
      - The report file is written in check mode too.
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
      - Where to write the JSON document (format 1.0, see C(docs/schema/drift_report-1.0.schema.json)). It is written
        with mode C(0600). Without it no file is written.
    type: path
  html_path:
    description:
      - Where to write the report as one HTML page, which needs no network and works from a file.
    version_added: 0.3.0
    type: path
  junit_path:
    description:
      - Where to write it as JUnit XML, one test case a check. What could not be checked is an error there.
    version_added: 0.3.0
    type: path
  prometheus_path:
    description:
      - Where to write it for the textfile collector of Prometheus' node exporter (C(*.prom)).
    version_added: 0.3.0
    type: path
  sarif_path:
    description:
      - Where to write insecure settings as SARIF 2.1.0, for code scanning.
    version_added: 0.3.0
    type: path
  history_path:
    description:
      - A file that remembers since when each item is not in sync, how often it came back and who brought it. With it
        the report begins with what has changed since the last one. It is read and written anew by each run, so that
        only one run at a time should use it.
    version_added: 0.3.0
    type: path
  webhook_url:
    description:
      - Address that is told when something has changed since the last report, which O(history_path) knows. It gets
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
        drift: "{{ vault_token_result.drift + backend_access_result.drift }}"
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
  description: What has changed since the last report, in lines; empty without O(history_path).
  type: list
  elements: str
  returned: success
  sample: ["Since 2026-01-11T02:00Z: 2 new, 3 cleared"]
"""

import datetime

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import results, run
from ansible_collections.keybuzz.amazon.plugins.module_utils._secrets import protect


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "environments": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "drift": {"type": "list", "elements": "dict", "default": []},
                    "found": {"type": "list", "elements": "dict", "default": []},
                    "tenants": {"type": "list", "elements": "str", "default": []},
                    "error": {"type": "str"},
                    "git_fragment": {"type": "str"},
                },
            },
            "mode": {"type": "str", "choices": ["audit", "check", "repair"], "default": "audit"},
            "path": {"type": "path"},
            "html_path": {"type": "path"},
            "junit_path": {"type": "path"},
            "prometheus_path": {"type": "path"},
            "sarif_path": {"type": "path"},
            "history_path": {"type": "path"},
            "webhook_url": {
                "type": "str",
                "no_log": True,
                "fallback": (env_fallback, ["KEYBUZZ_WEBHOOK_URL"]),
            },
            "webhook_format": {"type": "str", "choices": ["generic", "slack"], "default": "generic"},
            "webhook_ca_cert": {"type": "path"},
            "ignore": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "id": {"type": "str", "required": True},
                    "environment": {"type": "str", "default": "*"},
                    "owner": {"type": "str", "required": True},
                    "reason": {"type": "str", "required": True},
                    "expires": {"type": "str", "required": True},
                },
            },
            "fail_on": {"type": "str", "choices": ["never", "incomplete", "critical", "any"], "default": "never"},
        },
        supports_check_mode=True,
    )
    try:
        protect(module, [module.params["webhook_url"]])
        report, warnings = run(module.params, datetime.datetime.now(tz=datetime.UTC))
    except KeybuzzError as error:
        module.fail_json(msg=str(error), verdict="error")
    for warning in warnings:
        module.warn(warning)
    answer = results(report)
    if report.fails(module.params["fail_on"]):
        module.fail_json(msg=answer["lines"][-1], changed=False, **answer)
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
