# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the lab's processes, remembers them, and finds them again after a crash.

A process is known by its id *and* its creation time, so that an id the system has given to somebody else is
never signalled. Each also carries ``KEYBUZZ_LAB=<lab directory>`` in its environment: when the records are
lost, that is how the next ``up`` or ``down`` finds what is left.
"""

from __future__ import annotations

import json
import os
import pwd
import random
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from lab.errors import LabError, PartFailed

MARK = "KEYBUZZ_LAB"
PROJECT = Path(__file__).resolve().parent.parent
COLLECTIONS = PROJECT / ".collections" if (PROJECT / ".collections").is_dir() else PROJECT.parents[2]
"""The folder with ansible_collections/keybuzz/amazon in it. Under ansible-test the files lie in such a place."""

# Below Linux's ephemeral range (32768-60999), so that no outgoing connection takes a port between its
# choice and the server's bind.
_PORTS = range(20_000, 32_000)

# psutil reports creation times in clock ticks of 10 ms.
_SAME_START_SECONDS = 0.05

_given_ports: set[int] = set()
_given_ports_lock = threading.Lock()


@dataclass(frozen=True)
class Record:
    """One entry of ``processes.json``: who was started, and when (seconds since the epoch, by psutil)."""

    name: str
    pid: int
    created: float

    def process(self) -> psutil.Process | None:
        """The process itself, or None when it is gone, a zombie, or the id belongs to somebody else now."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.created) > _SAME_START_SECONDS:
                return None
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except psutil.NoSuchProcess:
            return None


class Processes:
    """The processes of the lab in one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._file = directory / "processes.json"
        self._lock = threading.Lock()
        self._closed = False

    def spawn(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        cwd: Path | None = None,
    ) -> psutil.Process:
        """Starts ``argv`` in its own session, its output in ``logs/<name>.log``, and records it at once.

        ``env`` is added to a clean base: nothing else of the caller's environment reaches the process.
        ``user`` is the account to run as; only root may name one.
        """
        log = self.log(name)
        log.parent.mkdir(mode=0o700, exist_ok=True)
        log.touch(mode=0o600)
        account = pwd.getpwnam(user) if user else None
        with log.open("ab") as output, self._lock:
            if self._closed:
                raise PartFailed(f"{name} was not started: the lab is being stopped")
            try:
                started = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**_base_environment(account), MARK: str(self.directory), **(env or {})},
                    cwd=cwd or ("/" if user else PROJECT),
                    start_new_session=True,
                    user=account.pw_uid if account else None,
                    group=account.pw_gid if account else None,
                    extra_groups=[] if account else None,
                )
            except OSError as error:
                raise PartFailed(f"{name} could not be started: {argv[0]}: {error.strerror}") from error
            process = psutil.Process(started.pid)
            self._write([*self._others(name), Record(name, process.pid, process.create_time())])
        # Without somebody who waits, a process that ends would stay a zombie as long as this one lives.
        threading.Thread(target=started.wait, name=f"wait-{name}", daemon=True).start()
        return process

    def records(self) -> list[Record]:
        """What was recorded, oldest first; empty when the file is missing or torn."""
        try:
            return [Record(**entry) for entry in json.loads(self._file.read_text())]
        except (OSError, ValueError, TypeError):
            return []

    def record(self, name: str) -> Record | None:
        return next((record for record in self.records() if record.name == name), None)

    def alive(self, name: str) -> bool:
        record = self.record(name)
        return record is not None and record.process() is not None

    def stop(self, name: str) -> None:
        """Ends the process and its children: TERM, five seconds of patience, KILL. Quiet when it is gone."""
        record = self.record(name)
        process = record.process() if record else None
        if process is not None:
            end(family(process))
        with self._lock:
            self._write(self._others(name))

    def log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def close(self) -> None:
        """From now on nothing is started here: threads that are still at it get PartFailed."""
        with self._lock:
            self._closed = True

    def stop_everything(self) -> int:
        """Ends every process of this lab, recorded or only marked, and their children. Returns how many."""
        roots = [process for record in self.records() if (process := record.process()) is not None]
        ended: set[psutil.Process] = set()
        give_up = time.monotonic() + 20
        # A part may start a child between the look and the signal: look again until nothing is left. The children
        # of those that are only marked count too: PostgreSQL's write their title over the mark.
        while left := {member for process in [*roots, *marked(self.directory)] for member in family(process)}:
            if time.monotonic() > give_up:
                pids = ", ".join(str(process.pid) for process in left)
                raise LabError(f"these processes of the lab cannot be ended: {pids}; end them by hand")
            end(left, patience=1.0)  # nothing they could still write is kept
            ended |= left
            roots = []
        return len(ended)

    def _others(self, name: str) -> list[Record]:
        return [record for record in self.records() if record.name != name]

    def _write(self, records: Iterable[Record]) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps([vars(record) for record in records], indent=1) + "\n")
        fresh.replace(self._file)


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process and all its descendants."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def end(processes: Iterable[psutil.Process], patience: float = 5.0) -> None:
    """TERM to all, ``patience`` seconds for all together, KILL to who is still there."""
    for process in (waiting := list(processes)):
        _signal(process.terminate)
    _, stubborn = psutil.wait_procs(waiting, timeout=patience)
    for process in stubborn:
        _signal(process.kill)
    psutil.wait_procs(stubborn, timeout=patience)


def marked(directory: Path) -> list[psutil.Process]:
    """Every living process that carries this lab's mark, except the caller and those that called it."""
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in mine and process.environ().get(MARK) == str(directory):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or somebody else's
    return found


