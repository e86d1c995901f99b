"""A client: one open license of one product on one computer."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from ctypes import c_ssize_t, c_uint64
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from . import native
from .codes import Code, Consent, Intent, State, Text
from .errors import SeatlockError
from .native import Handle, Library, empty, said

if TYPE_CHECKING:
    import asyncio

FilePath = Union[str, Path]
EXIT_MS = 2000
"""How long the end of the interpreter waits for a client that was not closed, at most."""


@dataclass(frozen=True)
class Options:
    """How a client is to be opened. `include/seatlock.h` says more of each."""

    product: str
    """Such as "com.example.bridge"."""
    server: str
    """Such as "https://license.example.com"."""
    root_keys: Sequence[str] = ()
    """What `seatlock-server init` prints. At least one root or lease key; compile them in."""
    lease_keys: Sequence[str] = ()
    family: Optional[str] = None
    license_issuer: Optional[str] = None
    state_folder: Optional[FilePath] = None
    machine_id: Optional[str] = None
    proxy: Optional[str] = None
    ca_certificates: Optional[bytes] = None
    host: Optional[tuple[str, str]] = None
    """The host application and its version, such as ("blender", "5.0.1")."""
    plugin: Optional[tuple[str, int]] = None
    """The version of your plug-in, and the Unix time in seconds of its release."""
    terms: Optional[str] = None
    """Version of the terms that you show."""
    catalogue: Optional[bytes] = None
    """Texts of another language."""
    utc_offset: Optional[int] = None
    """Minutes ahead of UTC, for moments in messages."""
    auto_renew: bool = False
    network_allowed: bool = True
    account_folder: Optional[FilePath] = None
    oidc_issuer: Optional[str] = None
    client_id: Optional[str] = None
    client_secret: Optional[str] = field(default=None, repr=False)
    scopes: Optional[str] = None
    audience: Optional[str] = None
    library: Optional[FilePath] = None
    """The library's file, where it is not the one of the package."""


class Status(NamedTuple):
    """The lock state."""

    state: int
    """A `State`."""
    reason: int
    """A `Code`: why it is locked, or OK, OK_OFFLINE, OK_WARN."""
    warn: bool
    """The user should be told that the offline period ends soon."""
    valid_until: int
    """Unix seconds, 0 when locked."""
    next_try: int
    """Unix seconds, 0 when unknown."""
    confirmed_at: int
    """Unix seconds of the last signed answer, 0 for never."""
    generation: int
    """While it is the same as before, nothing has changed but the time."""

    @property
    def licensed(self) -> bool:
        """Whether the plug-in may work."""
        return self.state in (State.UNLOCKED, State.GRACE)


class Entitlement(NamedTuple):
    """What the license says of an entitlement."""

    included: bool
    value: Optional[int]
    valid_until: int
    """Unix seconds, 0 for as long as the license."""


class License(NamedTuple):
    """Times of the license, in Unix seconds, 0 for none."""

    subscription_end: int
    updates_until: int


class Credential(NamedTuple):
    """What the client asks the server with."""

    kind: int
    """A `CredentialKind`."""
    remembered: bool


@dataclass(frozen=True)
class Event:
    """Something that happened. Ignore kinds that you do not know."""

    kind: int
    """An `EventKind`."""
    operation: int
    """The operation that ended, 0 for other kinds."""
    code: int
    """A `Code`: how it ended, what changed, what to notice."""
    message: str
    """For a person."""
    http_status: int
    available_at: int
    """Unix seconds from which a new try makes sense, 0 when unknown."""
    values: Mapping[str, str]
    """What the message is about, by name."""


