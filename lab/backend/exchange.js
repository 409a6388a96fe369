// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

'use strict';

// One HTTP exchange without any package. TLS is Node's own default unless `ca` is given, so that
// NODE_EXTRA_CA_CERTS and NODE_TLS_REJECT_UNAUTHORIZED do here what they do in any Node.js program.

const http = require('node:http');
const https = require('node:https');

const TIMEOUT_MS = 5000;
const LONGEST_ANSWER = 1024 * 1024; // bytes

function exchange(address, { method = 'GET', headers = {}, body, ca } = {}) {
  const url = new URL(address);
  const library = url.protocol === 'http:' ? http : https;
  return new Promise((resolve, reject) => {
    const request = library.request(url, { method, headers, ca, timeout: TIMEOUT_MS }, (response) => {
      const parts = [];
      let size = 0;
      response.on('data', (part) => {
        size += part.length;
        if (size > LONGEST_ANSWER) request.destroy(new Error('the answer is too long'));
        else parts.push(part);
      });
      response.on('error', reject);
      response.on('end', () => {
        let json = null;
        try {
          json = JSON.parse(Buffer.concat(parts).toString('utf8'));
        } catch {
          // Not JSON: the caller judges by the status.
        }
        resolve({ status: response.statusCode, json });
      });
    });
    request.on('timeout', () => request.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })));
    request.on('error', reject);
    request.end(body);
  });
}

// Node's names for a certificate it does not accept (nodejs.org/api/tls.html, X509 certificate error codes).
function isTlsError(error) {
  return /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE))/
    .test(error.code ?? '');
}

module.exports = { exchange, isTlsError };
