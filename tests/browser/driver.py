# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives Chromium without a window by the Chrome DevTools Protocol: a page, real keys, real clicks, what is requested.

Messages go over two pipes (``--remote-debugging-pipe``: JSON, each ended by a zero byte), so that no port is opened.
Keys and clicks enter the browser where those of a person do; the page cannot tell them from real ones.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WHY_NOT = "no chromium on the PATH: the page is not opened (apt-get install chromium)"
PATIENCE = 30.0
"""Seconds for an answer of the browser."""
# The protocol's numbers of the browser's pipes are fixed: it reads from 3 and writes to 4.
START = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
ALT, CONTROL, META, SHIFT = 1, 2, 4, 8
KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "Space": ("Space", 32, " "),
    "ArrowDown": ("ArrowDown", 40, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "Home": ("Home", 36, ""),
    "Delete": ("Delete", 46, ""),
}
"""Name to the protocol's code, the key's number and the text it makes."""


def command_line(folder: Path) -> list[str]:
    """The browser with a profile of its own that is thrown away with the folder."""
    command = [CHROMIUM or "", "--headless", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
    command += [f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr"]
    # The browser's sandbox does not start for root; the page is our own.
    return [*command, "--no-sandbox"] if os.geteuid() == 0 else command


class Failed(Exception):
    """The browser or the page's script answered with an error."""


class Page:
    """One page in one browser.

    :param requested: every address that was asked for since the page was opened.
    :param errors: what the page's console and its security policy complained of.
    """

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._buffer = b""
        self._numbers = itertools.count(1)
        self._events: list[dict[str, Any]] = []
        self._session: str | None = None
        self.requested: list[str] = []
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its result. What happens meanwhile is noted."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                if "error" in answer:
                    raise Failed(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _receive(self) -> dict[str, Any]:
        ends = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            if not select.select([self._from], [], [], max(0.0, ends - time.monotonic()))[0]:
                raise Failed(f"the browser has not answered within {PATIENCE:.0f} s")
            part = os.read(self._from, 1 << 16)
            if not part:
                raise Failed("the browser has ended")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"]["text"])
        elif method == "Page.loadEventFired":
            self._events.append(message)

    def open(self, address: str) -> None:
        """Load a page, whole."""
        self._events.clear()
        self.call("Page.navigate", url=address)
        while not self._events:
            self._receive()

    def size(self, width: int, height: int) -> None:
        """The window's size in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def appear(self, media: str = "", scheme: str = "light") -> None:
        """As on ``screen`` or in ``print``, in the ``light`` or ``dark`` scheme."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise Failed(str(found["exceptionDetails"]["exception"].get("description")))
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        ends = time.monotonic() + PATIENCE
        while not self.ask(expression):
            if time.monotonic() > ends:
                raise Failed(f"still not so after {PATIENCE:.0f} s: {expression}")
            time.sleep(0.02)

    def click(self, element: str) -> None:
        """The left button on the middle of what a JavaScript expression finds."""
        box = self.ask(f"""(() => {{
            const found = {element};
            found.scrollIntoView({{block: "center", behavior: "instant"}});
            const box = found.getBoundingClientRect();
            return {{x: box.x + Math.min(box.width / 2, 40), y: box.y + box.height / 2}}; }})()""")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **box, button="left", clickCount=1)

    def press(self, key: str, *, shift: bool = False) -> None:
        """One key of :data:`KEYS`, or a character, down and up."""
        code, number, text = KEYS.get(key, ("", ord(key[0].upper()), key))
        given = {
            "key": " " if key == "Space" else key,
            "code": code,
            "windowsVirtualKeyCode": number,
            "modifiers": SHIFT if shift else 0,
        }
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **given)
        self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def type(self, text: str) -> None:
        """Character by character."""
        for character in text:
            self.press("Space" if character == " " else character)

    def picture(self, height: int | None = None) -> bytes:
        """The page as PNG: the window, or from the top ``height`` pixels of it."""
        if height is None:
            data = self.call("Page.captureScreenshot", format="png")["data"]
        else:
            clip = {"x": 0, "y": 0, "width": self.ask("innerWidth"), "height": height, "scale": 1}
            data = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
        return base64.b64decode(data)


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A browser that ends with the block."""
    read_by_browser, to_browser = os.pipe()
    from_browser, written_by_browser = os.pipe()
    # Out of the way of 3 and 4, which they become.
    theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (read_by_browser, written_by_browser)]
    command = [sys.executable, "-c", START, *map(str, theirs), *command_line(folder), "--remote-debugging-pipe"]
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(command, pass_fds=theirs, stdout=log, stderr=log)
    for end in (read_by_browser, written_by_browser, *theirs):
        os.close(end)
    try:
        yield Page(to_browser, from_browser)
    finally:
        os.close(to_browser)  # it ends when its pipe does
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(from_browser)
