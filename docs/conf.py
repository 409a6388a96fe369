# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the documentation site; ``make docs`` builds it."""

from __future__ import annotations

project = "keybuzz.amazon"
author = "KeyBuzz"
project_copyright = "2026, KeyBuzz"
html_title = "keybuzz.amazon"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "furo"
# No page asks another host for anything.
html_theme_options = {"source_repository": "https://github.com/keybuzz/keybuzz.amazon", "source_branch": "main"}
myst_heading_anchors = 4
exclude_patterns = ["terminal"]
# Labels of Ansible's own documentation, in the generated reference: it is not fetched. Links between pages are checked.
suppress_warnings = ["ref.ref", "ref.envvar"]