def free_port() -> int:
    """A TCP port that nobody listens on, on either loopback address; never the same twice in one process."""
    with _given_ports_lock:
        for port in random.SystemRandom().sample(_PORTS, 200):
            if port not in _given_ports and _is_free(port):
                _given_ports.add(port)
                return port
    raise LabError(f"no free TCP port was found between {_PORTS.start} and {_PORTS.stop}")


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(
    what: str,
    check: Callable[[], bool],
    *,
    timeout: float,
    log: Path | None,
    alive: Callable[[], bool] | None = None,
) -> None:
    """Asks ``check`` until it is true. That it raises counts as "not yet"; the last reason is reported.

    Raises PartFailed after ``timeout`` seconds, or at once when ``alive`` says that nobody is left.
    """
    start = time.monotonic()
    pause = 0.01
    reason = ""
    while True:
        try:
            if check():
                return
        except Exception as error:
            reason = f" ({type(error).__name__}: {_first_line(str(error))})"
        waited = time.monotonic() - start
        if alive is not None and not alive():
            raise PartFailed(f"{what} ended before it was ready{_see(log)}")
        if waited > timeout:
            raise PartFailed(f"{what} was not ready after {timeout:.0f} s{reason}{_see(log)}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def _see(log: Path | None) -> str:
    if log is None:
        return ""
    try:
        lines = log.read_text(errors="replace").splitlines()[-8:]
    except OSError:
        return f"; it has no log at {log}"
    return f"; its log is {log}, which ends:\n" + "\n".join(f"    {line[:300]}" for line in lines)


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0][:200]


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        pass
    except psutil.AccessDenied as error:
        raise LabError(
            f"process {error.pid} belongs to another user: run this command as who started the lab"
        ) from error


def _is_free(port: int) -> bool:
    return _can_bind(socket.AF_INET, "127.0.0.1", port) and (
        _can_bind(socket.AF_INET6, "::1", port) or not _can_bind(socket.AF_INET6, "::1", 0)
    )


def _can_bind(address_family: socket.AddressFamily, host: str, port: int) -> bool:
    try:
        with socket.socket(address_family) as probe:
            # As servers do: a connection of the past in TIME_WAIT does not make a port taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError:
        return False
    return True


def _base_environment(account: pwd.struct_passwd | None) -> dict[str, str]:
    home = account.pw_dir if account else os.environ.get("HOME", "/")
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "LANG": "C.UTF-8"}
