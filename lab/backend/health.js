// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

'use strict';

// One verdict on everything the backend depends on, in the order a request would need it.

const { Fault } = require('./fault');
const vault = require('./vault');
const amazon = require('./amazon');
const { connectedTenants } = require('./orders');

const APP_PATH = 'keybuzz/amazon_spapi/app';
const tenantPath = (tenant) => `keybuzz/tenants/${tenant}/amazon_spapi`;

// Long enough that probes do not fill Vault's audit log, short enough that a repair shows at once.
const VAULT_MS = 1000;
// A statement of ours in PostgreSQL's log every few seconds is enough.
const TENANTS_MS = 5000;

const kept = { verdict: null, until: 0, running: null, tenants: [], tenantsUntil: 0 };

async function tenants(env) {
  if (Date.now() >= kept.tenantsUntil) {
    kept.tenants = await connectedTenants(env);
    kept.tenantsUntil = Date.now() + TENANTS_MS;
  }
  return kept.tenants;
}

async function tenantState(env, app, tenant) {
  try {
    const document = await vault.read(env, tenantPath(tenant));
    if (document === null || !document.refresh_token) {
      return { status: 'failed', fault: `refresh token missing in Vault at ${vault.dataPath(env, tenantPath(tenant))}` };
    }
    await amazon.grant(env, tenant, app, document.refresh_token);
    return { status: 'connected' };
  } catch (error) {
    if (error instanceof Fault) return { status: 'failed', fault: error.message };
    throw error;
  }
}

async function look(env) {
  try {
    await vault.login(env);
    const app = await vault.read(env, APP_PATH);
    const where = vault.dataPath(env, APP_PATH);
    if (app === null) throw new Fault(`application credentials missing in Vault at ${where}`);
    const lacking = ['client_id', 'client_secret'].filter((key) => !app[key]);
    if (lacking.length > 0) {
      throw new Fault(`application credentials incomplete in Vault at ${where}: ${lacking.join(', ')} missing`);
    }
    const states = {};
    for (const tenant of await tenants(env)) {
      states[tenant] = await tenantState(env, app, tenant);
    }
    return { status: 'up', tenants: states };
  } catch (error) {
    if (error instanceof Fault) return { status: 'down', fault: error.message };
    throw error;
  }
}

async function diagnose(env) {
  if (kept.verdict !== null && Date.now() < kept.until) return kept.verdict;
  // Probes that come together share one look.
  kept.running ??= look(env)
    .then((verdict) => {
      kept.verdict = verdict;
      kept.until = Date.now() + VAULT_MS;
      return verdict;
    })
    .finally(() => { kept.running = null; });
  return kept.running;
}

module.exports = { diagnose };
