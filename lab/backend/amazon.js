// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

'use strict';

// Login with Amazon: trades a tenant's refresh token for an access token, and remembers how that went.

const crypto = require('node:crypto');
const fs = require('node:fs');
const { exchange, isTlsError } = require('./exchange');
const { Fault } = require('./fault');

const DEFAULT_URL = 'https://api.amazon.com/auth/o2/token';
// An access token lives an hour; asking six times an hour shows a revoked grant soon enough.
const ANSWERED_MS = 10 * 60 * 1000;
// No answer says nothing about the grant, so it is asked again sooner.
const UNANSWERED_MS = 30 * 1000;

const kept = new Map(); // tenant -> { key, until, fault }

// Distinguishes credentials without keeping them: the map outlives the request.
function keyOf(app, refreshToken) {
  const hash = crypto.createHash('sha256');
  for (const part of [app.client_id, app.client_secret, refreshToken]) {
    hash.update(`${Buffer.byteLength(String(part))}:${part}`);
  }
  return hash.digest('hex');
}

async function ask(env, app, refreshToken) {
  const url = env.AMAZON_LWA_URL || DEFAULT_URL;
  let answer;
  try {
    answer = await exchange(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded;charset=UTF-8',
        'user-agent': 'keybuzz-backend',
      },
      ca: env.AMAZON_CA_FILE ? fs.readFileSync(env.AMAZON_CA_FILE) : undefined,
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        client_id: app.client_id,
        client_secret: app.client_secret,
      }).toString(),
    });
  } catch (error) {
    const what = isTlsError(error) ? "Amazon's TLS certificate is not trusted" : 'Amazon cannot be reached';
    return { fault: `${what}: ${error.code ?? error.message}`, lasts: UNANSWERED_MS };
  }
  if (answer.status === 200 && answer.json?.access_token) return { fault: null, lasts: ANSWERED_MS };
  if (answer.status >= 500 || answer.status === 429) {
    return { fault: `Amazon answers ${answer.status}`, lasts: UNANSWERED_MS };
  }
  const code = /^[a-z_]{1,40}$/.test(answer.json?.error ?? '') ? answer.json.error : `status ${answer.status}`;
  const meaning = {
    invalid_grant: "the seller's authorization is no longer valid",
    invalid_client: "the application's credentials are wrong",
    unauthorized_client: 'the application may not use this authorization',
  }[code];
  return { fault: `Amazon refuses the login: ${code}${meaning ? ` (${meaning})` : ''}`, lasts: ANSWERED_MS };
}

// Resolves when Amazon has granted this token lately; otherwise a Fault with Amazon's own error code.
async function grant(env, tenant, app, refreshToken) {
  const key = keyOf(app, refreshToken);
  let known = kept.get(tenant);
  if (known === undefined || known.key !== key || Date.now() >= known.until) {
    const { fault, lasts } = await ask(env, app, refreshToken);
    known = { key, fault, until: Date.now() + lasts };
    kept.set(tenant, known);
  }
  if (known.fault !== null) throw new Fault(known.fault);
}

module.exports = { grant };
