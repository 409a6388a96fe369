# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history in a table remembers what the file does, loses nothing to another report, and says what it lacks."""

from __future__ import annotations

import datetime
import json
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import drift_history
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import run
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import history_file
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.history import History

from tests.integration_lab.amazon_world import PROJECT
from tests.integration_lab.one_task import run_task
from tests.integration_lab.report.conftest import TABLE, Database

pytestmark = pytest.mark.lab
NOW = datetime.datetime(2026, 1, 12, 9, 30, 0, 123456, tzinfo=datetime.UTC)
FLAG = "backend_access/forbidden/NODE_TLS_REJECT_UNAUTHORIZED"
ARGO = {"managers": ["argocd-controller"], "gitops": "Argo CD", "revert_risk": "certain"}


def nothing(secrets: object) -> None:
    """For tests that do not look at masking."""


def item(status: str, name: str = FLAG, **more: Any) -> dict[str, Any]:
    check = name.partition("/")[0]
    return {"id": name, "check": check, "address": "Deployment a/b", "severity": "high", "status": status, **more}


def look(*items: dict[str, Any], name: str = "dev") -> dict[str, Any]:
    return {"mode": "audit", "environments": [{"name": name, "drift": list(items)}]}


def report(database: Database, given: dict[str, Any], now: datetime.datetime = NOW, **more: Any) -> Report:
    return run(database.params(**given, **more), now, nothing)[0]


def remembered(database: Database) -> History:
    with drift_history.remembered(database.params(), nothing) as kept:
        assert kept is not None
        return kept.history


LOOKS = [
    look(item("forbidden_present", owner=ARGO), item("missing", "vault_token/secret")),
    look(item("in_sync"), item("unknown", "vault_token/could-not-check")),
    look(item("forbidden_present", owner=ARGO), item("in_sync", "vault_token/secret")),
    look(item("missing", "amazon_tenant/ü '\"%s \\/grant"), name="prod"),
    look(item("ignored"), name="dev"),
]


def test_the_table_remembers_what_the_file_does(database: Database, tmp_path: Path) -> None:
    path = str(tmp_path / "history.jsonl")
    for number, given in enumerate(LOOKS):
        now = NOW + number * datetime.timedelta(hours=1)
        in_file, _warnings = run({**given, "history_path": path}, now, nothing)
        assert report(database, given, now).as_dict() == in_file.as_dict()
        assert remembered(database) == history_file.read(path)
    assert remembered(database).entries["dev", FLAG].brought_by == "argocd-controller"


def test_a_year_and_a_month_later_what_was_cleared_is_gone_from_the_table(database: Database) -> None:
    report(database, look(item("missing")))
    report(database, look(item("in_sync")))
    report(database, look(item("in_sync")), NOW + datetime.timedelta(days=401))
    assert database.query(f'SELECT "environment", "itemId" FROM {TABLE}') == [("", "")], (
        "the row of the history as such"
    )


def test_of_reports_at_the_same_time_none_is_lost(database: Database) -> None:
    """Each sees the drift of all before it, so that together they tell of every item once."""
    report(database, look(item("in_sync")))
    gate = threading.Barrier(6)

    def one(number: int) -> list[str]:
        gate.wait()
        return list(report(database, look(item("missing"), name=f"env-{number}")).since_last)

    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(one, range(6)))
    assert all("1 new" in " ".join(lines) for lines in said)
    assert sorted(name for name, _id in remembered(database).entries) == [f"env-{number}" for number in range(6)]


def test_six_reports_that_create_the_table_at_once_all_succeed(database: Database) -> None:
    gate = threading.Barrier(6)

    def one(number: int) -> str:
        gate.wait()
        return report(database, look(item("missing"), name=f"env-{number}")).verdict

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(one, range(6))) == ["drift"] * 6
    assert len(remembered(database).entries) == 6