class Client:
    """An open client. Every method may be called from any thread at any time, and only `wait`,
    `events` and `close` wait for anything. Of a client that is closed the library answers
    `Code.CLOSED`, also to a call that another thread is in; in a child process after fork,
    `Code.FORKED`.

    A client that nobody closes is closed when nobody refers to it any more, and else when the
    interpreter ends.
    """

    def __init__(self, options: Options) -> None:
        """Reads two small files; the lock state is known from now on.

        Raises `LibraryError` or `SeatlockError`.
        """
        self._library = native.library(options.library)
        made, handle = Handle(), Handle()
        self._library.checked("options_new", ctypes.byref(made))
        try:
            _fill(self._library, made, options)
            self._library.call("client_open", made, ctypes.byref(handle))
        finally:
            self._library.options_free(made)
        self._handle = handle
        self._sleeper: Optional[_Sleeper] = None
        # At the end of the interpreter too, which is what weakref's own atexit does.
        self._finalizer = weakref.finalize(self, self._library.client_close, handle, EXIT_MS)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self, timeout: float = 5.0) -> bool:
        """Closes the client, within `timeout` seconds: True when nothing of it runs any more. Calls
        of other threads end. Again, it does nothing.

        An `async for` ends too; close the client on the thread of its loop.
        """
        self._finalizer.detach()
        if self._sleeper is not None:
            self._sleeper.end()
        code = self._library.client_close(self._handle, _milliseconds(timeout))
        return bool(code != Code.STILL_RUNNING)

    # ---- What is known, without waiting ----

    def status(self) -> Status:
        """The lock state. As often as you like."""
        found = empty(native.CStatus)
        self._library.checked("client_status", self._handle, ctypes.byref(found))
        return Status(
            found.state,
            found.reason,
            bool(found.warn),
            found.valid_until,
            found.next_try,
            found.confirmed_at,
            found.generation,
        )

    @property
    def licensed(self) -> bool:
        """Whether the plug-in may work. Never raises: what is not known is not licensed."""
        try:
            return self.status().licensed
        except SeatlockError:
            return False

    def text(self, what: Text) -> str:
        """A text about the client; empty when there is none now."""
        return self._library.text("client_text", self._handle, what)

    def status_value(self, name: str) -> str:
        """A value of what `Text.STATUS` says; empty when it has none of that name."""
        return self._library.text("client_status_value", self._handle, self._library.utf8(name))

    def entitlement(self, name: str) -> Entitlement:
        """What the license says of an entitlement."""
        found = empty(native.CEntitlement)
        raw = self._library.utf8(name)
        self._library.checked("client_entitlement", self._handle, raw, ctypes.byref(found))
        value = found.value if found.has_value else None
        return Entitlement(bool(found.included), value, found.valid_until)

    def license(self) -> Optional[License]:
        """Times of the license; None while there is none."""
        found = empty(native.CLicense)
        code = self._library.checked("client_license", self._handle, ctypes.byref(found))
        return License(found.subscription_end, found.updates_until) if code == Code.OK else None

    def credential(self) -> Optional[Credential]:
        """What the client asks the server with; None for nothing."""
        found = empty(native.CCredential)
        code = self._library.checked("client_credential", self._handle, ctypes.byref(found))
        return Credential(found.kind, bool(found.remembered)) if code == Code.OK else None

    def code_text(self, code: int) -> str:
        """What to tell a user of a code, with blanks, in the client's language."""
        return self._library.text("client_code_text", self._handle, code)

    def code_remedy(self, code: int) -> str:
        """What a user can do about a code, in the client's language."""
        return self._library.text("client_code_remedy", self._handle, code)

    def code_name(self, code: int) -> str:
        """Name of a code, such as "seat_limit_reached"."""
        return said(self._library.code_name(code))

    def code_url(self, code: int) -> str:
        """Address of the page about a code."""
        return said(self._library.code_url(code))

    def report(self) -> str:
        """A support report, without a token. It looks at a few small files."""
        return self._library.text("client_report", self._handle)

    # ---- Operations: each answers its number at once, and ends with an event ----

    def activate(self, token: str, *, terms: bool, remember: bool) -> int:
        """Submits a token, with what the user ticked."""
        return self._start("activate", self._library.utf8(token), _consent(terms, remember))

    def ping(self, intent: Intent = Intent.LAUNCH) -> int:
        """Tells the server that the seat is used, and renews the lease. Once at the start."""
        return self._start("ping", intent)

    def release(self) -> int:
        """Gives the seat back, and forgets the token here."""
        return self._start("release")

    def preflight(self, token: Optional[str] = None) -> int:
        """Asks what activating would say."""
        return self._start("preflight", None if token is None else self._library.utf8(token))

    def sign_in_browser(
        self, *, terms: bool, remember: bool, open_page: bool = True, timeout: float = 0.0
    ) -> int:
        """Lets a person sign in with a browser; 0 seconds stand for five minutes."""
        return self._start(
            "sign_in_browser", _consent(terms, remember), int(open_page), _milliseconds(timeout)
        )

    def sign_in_device(self, *, terms: bool, remember: bool, timeout: float = 0.0) -> int:
        """Lets a person sign in at another device."""
        return self._start("sign_in_device", _consent(terms, remember), _milliseconds(timeout))

    def sign_out(self) -> int:
        """Forgets sign-in and license here, and tells the issuer."""
        return self._start("sign_out")

    def forget(self) -> int:
        """Forgets token and license here; the seat stays bound to this computer."""
        return self._start("forget")

    def airgap_request(self, token: str, path: FilePath, *, terms: bool, remember: bool) -> int:
        """Writes a request file, for a computer without a network."""
        utf8 = self._library.utf8
        return self._start("airgap_request", utf8(token), _consent(terms, remember), utf8(str(path)))

    def airgap_import(self, path: FilePath) -> int:
        """Takes the lease file that answers the last request file."""
        return self._start("airgap_import", self._library.utf8(str(path)))

    def airgap_release(self, path: FilePath) -> int:
        """Gives the license up, and writes the file that says so."""
        return self._start("airgap_release", self._library.utf8(str(path)))

    def cancel(self, operation: int) -> None:
        """Ends an operation that has not ended."""
        self._library.checked("client_cancel", self._handle, operation)

    def allow_network(self, allowed: bool) -> None:
        """Forbids or allows the network, for a host whose user can switch it off."""
        self._library.call("client_allow_network", self._handle, int(allowed))

    def set_proxy(self, address: Optional[str]) -> None:
        """Sets another proxy; None for what the system says."""
        raw = None if address is None else self._library.utf8(address)
        self._library.call("client_set_proxy", self._handle, raw)

    def add_ca_certificates(self, pem: bytes) -> None:
        """Trusts further certificate authorities."""
        self._library.call("client_add_ca_certificates", self._handle, pem, len(pem))

    # ---- Events ----

    def poll(self) -> list[Event]:
        """Takes the events that are there. For a timer of the host."""
        return [*iter(lambda: self._next(0), None)]

    def events(self) -> Iterator[Event]:
        """Waits for events until the client is closed. For a thread of its own."""
        while True:
            try:
                # A moment at a time: while C waits, Python handles no Ctrl-C.
                event = self._next(200)
            except SeatlockError as error:
                if error.code == Code.CLOSED:
                    return
                raise
            if event is not None:
                yield event

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Events, until the client is closed: `async for event in client`. One loop at a time."""
        while self._finalizer.alive:
            try:
                for event in self.poll():
                    yield event
                await self._readable()
            except SeatlockError as error:
                if error.code == Code.CLOSED:
                    return
                raise

    def event_handle(self) -> int:
        """What a poll loop can watch: a descriptor that is readable, or a HANDLE of Windows that is
        signalled, while there are events. Never read or close it, and stop watching before `close`.
        """
        handle = c_ssize_t()
        self._library.call("client_event_handle", self._handle, ctypes.byref(handle))
        return handle.value

    def wait(self, operation: int, timeout: float = 60.0) -> Event:
        """Waits until an operation has ended; for programs without a window.

        Raises `SeatlockError` when it failed, and `TimeoutError` after `timeout` seconds: then it
        goes on.
        """
        found = empty(native.CEvent)
        code = self._library.client_wait(self._handle, operation, _milliseconds(timeout), ctypes.byref(found))
        if code == Code.PENDING:
            raise TimeoutError(said(self._library.code_text(code)))
        event = self._event(found)
        if code < 0:
            raise self._library.refusal(code, event.message, event.http_status, event.available_at)
        return event

    def _next(self, timeout_ms: int) -> Optional[Event]:
        found = empty(native.CEvent)
        code = self._library.checked("client_next_event", self._handle, timeout_ms, ctypes.byref(found))
        return None if code == Code.NO_EVENT else self._event(found)

    @staticmethod
    def _event(found: native.CEvent) -> Event:
        raw = bytes(found)[native.CEvent.values.offset :]
        return Event(
            found.kind,
            found.operation,
            found.code,
            said(found.message),
            found.http_status,
            found.available_at,
            dict(native.values(raw)),
        )

    def _start(self, verb: str, *arguments: Any) -> int:
        operation = c_uint64()
        self._library.call(f"client_{verb}", self._handle, *arguments, ctypes.byref(operation))
        return operation.value

    async def _readable(self) -> None:
        if self._sleeper is not None:
            raise RuntimeError("another loop takes the events of this client")
        loop = _running_loop()
        if loop is None:
            raise RuntimeError("no loop is running")
        sleeper = _Sleeper(loop, self.event_handle())
        self._sleeper = sleeper
        try:
            await sleeper.sleep()
        finally:
            self._sleeper = None


class _Sleeper:
    """A loop that waits for an event."""

    def __init__(self, loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
        self._loop = loop
        self._descriptor = descriptor
        self._awake = loop.create_future()
        self._watched = False

    async def sleep(self) -> None:
        """Until there is an event, or the client is closed."""
        try:
            self._loop.add_reader(self._descriptor, self._wake)
            self._watched = True
        except NotImplementedError:
            # The loop of Windows watches no handles.
            self._loop.call_later(0.1, self._wake)
        try:
            await self._awake
        finally:
            self._unwatch()

    def end(self) -> None:
        """Before the descriptor goes away."""
        if _running_loop() is self._loop:
            self._unwatch()
            self._wake()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._descriptor)

    def _wake(self) -> None:
        if not self._awake.done():
            self._awake.set_result(None)


def _running_loop() -> Optional[asyncio.AbstractEventLoop]:
    import asyncio  # noqa: PLC0415  Hosts that use a timer do without its 50 milliseconds.

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def machine_id(product: str, supplied: Optional[str] = None, library: Optional[FilePath] = None) -> str:
    """This computer's machine id for a product, or for its family."""
    loaded = native.library(library)
    buffer = ctypes.create_string_buffer(64)
    given = None if supplied is None else loaded.utf8(supplied)
    loaded.call("machine_id", loaded.utf8(product), given, buffer, len(buffer), None)
    return said(buffer.value)


