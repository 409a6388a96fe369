# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's Kubernetes API: which one, its users, and the objects of the healthy world."""

from __future__ import annotations

from lab.cluster.api import Api, ApiError
from lab.cluster.install import install
from lab.cluster.kinds import Choice, Cluster, choose, client, start

__all__ = ["Api", "ApiError", "Choice", "Cluster", "choose", "client", "install", "start"]
