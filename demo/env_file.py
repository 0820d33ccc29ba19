"""``python3 demo/env_file.py`` writes .env for Docker Compose: .env.example with generated secrets.

Uses the standard library only, for machines with Docker but without the package's environment.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def filled(example: str) -> str:
    """The text of an example with a secret for each variable that has no value."""

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name == "AIRFLOW_FERNET_KEY":
            return f"{name}={base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}"
        return f"{name}={secrets.token_hex(12 if name.endswith('PASSWORD') else 32)}"

    return re.sub(r"^([A-Z_]+)=$", fill, example, flags=re.MULTILINE)


def main(folder: Path = PROJECT) -> int:
    path = folder / ".env"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.stderr.write(f"{path} exists already, and is not changed\n")
        return 0
    with os.fdopen(handle, "w") as opened:
        opened.write(filled((folder / ".env.example").read_text()))
    print(f"wrote {path}, with secrets and the password of Airflow's user admin")
    return 0


if __name__ == "__main__":
    sys.exit(main())
