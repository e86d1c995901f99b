"""seatlock: license activation for plug-ins in Python.

    import seatlock

    options = seatlock.Options(
        product="com.example.bridge", server="https://license.example.com", root_keys=["11qY..."]
    )
    with seatlock.Client(options) as client:
        client.wait(client.activate(token, terms=True, remember=True))
        print(client.licensed)

A plug-in with a window waits for nothing: `seatlock.panel.Panel` does the rest from a timer.
"""

from .client import Client, Credential, Entitlement, Event, License, Options, Status, machine_id
from .codes import Code, CredentialKind, EventKind, Intent, State, Text
from .errors import LibraryError, SeatlockError
from .native import library

__all__ = [
    "Client",
    "Code",
    "Credential",
    "CredentialKind",
    "Entitlement",
    "Event",
    "EventKind",
    "Intent",
    "LibraryError",
    "License",
    "Options",
    "SeatlockError",
    "State",
    "Status",
    "Text",
    "library",
    "machine_id",
]
