# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulator of the parts of Amazon that the collection talks to.

Login with Amazon (LWA), the Seller Central consent page, Sellers, Orders 2026-01-01, Orders v0 and Reports, with
Amazon's usage plans, request rules and error bodies. Tests reach behind the curtain through a second,
loopback-only port: see :mod:`lab.amazon.control`.
"""

from __future__ import annotations
