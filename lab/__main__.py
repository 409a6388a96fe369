# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lab up | down | status | break NAME... | heal [NAME...] | env``.

Exit status: 0 done; 1 it did not work, or there is no lab, or a part of it is dead; 2 not understood.
"""

from __future__ import annotations

import argparse
import http
import os
import shlex
import sys
import time
from collections.abc import Sequence

from lab.errors import LabError, UsageError
from lab.world import World, directory_of

_ALL = "all"
_CLIENTS = ("hvac", "psycopg2")  # whose errors are no OSError, as those of requests are
_DESCRIPTION = """\
KeyBuzz's backend with its Vault, PostgreSQL, Kubernetes API and Amazon, on this machine.

  up              start it; does nothing when it is up, starts anew what was killed half way
  down            end every process and remove every file of it
  status          what runs where, and which pieces are broken
  break NAME...   break pieces by name, or all: the morning of the report
  heal [NAME...]  put back exactly what was broken; without a name, everything
  backend         what the backend says: its health, and the newest orders it serves
  env             what a shell exports to reach it:  eval "$(python -m lab env)"
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    options = _parser().parse_args(argv)
    try:
        status: int = options.run(options)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; python -m lab down removes what is there", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read this has seen enough: python -m lab status | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        # Of a part that is sealed, stopped or out of order; anything else is a fault of the lab and shows itself.
        if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in _CLIENTS:
            raise
        said = (str(error).strip().splitlines() or [""])[0]
        print(f"a part of the lab does not do as it should: {type(error).__name__}: {said}", file=sys.stderr)
        print("python -m lab up opens a sealed Vault, and starts a lab anew of which a part is dead", file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    from lab.pieces import FURTHER_NAMES, NAMES

    parser = argparse.ArgumentParser(
        prog="python -m lab",
        description=_DESCRIPTION,
        epilog=f"Pieces: {', '.join(NAMES)}. Further ones, not in {_ALL}: {', '.join(FURTHER_NAMES)}."
        " The lab lies in .lab, or where LAB_DIR says.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s {up,down,status,break,heal,backend,env} ...",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", prog="python -m lab", help=argparse.SUPPRESS)
    for name, run in (("up", _up), ("down", _down), ("status", _status), ("backend", _backend)):
        commands.add_parser(name).set_defaults(run=run)
    breaking = commands.add_parser("break")
    breaking.add_argument("names", nargs="+", metavar="NAME", help=f"{', '.join((*NAMES, *FURTHER_NAMES))}, or {_ALL}")
    breaking.set_defaults(run=_break)
    healing = commands.add_parser("heal")
    healing.add_argument("names", nargs="*", metavar="NAME", help="without a name: everything that is broken")
    healing.set_defaults(run=_heal)
    environment = commands.add_parser("env")
    environment.add_argument("--as", dest="who", choices=("repair", "audit"), default="repair")
    environment.set_defaults(run=_env)
    return parser


def _up(_: argparse.Namespace) -> int:
    World.up(say=_say)
    return 0


def _down(_: argparse.Namespace) -> int:
    from lab import startup

    startup.down(directory_of(), _say)
    return 0


def _status(_: argparse.Namespace) -> int:
    world = World.load()
    rows = [(part.name, "running" if world.running(part) else "dead", part.address) for part in world.parts()]
    dead = any(state == "dead" for _, state, _ in rows)
    said = world.backend_says()
    rows.append(("backend", "up" if said == "is healthy" else "down", world.state["backend"]["url"]))
    _table(("PART", "STATE", "ADDRESS"), rows)
    print(f"\nthe backend {said}\n")
    if dead:
        print("pieces cannot be looked at while a part is dead: python -m lab up starts the lab anew")
        return 1
    from lab import pieces

    _table(
        ("PIECE", "STATE", "WHAT IT IS"),
        [(piece.name, pieces.state(world, piece), piece.what) for piece in pieces.EVERY],
    )
    return 0


def _backend(_: argparse.Namespace) -> int:
    world = World.load()
    print(f"GET /healthz\nthe backend {world.backend_says()}")
    path = f"/api/v1/orders?tenantId={world.state['tenant']}&limit=5"
    status, body = world.backend(path)
    print(f"\nGET {path}")
    if status != http.HTTPStatus.OK:
        print(f"{status}: {body}")
        return 1
    columns = ("externalOrderId", "orderRef", "orderDate", "totalAmount", "currency", "orderStatus")
    rows = [["" if order[name] is None else str(order[name]) for name in columns] for order in body["orders"]]
    _table(columns, rows)
    print(f"{len(rows)} of {body['total']} orders")
    return 0


def _break(options: argparse.Namespace) -> int:
    from lab import pieces

    chosen = pieces.chosen(options.names)
    started = time.monotonic()
    for name, done in pieces.break_pieces(World.load(), chosen).items():
        print(f"{name:<20} {done}")
    _say(f"{time.monotonic() - started:6.1f} s")
    return 0


def _heal(options: argparse.Namespace) -> int:
    from lab import pieces

    chosen = list(pieces.EVERY) if _ALL in (options.names or [_ALL]) else pieces.chosen(options.names)
    started = time.monotonic()
    for name, done in pieces.heal_pieces(World.load(), chosen).items():
        print(f"{name:<20} {done}")
    _say(f"{time.monotonic() - started:6.1f} s")
    return 0


def _env(options: argparse.Namespace) -> int:
    for name, value in World.load().environment(options.who).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
