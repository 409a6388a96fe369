// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

'use strict';

// Another company's backend, which shares no name with KeyBuzz's. It is ready when the environment it was given is
// enough to read both Amazon documents over verified TLS; a tenant who is not connected yet does not keep it down.

const http = require('node:http');
const https = require('node:https');

const { ACME_VAULT_URL, ACME_VAULT_SECRET, LWA_ID, LEDGER_HOST, APP_DOCUMENT, TENANT_DOCUMENT, PORT } = process.env;

function status(path) {
  return new Promise((resolve, reject) => {
    const headers = { 'x-vault-token': ACME_VAULT_SECRET };
    const asked = https.get(`${ACME_VAULT_URL}/v1/${path}`, { headers, timeout: 3000 }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.on('error', reject);
  });
}

async function ready() {
  if (!ACME_VAULT_URL || !ACME_VAULT_SECRET || !LWA_ID || !LEDGER_HOST) return false;
  return (await status(APP_DOCUMENT)) === 200 && [200, 404].includes(await status(TENANT_DOCUMENT));
}

http
  .createServer((_request, response) => {
    ready()
      .catch(() => false)
      .then((yes) => response.writeHead(yes ? 200 : 503).end());
  })
  .listen(Number(PORT), '127.0.0.1');
