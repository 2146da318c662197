"""Passwords between our own processes: made once per instance, readable by their owner only."""

from __future__ import annotations

import os
import secrets
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from ivr.errors import StartError

OPTIONAL = ("ambulance_secret",)


@dataclass(frozen=True)
class Secrets:
    """Contents of `secrets.toml`."""

    ami_reader: str
    """AMI user that only reads events."""
    ami_actor: str
    """AMI user that may originate and redirect; worth as much as all SIP secrets (GetConfigJSON)."""
    cookie_key: str
    """Signs the console's cookies; a new one logs everybody out."""
    ambulance_secret: str = ""
    """Signs the packages to 120; both sides have to know it. A file of before has none: add the line by hand."""

    def __repr__(self) -> str:
        return "Secrets(…)"


def load_secrets(path: Path) -> Secrets:
    """Raises StartError when the file is missing, broken, or open to others."""
    try:
        if path.stat().st_mode & 0o077:
            raise StartError(
                f"{path} 对其他用户可读，请执行 chmod 600 {path}", f"others may read {path}: chmod 600 {path}"
            )
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return Secrets(
            **{
                name: str(values[name])
                for name in Secrets.__dataclass_fields__
                if name in values or name not in OPTIONAL
            }
        )
    except OSError as error:
        raise StartError(f"无法读取 {path}：{error.strerror}", f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise StartError(
            f"{path} 已损坏（{error}），删除后下次启动会重新生成",
            f"{path} is broken ({error}): remove it and the next start makes a new one",
        ) from error


def ensure_secrets(path: Path) -> Secrets:
    """Load, or make at first start. Written aside and linked, so a half-written file is never read."""
    if not path.exists():
        made = Secrets(*(secrets.token_urlsafe(32) for _ in Secrets.__dataclass_fields__))
        text = "".join(f'{name} = "{value}"\n' for name, value in asdict(made).items())
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # never over a file that another process made first
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return load_secrets(path)
