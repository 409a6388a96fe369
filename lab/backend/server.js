// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

'use strict';

// KeyBuzz's backend, as small as the repair needs it: it is up once it can log in to Vault, read the Amazon
// application's document there and the list of tenants in PostgreSQL. What keeps it down is said by /healthz; the
// process stays alive so that the message can be read.

const http = require('node:http');
const { diagnose } = require('./health');
const { listOrders, BadRequest, NotFound } = require('./orders');

function log(event, fields = {}) {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), event, ...fields })}\n`);
}

let lastSaid = null;

async function health() {
  const verdict = await diagnose(process.env);
  const said = JSON.stringify(verdict);
  if (said !== lastSaid) {
    lastSaid = said;
    log('health', verdict);
  }
  return verdict;
}

function answer(response, code, body) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(code, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

async function handle(request, response) {
  const url = new URL(request.url, 'http://backend');
  if (request.method !== 'GET') {
    return answer(response, 405, { error: 'only GET is served' });
  }
  if (url.pathname === '/healthz') {
    const verdict = await health();
    return answer(response, verdict.status === 'up' ? 200 : 503, verdict);
  }
  if (url.pathname === '/api/v1/orders') {
    return answer(response, 200, await listOrders(url.searchParams, process.env));
  }
  return answer(response, 404, { error: `nothing is served at ${url.pathname}` });
}

const server = http.createServer((request, response) => {
  handle(request, response).catch((error) => {
    if (error instanceof BadRequest) return answer(response, 400, { error: error.message });
    if (error instanceof NotFound) return answer(response, 404, { error: error.message });
    log('error', { path: request.url.split('?')[0], message: error.message });
    return answer(response, 500, { error: error.message });
  });
});

const port = Number(process.env.PORT);
if (!Number.isInteger(port) || port < 1) {
  log('error', { message: 'PORT is not set' });
  process.exit(1);
}
server.listen(port, '127.0.0.1', () => {
  log('listening', { port, node: process.version });
  health().catch((error) => log('error', { message: error.message }));
});

process.on('SIGTERM', () => {
  log('stopping');
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
