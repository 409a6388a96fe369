// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

'use strict';

// A known reason for being down: its message is safe to show, it never holds a secret.
class Fault extends Error {}

module.exports = { Fault };
