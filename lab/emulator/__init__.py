# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An emulator of the part of the Kubernetes API that a rollout needs, for machines without Go.

It answers as kube-apiserver 1.36 does, as far as tests/lab/test_kubernetes_contract.py and its neighbours go: the
same files run on both. What it leaves out is refused, never guessed at: server-side apply and protobuf bodies
(kubectl's typed commands, as ``kubectl create secret``) answer 415. kubectl's get, apply --validate=false, patch,
set env, delete and rollout work.
"""
