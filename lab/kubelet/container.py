# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One container: its process, its readiness, its restarts."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.kubelet.environment import ConfigError
from lab.kubelet.status import ContainerState, now
from lab.kubelet.volumes import VolumeError

Object = dict[str, Any]

# A kubelet backs off from 10 s to 5 min; a lab's visitor should not have to wait that long.
FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.3, 3.0  # seconds
UNREADY_PROBE_PERIOD = 0.3  # seconds: until the first success a probe is asked this often
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class ImageError(Exception):
    """The node has no such image."""


Prepare = Callable[[], tuple[list[str], dict[str, str], int]]  # -> argv, environment, port


class Container:
    """Runs one container of a pod in a thread of its own until told to stop.

    ``prepare`` is asked before each start and may raise ConfigError, VolumeError or ImageError; ``changed`` is
    called after each change of ``state``.
    """

    def __init__(
        self,
        spec: Object,
        prepare: Prepare,
        changed: Callable[[], None],
        *,
        log: Path,
        pod_name: str,
        restarts: int = 0,
    ) -> None:
        self.state = ContainerState(spec["name"], spec["image"], restarts=restarts)
        self.port: int | None = None  # of the running process
        self.wake = threading.Event()  # something it refers to has changed: try again now
        self._spec = spec
        self._prepare = prepare
        self._changed = changed
        self._log = log
        self._pod_name = pod_name
        self._stopping = threading.Event()
        self._grace = 30.0
        self._thread = threading.Thread(target=self._run, name=f"container-{spec['name']}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Ask it to end within ``grace`` seconds (TERM, then KILL); ``join`` waits for that."""
        self._grace = grace
        self._stopping.set()
        self.wake.set()

    def join(self) -> None:
        self._thread.join()

    def _set(self, **changes: Any) -> None:
        fresh = replace(self.state, **changes)
        if fresh != self.state:
            self.state = fresh
            self._changed()

    def _run(self) -> None:
        pause = FIRST_BACK_OFF
        while not self._stopping.is_set():
            try:
                process, port = self._start()
            except Exception as error:  # whatever it is, it is reported and tried again
                self._set(waiting=_waiting(error, self._spec["image"]), running_since=None, ready=False)
                self._sleep(pause)
                pause = min(pause * 2, LONGEST_BACK_OFF)
                continue
            began = time.monotonic()
            self.port = port
            self._set(waiting=None, running_since=now(), terminated=None, identity=f"lab://{process.pid}-{now()}")
            self._watch_over(process, port)
            self.port = None
            ended = _end(self.state, process.returncode)
            if self._stopping.is_set():
                self._set(running_since=None, terminated=ended, ready=False)
                return
            if time.monotonic() - began > 4 * LONGEST_BACK_OFF:
                pause = FIRST_BACK_OFF
            message = (
                f"back-off {pause * 1000:.0f}ms restarting failed container={self.state.name} pod={self._pod_name}"
            )
            self._set(
                running_since=None,
                waiting=("CrashLoopBackOff", message),
                last=ended,
                ready=False,
                restarts=self.state.restarts + 1,
            )
            self._sleep(pause)
            pause = min(pause * 2, LONGEST_BACK_OFF)

    def _start(self) -> tuple[subprocess.Popen[bytes], int]:
        argv, env, port = self._prepare()
        self._log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log.touch(mode=0o600)
        with self._log.open("ab") as output:
            # A session of its own, so that the whole container is ended, not only its first process.
            process = subprocess.Popen(
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # One system call, nothing that another thread could hold a lock on.
                preexec_fn=_die_with_parent if _libc else None,  # noqa: PLW1509
            )
        return process, port

    def _watch_over(self, process: subprocess.Popen[bytes], port: int) -> None:
        """Probe until the process has ended, or been ended."""
        probe = self._spec.get("readinessProbe")
        failures = 0
        if probe is None:
            self._set(ready=True)
        next_probe = time.monotonic() + (probe or {}).get("initialDelaySeconds", 0)
        while process.poll() is None:
            if self._stopping.wait(0.1):
                _terminate(process, self._grace)
                return
            if probe is None or time.monotonic() < next_probe:
                continue
            if _probe(probe, port):
                failures = 0
                self._set(ready=True)
            else:
                failures += 1
                if failures >= probe.get("failureThreshold", 3):
                    self._set(ready=False)
            period = float(probe.get("periodSeconds", 10))
            next_probe = time.monotonic() + (period if self.state.ready else min(period, UNREADY_PROBE_PERIOD))
        _terminate(process, 0)

    def _sleep(self, seconds: float) -> None:
        self.wake.clear()
        if not self._stopping.is_set():
            self.wake.wait(seconds)


def _waiting(error: Exception, image: str) -> tuple[str, str]:
    if isinstance(error, VolumeError):
        return "ContainerCreating", str(error)
    if isinstance(error, ImageError):
        return "ImagePullBackOff", f'Back-off pulling image "{image}": {error}'
    if isinstance(error, ConfigError):
        return "CreateContainerConfigError", str(error)
    # Only the kind of error: a ValueError of Popen can quote the environment.
    return "CreateContainerError", f"the process could not be started: {type(error).__name__}"


def _end(state: ContainerState, code: int | None) -> Object:
    exit_code = 128 - code if code is not None and code < 0 else code or 0
    return {
        "exitCode": exit_code,
        "reason": "Completed" if exit_code == 0 else "Error",
        "startedAt": state.running_since or now(),
        "finishedAt": now(),
        "containerID": state.identity,
    }


def _probe(probe: Object, port: int) -> bool:
    """An httpGet probe, or tcpSocket; success is any status from 200 to 399, as for a kubelet."""
    timeout = float(probe.get("timeoutSeconds", 1))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        if "httpGet" not in probe:
            connection.connect()
            return True
        connection.request("GET", probe["httpGet"].get("path", "/"), headers={"User-Agent": "kube-probe/1.36"})
        return 200 <= connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _terminate(process: subprocess.Popen[bytes], grace: float) -> None:
    """TERM to the container's whole session, ``grace`` seconds, then KILL; nothing of it stays."""
    _signal(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=max(grace, 0.01))
    _signal(process.pid, signal.SIGKILL)
    process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _die_with_parent() -> None:
    """In the child: the kernel ends it when the thread that started it is gone, however the node ended."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
