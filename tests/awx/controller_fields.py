# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of an AWX's objects that awx.awx writes, with what AWX answers where nobody set them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ASKS = [
    "diff_mode",
    "variables",
    "limit",
    "tags",
    "skip_tags",
    "job_type",
    "verbosity",
    "inventory",
    "credential",
    "execution_environment",
    "forks",
    "instance_groups",
    "job_slice_count",
    "labels",
    "timeout",
    "scm_branch",
]
PROMPTS: Mapping[str, Any] = {
    "extra_data": {},
    "inventory": None,
    "scm_branch": None,
    "job_type": None,
    "job_tags": None,
    "skip_tags": None,
    "limit": None,
    "diff_mode": None,
    "verbosity": None,
    "execution_environment": None,
    "forks": None,
    "job_slice_count": None,
    "timeout": None,
}
NAMED: Mapping[str, Any] = {"name": "", "description": ""}

FIELDS: Mapping[str, Mapping[str, Any]] = {
    "organizations": {**NAMED, "max_hosts": 0, "default_environment": None},
    "labels": {"name": "", "organization": None},
    "execution_environments": {**NAMED, "organization": None, "image": "", "credential": None, "pull": ""},
    "notification_templates": {
        **NAMED,
        "organization": None,
        "notification_type": "",
        "notification_configuration": {},
        "messages": None,
    },
    "credential_types": {**NAMED, "kind": "", "managed": False, "inputs": {}, "injectors": {}},
    "credentials": {**NAMED, "organization": None, "credential_type": None, "inputs": {}},
    "projects": {
        **NAMED,
        "organization": None,
        "default_environment": None,
        "credential": None,
        "scm_type": "",
        "scm_url": "",
        "scm_branch": "",
        "scm_refspec": "",
        "scm_clean": False,
        "scm_track_submodules": False,
        "scm_delete_on_update": False,
        "scm_update_on_launch": False,
        "scm_update_cache_timeout": 0,
        "allow_override": False,
        "timeout": 0,
    },
    "inventories": {
        **NAMED,
        "organization": None,
        "kind": "",
        "host_filter": None,
        "variables": "",
        "prevent_instance_group_fallback": False,
    },
    "hosts": {**NAMED, "inventory": None, "enabled": True, "variables": ""},
    "inventory_sources": {
        **NAMED,
        "inventory": None,
        "source": "",
        "source_path": "",
        "source_vars": "",
        "source_project": None,
        "credential": None,
        "execution_environment": None,
        "overwrite": False,
        "overwrite_vars": False,
        "update_on_launch": False,
        "update_cache_timeout": 0,
        "timeout": 0,
        "verbosity": 1,
        "enabled_var": "",
        "enabled_value": "",
        "host_filter": "",
        "scm_branch": "",
        "limit": "",
    },
    "job_templates": {
        **NAMED,
        "organization": None,
        "job_type": "run",
        "inventory": None,
        "project": None,
        "playbook": "",
        "scm_branch": "",
        "execution_environment": None,
        "forks": 0,
        "limit": "",
        "verbosity": 0,
        "extra_vars": "",
        "job_tags": "",
        "skip_tags": "",
        "start_at_task": "",
        "force_handlers": False,
        "timeout": 0,
        "use_fact_cache": False,
        "survey_enabled": False,
        "become_enabled": False,
        "diff_mode": False,
        "allow_simultaneous": False,
        "job_slice_count": 1,
        "webhook_service": "",
        "webhook_credential": None,
        **{f"ask_{name}_on_launch": False for name in ASKS},
    },
    "workflow_job_templates": {
        **NAMED,
        "organization": None,
        "inventory": None,
        "extra_vars": "",
        "limit": None,
        "scm_branch": None,
        "survey_enabled": False,
        "allow_simultaneous": False,
        **{f"ask_{name}_on_launch": False for name in ASKS},
    },
    "workflow_job_template_nodes": {
        **PROMPTS,
        "identifier": "",
        "workflow_job_template": None,
        "unified_job_template": None,
        "all_parents_must_converge": False,
    },
    "workflow_approval_templates": {**NAMED, "timeout": 0},
    "schedules": {**NAMED, **PROMPTS, "rrule": "", "unified_job_template": None, "enabled": True},
}
TYPES = {name: name.removesuffix("s") for name in FIELDS} | {"inventories": "inventory"}
UNIFIED = ("job_templates", "workflow_job_templates", "projects", "inventory_sources")
"""What a schedule or a node can run."""
REFERENCES = {
    "organization": ("organizations",),
    "inventory": ("inventories",),
    "project": ("projects",),
    "source_project": ("projects",),
    "credential": ("credentials",),
    "credential_type": ("credential_types",),
    "execution_environment": ("execution_environments",),
    "default_environment": ("execution_environments",),
    "workflow_job_template": ("workflow_job_templates",),
    "unified_job_template": (*UNIFIED, "workflow_approval_templates"),
}
ASSOCIATED = {
    "credentials": "credentials",
    "labels": "labels",
    **{
        f"notification_templates_{event}": "notification_templates"
        for event in ("started", "success", "error", "approvals")
    },
    **{f"{edge}_nodes": "workflow_job_template_nodes" for edge in ("success", "failure", "always")},
}
