#!/usr/bin/env bash
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The demonstration: a broken integration is found, repaired and proven. Leaves the lab up.
set -euo pipefail

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
type_and_run() { printf '$ %s\n' "$*"; "$@"; }

scratch_files() {
  # Ansible keeps its scratch files in the home folder. Where that cannot be written, the project's own serves.
  if ! mkdir -p ~/.ansible/tmp 2>/dev/null || [ ! -w ~/.ansible/tmp ]; then
    export ANSIBLE_HOME=$PWD/.ansible ANSIBLE_REMOTE_TMP=$PWD/.ansible/tmp
    echo "The home folder cannot be written; ansible's scratch files go to $ANSIBLE_HOME."
    echo "In your own shell: export ANSIBLE_HOME='$ANSIBLE_HOME' ANSIBLE_REMOTE_TMP='$ANSIBLE_REMOTE_TMP'"
  fi
}

audit() {
  rm -f drift_report.html # so that the page which is named at the end is that of the last audit
  type_and_run ansible-playbook audit_amazon.yml -e tenant=ecomlg-001
}

# What to try, and as the last lines the page of the last audit: its path and the address that a browser opens.
what_next() {
  local page=$PWD/drift_report.html
  cat <<'NEXT'
  . .venv/bin/activate
  python -m lab break tls-trust                                     break one piece (python -m lab status lists them)
  ansible-playbook repair_amazon.yml -e tenant=ecomlg-001 --check --diff     see the drift, write nothing
  ansible-playbook repair_amazon.yml -e tenant=ecomlg-001           repair it
  ansible-playbook repair_amazon.yml -e tenant=ecomlg-001 -i inventories/as-reported     the hand repair, and why not
  cat repair_report.md                                              the report of the last repair
  make down                                                         end the lab
NEXT
  if [ ! -s "$page" ]; then
    echo "The audit wrote no page to $page. That is a fault of the collection." >&2
    return 1
  fi
  printf '\nThe last audit as a page:\n  %s\n  ' "$page"
  python -c 'import pathlib, sys; print(pathlib.Path(sys.argv[1]).as_uri())' "$page"
}

demo() {
  local started=$SECONDS
  scratch_files
  say "1. The lab: OpenBao, PostgreSQL, Kubernetes, Amazon (simulated) and the backend"
  type_and_run python -m lab up
  say "2. The morning of 2026-01-12: everything is broken"
  type_and_run python -m lab break all
  say "3. Audit: what is wrong (it fails on drift, and writes nothing)"
  local audited=0
  audit || audited=$?
  case $audited in
    2) ;; # a failed task: drift
    0)
      echo "The audit of a broken lab reported no drift. That is a fault of the collection." >&2
      exit 1
      ;;
    *)
      echo "The audit could not be made: ansible-playbook ended with $audited (see above)." >&2
      exit "$audited"
      ;;
  esac
  say "4. Repair"
  type_and_run ansible-playbook repair_amazon.yml -e tenant=ecomlg-001
  say "5. Audit again: in sync"
  audit
  say "6. What the backend says"
  type_and_run python -m lab backend
  say "Done in $((SECONDS - started)) s. The lab is still up. What to try next:"
  what_next
}

demo
