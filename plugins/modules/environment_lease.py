#!/usr/bin/python
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_lease
short_description: Let one repair at a time work on an environment
version_added: 0.2.0
author:
  - KeyBuzz (@keybuzz)
description:
  - Takes, renews and gives back a Lease (C(coordination.k8s.io/v1)) in the namespace of the backend, so that a second
    repair waits or refuses, and says who is at work, since when, and until when at most.
  - A Lease whose holder died ends by itself after O(duration). The next run then takes it over and counts that in
    C(leaseTransitions).
  - The API server decides every race, by creation and by C(resourceVersion). Its clock decides what has expired, so
    that the clocks of the machines that run playbooks do not matter.
  - Taking, renewing and giving back a Lease is bookkeeping of a run, not a change of the environment, so C(changed) is
    always V(false).
  - In check mode nothing is taken or written; the module tells who holds the Lease.
  - Needs C(get) and C(update) on the Lease by name, and C(create) on leases, which cannot be limited to a name.
  - With O(state=held) it fails if the Lease is still somebody else's after O(wait). With O(state=renewed) it fails if
    it is not this run's any more.
options:
  namespace:
    description: Namespace of the Lease. It has to exist.
    type: str
    required: true
  name:
    description: Name of the Lease. Runs that must not meet use the same one.
    type: str
    default: keybuzz-amazon-repair
  state:
    description:
      - With V(held), take the Lease, or renew it if O(holder) has it already.
      - With V(renewed), extend a Lease that this run holds, and fail if somebody else has taken it over meanwhile. A
        repair does this between its steps, and stops when it fails.
      - With V(released), give it back. The object stays, without a holder. A Lease of somebody else is left alone, with
        a warning.
    type: str
    choices: [held, renewed, released]
    default: held
  holder:
    description:
      - Identity of this run, for example a random one that the playbook draws once. It is compared as it stands, so two
        runs must not share it.
    type: str
    required: true
  description:
    description:
      - Who that is, for people. By default user and host of this task, and the number of the job in AWX.
    type: str
  duration:
    description:
      - Seconds after which the Lease ends unless it is renewed. Longer than the longest step between two renewals,
        which is usually the wait for a rollout.
    type: int
    default: 900
  wait:
    description:
      - Seconds to wait for somebody else's Lease to end. By default the module refuses at once.
    type: float
    default: 0.0
attributes:
  check_mode:
    description: Tells who holds the Lease, and takes nothing.
  diff_mode:
    support: none
    description: There is nothing to compare.
  idempotent:
    description: Taking a Lease again renews it.
extends_documentation_fragment:
  - keybuzz.amazon._attributes
  - keybuzz.amazon._kubernetes
seealso:
  - module: keybuzz.amazon.k8s_deployment_env
  - name: Leases
    description: What the object means in Kubernetes.
    link: https://kubernetes.io/docs/concepts/architecture/leases/
"""

EXAMPLES = r"""
- name: One repair at a time
  vars:
    run_id: "{{ lookup('ansible.builtin.password', '/dev/null', length=16, chars=['hexdigits']) }}"
  block:
    - name: Draw an identity for this run
      ansible.builtin.set_fact:
        lease_holder: "{{ run_id }}"

    - name: Wait up to a minute for another repair to end
      keybuzz.amazon.environment_lease:
        namespace: keybuzz-backend-dev
        holder: "{{ lease_holder }}"
        wait: 60

    - name: Go on only while the Lease is still this run's
      keybuzz.amazon.environment_lease:
        namespace: keybuzz-backend-dev
        holder: "{{ lease_holder }}"
        state: renewed
  always:
    - name: Give it back
      keybuzz.amazon.environment_lease:
        namespace: keybuzz-backend-dev
        holder: "{{ lease_holder }}"
        state: released
      when: lease_holder is defined

- name: Who is repairing this environment?
  keybuzz.amazon.environment_lease:
    namespace: keybuzz-backend-dev
    holder: nobody-in-particular
  check_mode: true
  register: repairing
"""

RETURN = r"""
lease:
  description:
    - The Lease after the run. Times are the API server's, in UTC.
  returned: always, unless the API server could not be asked
  type: dict
  contains:
    namespace:
      description: Where it is.
      returned: always
      type: str
    name:
      description: Its name.
      returned: always
      type: str
    exists:
      description: Whether there is such an object.
      returned: always
      type: bool
    standing:
      description: V(free), V(mine) (O(holder) holds it), V(expired) or V(held) (by somebody else).
      returned: always
      type: str
    holder:
      description: Who holds it.
      returned: always
      type: str
    description:
      description: Who that is, in words.
      returned: always
      type: str
    acquired_at:
      description: Since when.
      returned: always
      type: str
    renewed_at:
      description: When it was last renewed.
      returned: always
      type: str
    expires_at:
      description: When it ends unless it is renewed.
      returned: always
      type: str
    transitions:
      description: How often it has changed hands.
      returned: always
      type: int
    checked_at:
      description: The API server's time when it was looked at.
      returned: always
      type: str
    written:
      description: V(none), V(taken), V(taken_over) (from a holder that had expired), V(renewed) or V(released).
      returned: always
      type: str
  sample:
    namespace: keybuzz-backend-dev
    name: keybuzz-amazon-repair
    exists: true
    standing: mine
    holder: 9f86d081884c7d65
    description: ops@bastion-1
    acquired_at: "2026-01-12T12:00:00Z"
    renewed_at: "2026-01-12T12:00:00Z"
    expires_at: "2026-01-12T12:15:00Z"
    transitions: 3
    checked_at: "2026-01-12T12:00:00Z"
    written: taken
drift:
  description: One item of severity V(info); V(blocked) or V(stale) when the module fails.
  returned: always
  type: list
  elements: dict
  sample:
    - id: environment_lease/holder
      address: Lease keybuzz-backend-dev/keybuzz-amazon-repair
      check: environment_lease
      severity: info
      status: in_sync
      action: none
      before: held by ops@bastion-1 (9f86d081884c7d65)
      after: held by ops@bastion-1 (9f86d081884c7d65)
remaining:
  description: The same item.
  returned: always
  type: list
  elements: dict
  sample: []
verdict:
  description: V(in_sync), or V(incomplete) or V(drift) when the module fails.
  returned: always
  type: str
  sample: in_sync
repair_allowed:
  description: In check mode, whether the caller may do what is asked; null when there is nothing to do.
  returned: always
  type: bool
  sample: true
missing_permissions:
  description: In check mode, what the caller may not do and would need.
  returned: always
  type: list
  elements: str
  sample: [create leases.coordination.k8s.io keybuzz-backend-dev/keybuzz-amazon-repair]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import argument_spec, run_module
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import connect
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.environment_lease import run, wanted
from ansible_collections.keybuzz.amazon.plugins.module_utils._options import KUBERNETES


def main():
    module = AnsibleModule(
        argument_spec=argument_spec(
            KUBERNETES,
            namespace={"type": "str", "required": True},
            name={"type": "str", "default": "keybuzz-amazon-repair"},
            state={"type": "str", "choices": ["held", "renewed", "released"], "default": "held"},
            holder={"type": "str", "required": True},
            description={"type": "str"},
            duration={"type": "int", "default": 900},
            wait={"type": "float", "default": 0.0},
        ),
        supports_check_mode=True,
    )
    run_module(
        module,
        "environment_lease",
        lambda protect: run(connect(module.params, protect), wanted(module.params), check_mode=module.check_mode),
    )


if __name__ == "__main__":
    main()