def _milliseconds(seconds: float) -> int:
    return max(0, min(int(seconds * 1000), 2**32 - 1))


def _consent(terms: bool, remember: bool) -> int:
    return (Consent.TERMS if terms else 0) | (Consent.REMEMBER if remember else 0)


def _fill(library: Library, made: Handle, options: Options) -> None:
    def put(name: str, *arguments: Any) -> None:
        library.call(f"options_{name}", made, *arguments)

    utf8 = library.utf8
    for key in options.root_keys:
        put("add_root_key", utf8(key))
    for key in options.lease_keys:
        put("add_lease_key", utf8(key))
    for name in (
        "product",
        "family",
        "server",
        "license_issuer",
        "state_folder",
        "machine_id",
        "proxy",
        "terms",
        "account_folder",
        "oidc_issuer",
        "client_id",
        "client_secret",
        "scopes",
        "audience",
    ):
        value = getattr(options, name)
        if value is not None:
            put(f"set_{name}", utf8(str(value)))
    if options.host is not None:
        put("set_host", *map(utf8, options.host))
    if options.plugin is not None:
        put("set_plugin", utf8(options.plugin[0]), options.plugin[1])
    if options.ca_certificates is not None:
        put("add_ca_certificates", options.ca_certificates, len(options.ca_certificates))
    if options.catalogue is not None:
        put("set_catalogue", options.catalogue, len(options.catalogue))
    if options.utc_offset is not None:
        put("set_utc_offset", options.utc_offset)
    put("set_auto_renew", int(options.auto_renew))
    put("set_network_allowed", int(options.network_allowed))
