"""What Postgres keeps of a password, made on our side so that no statement and no log holds the password itself."""

import hashlib
import hmac
import secrets
from base64 import b64encode
from typing import Final

ITERATIONS: Final = 4096
SALT_BYTES: Final = 16


def verifier(password: str, *, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """The SCRAM-SHA-256 verifier of a password of ASCII characters, as `pg_authid.rolpassword` has it.

    RFC 5802 (section 3, *SCRAM Algorithm Overview*) with SHA-256 (RFC 7677); the form is that of the PostgreSQL
    documentation, *pg_authid*: `SCRAM-SHA-256$ITERATIONS:SALT$STORED_KEY:SERVER_KEY`.
    """
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored_key = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    told = (_text(part) for part in (salt, stored_key, _hmac(salted, b"Server Key")))
    return "SCRAM-SHA-256${}:{}${}:{}".format(iterations, *told)


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _text(data: bytes) -> str:
    return b64encode(data).decode()
