"""Tenants and keys of tests that are not about the commands: each command is a process that starts for a second."""

import asyncio

import asyncpg

from service.demo.client import Client
from service.store.engine import SERVER_SETTINGS
from service.store.keys import create_key
from service.store.tenants import create_tenant


def made(url: str, name: str, *scopes: str) -> str:
    """Make a tenant in UTC; returns a key with these scopes."""
    return asyncio.run(_made(url, name, scopes))


def client(url: str, address: str, name: str, *scopes: str) -> tuple[Client, str]:
    """Make a tenant and a client that may read, and what the scopes say; returns the client's key too."""
    key = made(url, name, "read", *scopes)
    return Client(address, write_key=key, read_key=key), key


async def _made(url: str, name: str, scopes: tuple[str, ...]) -> str:
    connection = await asyncpg.connect(url, server_settings=SERVER_SETTINGS)
    try:
        _, key = await create_key(connection, await create_tenant(connection, name, "UTC"), scopes)
    finally:
        await connection.close()
    return key
