#!/usr/bin/env bash
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# A broken lab is audited, repaired, and audited again, by the playbooks of the installed collection.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)
export LAB_DIR="$OUTPUT_DIR/lab"
lab() { (cd "$root" && python -m lab "$@"); }
play() {
  ansible-playbook "keybuzz.amazon.$1" -i "$root/inventories/lab" -e tenant=ecomlg-001 \
    -e "drift_report_directory=$OUTPUT_DIR" "${@:2}"
}

trap 'lab down' EXIT
lab up
lab break all
if play audit_amazon "$@"; then
  echo "the audit has not seen what is broken" >&2
  exit 1
fi
play repair_amazon "$@"
play audit_amazon "$@"
