// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

'use strict';

const { exchange, isTlsError } = require('./exchange');
const { Fault } = require('./fault');

const mount = (env) => env.VAULT_MOUNT || 'secret';
const dataPath = (env, path) => `${mount(env)}/data/${path}`;

async function call(env, path) {
  if (!env.VAULT_ADDR) throw new Fault('VAULT_ADDR is not set');
  if (!env.VAULT_TOKEN) throw new Fault('VAULT_TOKEN is empty');
  let answer;
  try {
    answer = await exchange(`${env.VAULT_ADDR.replace(/\/+$/, '')}/v1/${path}`, {
      headers: { 'x-vault-token': env.VAULT_TOKEN, 'x-vault-request': 'true' },
    });
  } catch (error) {
    if (error.code === 'ERR_INVALID_URL') throw new Fault(`VAULT_ADDR is not a URL: ${env.VAULT_ADDR}`);
    if (error.code === 'ERR_INVALID_CHAR') throw new Fault('VAULT_TOKEN cannot be sent as an HTTP header');
    const what = isTlsError(error) ? 'the TLS certificate of Vault is not trusted' : 'Vault cannot be reached';
    throw new Fault(`${what}: ${error.code ?? error.message} at ${env.VAULT_ADDR}`);
  }
  if (answer.status === 503) throw new Fault(`Vault is sealed or standing by at ${env.VAULT_ADDR}`);
  if (answer.status >= 500) throw new Fault(`Vault answers ${answer.status} at ${env.VAULT_ADDR}`);
  return answer;
}

// Asks Vault who the token is; a Fault says why it is of no use.
async function login(env) {
  const answer = await call(env, 'auth/token/lookup-self');
  if (answer.status === 403) throw new Fault(`Vault refuses VAULT_TOKEN (403 at ${env.VAULT_ADDR})`);
  if (answer.status !== 200) throw new Fault(`Vault answers ${answer.status} to the login at ${env.VAULT_ADDR}`);
}

// The document at a path of the KV v2 mount, or null where there is none (never written, deleted, destroyed).
async function read(env, path) {
  const answer = await call(env, dataPath(env, path));
  if (answer.status === 404) return null;
  if (answer.status === 403) throw new Fault(`VAULT_TOKEN may not read ${dataPath(env, path)}`);
  const document = answer.status === 200 ? answer.json?.data?.data : undefined;
  if (document === undefined || document === null || typeof document !== 'object') {
    throw new Fault(`Vault answers ${answer.status} without a document at ${dataPath(env, path)}`);
  }
  return document;
}

module.exports = { login, read, dataPath };