def test_a_report_waits_for_another_one_and_says_so_when_that_takes_too_long(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(database, look(item("in_sync")))
    monkeypatch.setattr(drift_history, "LOCK_WAIT", "200ms")
    with (
        drift_history.remembered(database.params(), nothing),
        pytest.raises(
            KeybuzzError, match=r"keeping the history in table drift_history of .*holds.*Run the report again"
        ),
    ):
        report(database, look(item("missing")))


def test_what_could_not_be_written_is_new_to_the_next_report_too(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="Give a path in a folder"):
        report(database, look(item("missing")), path=str(tmp_path / "file" / "report.json"))
    assert database.query("SELECT to_regclass(%s)", (TABLE,)) == [(None,)], "nor was the table created"
    assert report(database, look(item("missing"))).since_last == ("First look: 1 new",)


def test_ninety_thousand_items_that_differ_are_remembered_in_seconds(database: Database) -> None:
    many = look(*(item("missing", f"amazon_tenant/t{number:05}/grant") for number in range(90_000)))
    report(database, many)
    begun = datetime.datetime.now(tz=datetime.UTC)
    report(database, many, NOW + datetime.timedelta(hours=1))
    assert (datetime.datetime.now(tz=datetime.UTC) - begun).total_seconds() < 60
    assert database.query(f"SELECT count(*) FROM {TABLE}") == [(90_001,)]


def test_a_missing_table_is_an_error_that_has_the_statement_which_makes_it(database: Database) -> None:
    with pytest.raises(KeybuzzError, match=r"history_manage_schema: true") as caught:
        report(database, look(item("missing")), history_manage_schema=False)
    statement = str(caught.value).partition("run: ")[2].partition(" Or let")[0]
    assert statement.startswith('CREATE TABLE "drift_history" (')
    database.query(statement)
    database.query(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO {database.server.users['repair']}")
    assert report(database, look(item("missing")), history_manage_schema=False).verdict == "drift"


def test_missing_rights_columns_and_keys_are_named_with_what_adds_them(database: Database) -> None:
    report(database, look(item("missing")))
    with pytest.raises(KeybuzzError, match=r"privilege .*GRANT .* ON \"drift_history\" TO \"keybuzz_audit\""):
        run(database.params("audit", **look(item("missing"))), NOW, nothing)
    with pytest.raises(KeybuzzError, match=r"column tenants.itemId.*ALTER TABLE"):
        report(database, look(item("missing")), history_table="tenants")
    assert "itemId" not in str(database.query("SELECT * FROM information_schema.columns WHERE table_name = 'tenants'"))
    database.query(f"ALTER TABLE {TABLE} DROP CONSTRAINT {TABLE}_pkey")
    with pytest.raises(KeybuzzError, match=r"unique key of drift_history"):
        report(database, look(item("missing")))


def test_a_table_of_a_later_format_is_not_touched(database: Database) -> None:
    report(database, look(item("missing")))
    database.query(f"UPDATE {TABLE} SET \"status\" = '2.0' WHERE \"itemId\" = ''")
    with pytest.raises(BadInputError, match=r"its format is 2\.0"):
        report(database, look(item("missing")))
    database.query(f"UPDATE {TABLE} SET \"status\" = '1.9' WHERE \"itemId\" = ''")
    report(database, look(item("missing")))


def test_a_name_that_postgresql_cannot_store_is_said_to_be_one(database: Database) -> None:
    for name in ("backend_access/\0", "backend_access/\ud800"):
        with pytest.raises(BadInputError, match="a name that PostgreSQL cannot store"):
            report(database, look(item("missing", name)))


def test_the_documented_role_keeps_a_history_and_can_read_nothing_of_the_product(database: Database) -> None:
    database.query((PROJECT / "docs" / "postgresql-roles.sql").read_text())
    password = secrets.token_hex(16)
    try:
        database.query(
            f"ALTER ROLE drift_report PASSWORD '{password}'; GRANT CONNECT ON DATABASE keybuzz TO drift_report"
        )
        given = {"pg_user": "drift_report", "pg_password": password, "pg_passfile": None}
        for _ in range(2):
            report(database, look(item("missing")), history_table="drift_report.history", **given)
        assert database.query("SELECT count(*) FROM drift_report.history") == [(2,)]
        with pytest.raises(KeybuzzError, match="privilege SELECT, INSERT, UPDATE, DELETE on tenants"):
            report(database, look(item("missing")), history_table="tenants", **given)
    finally:
        for role in ("drift_report", "orders_import", "orders_audit", "orders_retention"):
            database.query(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_ansible_keeps_the_history_in_check_mode_too_and_shows_no_password(database: Database, tmp_path: Path) -> None:
    password = database.drawn.database_passwords["repair"]
    options = {**database.params(**look(item("missing"))), "pg_passfile": None, "pg_password": password}
    for switch in ("--check", "--diff"):
        done = run_task("drift_report", options, tmp_path, "-vvvv", switch)
        assert "failed=0" in done.stdout, done.stdout
        assert password not in done.stdout + done.stderr
        assert json.dumps(password)[1:-1] not in done.stdout + done.stderr
    assert "Since 20" in done.stdout and "nothing changed" in done.stdout
    assert len(remembered(database).entries) == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"history_path": "history.jsonl"}, "mutually exclusive: history_path|history_table"),
        ({"pg_host": None}, "missing parameter(s) required by 'history_table': pg_host"),
        ({"history_table": "a.b.c"}, "is not a table's name"),
        ({"pg_port": 1}, "nothing listens there"),
    ],
)
def test_options_that_do_not_go_together_fail_before_anything_is_written(
    database: Database, tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    done = run_task("drift_report", database.params(**look(item("missing"))) | more, tmp_path)
    assert "failed=1" in done.stdout and said in done.stdout + done.stderr
    assert database.query("SELECT to_regclass(%s)", (TABLE,)) == [(None,)]
