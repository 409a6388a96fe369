# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is wanted of one container of a Deployment, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

SourceKind = Literal["secret", "config_map"]
SourceName = tuple[SourceKind, str]


@dataclass(frozen=True)
class Variable:
    """One environment variable: a plain value, or a reference to one key of a Secret or ConfigMap."""

    name: str
    value: str | None = None
    source: SourceName | None = None
    key: str | None = None
    optional: bool = False
    """Of a reference: the container may start where it leads nowhere, and then lacks the variable."""

    def entry(self) -> dict[str, Any]:
        """The EnvVar as the API has it."""
        if self.source is None:
            return {"name": self.name, "value": self.value or ""}
        reference = {"name": self.source[1], "key": self.key, **({"optional": True} if self.optional else {})}
        form = "secretKeyRef" if self.source[0] == "secret" else "configMapKeyRef"
        return {"name": self.name, "valueFrom": {form: reference}}


@dataclass(frozen=True)
class EnvFrom:
    """One source of ``envFrom``."""

    kind: SourceKind
    name: str
    prefix: str = ""
    optional: bool = False

    @property
    def source(self) -> SourceName:
        return (self.kind, self.name)

    def entry(self) -> dict[str, Any]:
        reference: dict[str, Any] = {"name": self.name, **({"optional": True} if self.optional else {})}
        form = "secretRef" if self.kind == "secret" else "configMapRef"
        return {**({"prefix": self.prefix} if self.prefix else {}), form: reference}


@dataclass(frozen=True)
class Forbidden:
    """A variable that must not reach the process: with this value, or with any harmful one if ``value`` is None.

    With ``flags``, the variable holds command line options and only these are forbidden in it.
    """

    name: str
    value: str | None = None
    in_env_from: bool = True
    """Also look into the sources of ``envFrom``, one read each."""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConfigMount:
    """A file from a ConfigMap in the container. ``content`` is what the file must hold."""

    volume: str
    config_map: str
    key: str
    mount_path: str
    content: str | None = field(default=None, repr=False)
    content_from: tuple[str, SourceKind, str, str] | None = None
    """Namespace, kind, name, key."""
    verify_url: str | None = None
    pin: str | None = None
    """SHA-256 of the certificate to trust where no content is given, as _tls_pin.normalised gives it."""


@dataclass(frozen=True)
class RestartFor:
    """A Secret whose change must restart the pods. ``will_change``: check mode predicts that it will be written."""

    secret: str
    will_change: bool = False


@dataclass(frozen=True)
class Desired:
    """Everything wanted of one container.

    :param planned: what may be written, as a plan has it; ``None`` where there is no plan.
    """

    namespace: str
    deployment: str
    container: str | None = None
    env: tuple[Variable, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    absent: tuple[str, ...] = ()
    forbidden: tuple[Forbidden, ...] = ()
    config_mounts: tuple[ConfigMount, ...] = ()
    restart_for: tuple[RestartFor, ...] = ()
    on_foreign_owner: Literal["auto", "warn", "block", "force"] = "auto"
    wait: bool = True
    wait_timeout: float | None = None
    planned: Sequence[Mapping[str, object]] | None = None

    @property
    def managed_names(self) -> tuple[str, ...]:
        """Names of variables that this has an opinion on, wanted ones first."""
        names = [variable.name for variable in self.env]
        names += [name for name in (*self.absent, *(one.name for one in self.forbidden)) if name not in names]
        return tuple(names)
