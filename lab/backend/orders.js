// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

'use strict';

// Reads PostgreSQL through psql: the statement goes in on stdin, values as psql variables that psql itself quotes
// (:'tenant'), the password and the CA by libpq's own environment variables.

const { spawn } = require('node:child_process');
const { Fault } = require('./fault');

class BadRequest extends Error {}
class NotFound extends Error {}

const DEFAULT_LIMIT = 50;
const GREATEST_LIMIT = 500;
const TIMEOUT_MS = 10000;

// A probe is answered within its time, however many tenants there are: it asks for the first ones.
const MOST_PROBED = 20;

const TENANTS = `SELECT coalesce(json_agg("tenantId" ORDER BY "tenantId"), '[]') FROM (
  SELECT "tenantId" FROM tenants WHERE "status" = 'CONNECTED' ORDER BY "tenantId" LIMIT ${MOST_PROBED}) AS probed;`;

const ORDERS = `SELECT CASE WHEN EXISTS (SELECT 1 FROM tenants WHERE "tenantId" = :'tenant') THEN json_build_object(
  'orders', (SELECT coalesce(json_agg(page), '[]') FROM (
    SELECT "externalOrderId", "orderRef",
           to_char("orderDate" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "orderDate",
           "totalAmount", "currency", "orderStatus"
      FROM orders WHERE "tenantId" = :'tenant'
     ORDER BY orders."orderDate" DESC, "externalOrderId" LIMIT :limit) AS page),
  'total', (SELECT count(*) FROM orders WHERE "tenantId" = :'tenant')) END;`;

function query(env, statement, variables = {}) {
  const settings = Object.entries(variables).flatMap(([name, value]) => ['-v', `${name}=${value}`]);
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => /^PG|^(PATH|HOME|LANG)$/.test(name)));
  return new Promise((resolve, reject) => {
    const child = spawn(env.PSQL || 'psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', ...settings, '-f', '-'], {
      env: { PGCONNECT_TIMEOUT: '5', ...own, PGAPPNAME: 'keybuzz-backend' },
      timeout: TIMEOUT_MS,
    });
    const out = [];
    const err = [];
    child.stdout.on('data', (part) => out.push(part));
    child.stderr.on('data', (part) => err.push(part));
    child.on('error', (error) => reject(new Fault(`PostgreSQL cannot be read: ${error.code} ${env.PSQL || 'psql'}`)));
    child.stdin.on('error', () => {}); // psql ended before it read: its exit code tells
    child.on('close', (code) => {
      if (code === 0) return resolve(Buffer.concat(out).toString('utf8').trim());
      const reason = Buffer.concat(err).toString('utf8').trim().split('\n')[0].slice(0, 200);
      return reject(new Fault(`PostgreSQL cannot be read: ${reason || `psql ended with ${code}`}`));
    });
    child.stdin.end(statement);
  });
}

async function connectedTenants(env) {
  return JSON.parse(await query(env, TENANTS));
}

// The answer as PostgreSQL wrote it: amounts keep every digit, which a JavaScript number need not.
async function listOrders(parameters, env) {
  const tenant = parameters.get('tenantId');
  if (!tenant) throw new BadRequest('tenantId is missing: /api/v1/orders?tenantId=<tenant>&limit=<1-500>');
  if (tenant.includes('\0')) throw new BadRequest('tenantId holds a character no tenant has');
  const limit = Number(parameters.get('limit') ?? DEFAULT_LIMIT);
  if (!Number.isInteger(limit) || limit < 1 || limit > GREATEST_LIMIT) {
    throw new BadRequest(`limit must be a whole number from 1 to ${GREATEST_LIMIT}`);
  }
  const found = await query(env, ORDERS, { tenant, limit });
  if (found === '') throw new NotFound(`there is no tenant ${tenant}`);
  return found;
}

module.exports = { connectedTenants, listOrders, BadRequest, NotFound };
