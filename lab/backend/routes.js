// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

'use strict';

// A preload (node --require): connections to exactly the host:port pairs of KEYBUZZ_ROUTES go to the loopback
// address beside them, as a host's routing table would have it. So a configuration runs as it was reported
// (VAULT_ADDR=https://10.0.0.150:8200) and not one packet leaves for that address. Names and certificates are
// checked against the original host: only the socket is moved.

const net = require('node:net');

const routes = new Map(Object.entries(JSON.parse(process.env.KEYBUZZ_ROUTES || '{}')));

function moved(options) {
  if (options === null || typeof options !== 'object' || options.path) return options;
  const target = routes.get(`${options.host ?? 'localhost'}:${options.port}`);
  if (target === undefined) return options;
  const colon = target.lastIndexOf(':');
  return { ...options, host: target.slice(0, colon), port: Number(target.slice(colon + 1)) };
}

if (routes.size > 0) {
  const connect = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function routedConnect(...args) {
    if (Array.isArray(args[0])) {
      // net.connect has put its arguments in order already: [options, callback], marked by a symbol.
      args[0][0] = moved(args[0][0]);
    } else if (typeof args[0] === 'object') {
      args[0] = moved(args[0]);
    } else if (/^\d+$/.test(String(args[0]))) {
      const host = typeof args[1] === 'string' ? args[1] : 'localhost';
      const { host: newHost, port } = moved({ host, port: args[0] });
      args.splice(0, typeof args[1] === 'string' ? 2 : 1, port, newHost);
    }
    return connect.apply(this, args);
  };
}
