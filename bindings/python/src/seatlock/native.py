"""The shared library: its file, its functions and its structs. Everything else is built on it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import (
    POINTER,
    c_char,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_ssize_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from threading import Lock
from typing import Any, Optional, TypeVar, Union

from .codes import ABI_VERSION, Code
from .errors import LibraryError, SeatlockError

Handle = c_void_p
S = TypeVar("S", bound=ctypes.Structure)


class CError(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("code", c_int32),
        ("http_status", c_uint32),
        ("reserved", c_uint32),
        ("available_at", c_int64),
        ("message", c_char * 512),
        ("buffer", c_void_p),
        ("capacity", c_size_t),
        ("needed", c_size_t),
    ]


class CEntitlement(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("included", c_uint32),
        ("has_value", c_uint32),
        ("reserved", c_uint32),
        ("value", c_int64),
        ("valid_until", c_int64),
    ]


class CLicense(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("subscription_end", c_int64),
        ("updates_until", c_int64),
    ]


class CCredential(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("remembered", c_uint32),
        ("reserved", c_uint32),
    ]


class CStatus(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("state", c_uint32),
        ("reason", c_int32),
        ("warn", c_uint32),
        ("valid_until", c_int64),
        ("next_try", c_int64),
        ("confirmed_at", c_int64),
        ("generation", c_uint64),
    ]


class CEvent(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("operation", c_uint64),
        ("code", c_int32),
        ("http_status", c_uint32),
        ("available_at", c_int64),
        ("message", c_char * 512),
        ("values", c_char * 480),
    ]


STRUCTS = {
    "seatlock_error": CError,
    "seatlock_entitlement": CEntitlement,
    "seatlock_license": CLicense,
    "seatlock_credential": CCredential,
    "seatlock_status": CStatus,
    "seatlock_event": CEvent,
}

# A trailing POINTER(CError) stands for "says more when it fails".
_ERROR = POINTER(CError)
_BUFFER = (c_void_p, c_size_t, POINTER(c_size_t))
_STARTS = (POINTER(c_uint64), _ERROR)
FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "version": (c_char_p, ()),
    "abi_version": (c_uint32, ()),
    "code_name": (c_char_p, (c_int32,)),
    "code_text": (c_char_p, (c_int32,)),
    "code_remedy": (c_char_p, (c_int32,)),
    "code_url": (c_char_p, (c_int32,)),
    "machine_id": (c_int32, (c_char_p, c_char_p, *_BUFFER, _ERROR)),
    "options_new": (c_int32, (POINTER(Handle),)),
    "options_free": (None, (Handle,)),
    **{
        f"options_{name}": (c_int32, (Handle, *arguments, _ERROR))
        for name, arguments in {
            "set_product": (c_char_p,),
            "set_family": (c_char_p,),
            "set_server": (c_char_p,),
            "set_license_issuer": (c_char_p,),
            "add_root_key": (c_char_p,),
            "add_lease_key": (c_char_p,),
            "set_state_folder": (c_char_p,),
            "set_machine_id": (c_char_p,),
            "set_proxy": (c_char_p,),
            "add_ca_certificates": (c_char_p, c_size_t),
            "set_host": (c_char_p, c_char_p),
            "set_catalogue": (c_char_p, c_size_t),
            "set_utc_offset": (c_int32,),
            "set_plugin": (c_char_p, c_int64),
            "set_terms": (c_char_p,),
            "set_auto_renew": (c_uint32,),
            "set_network_allowed": (c_uint32,),
            "set_account_folder": (c_char_p,),
            "set_oidc_issuer": (c_char_p,),
            "set_client_id": (c_char_p,),
            "set_client_secret": (c_char_p,),
            "set_scopes": (c_char_p,),
            "set_audience": (c_char_p,),
        }.items()
    },
    "client_open": (c_int32, (Handle, POINTER(Handle), _ERROR)),
    "client_close": (c_int32, (Handle, c_uint32)),
    "client_allow_network": (c_int32, (Handle, c_uint32, _ERROR)),
    "client_set_proxy": (c_int32, (Handle, c_char_p, _ERROR)),
    "client_add_ca_certificates": (c_int32, (Handle, c_char_p, c_size_t, _ERROR)),
    "client_text": (c_int32, (Handle, c_uint32, *_BUFFER)),
    "client_status_value": (c_int32, (Handle, c_char_p, *_BUFFER)),
    "client_code_text": (c_int32, (Handle, c_int32, *_BUFFER)),
    "client_code_remedy": (c_int32, (Handle, c_int32, *_BUFFER)),
    "client_report": (c_int32, (Handle, *_BUFFER)),
    "client_entitlement": (c_int32, (Handle, c_char_p, POINTER(CEntitlement))),
    "client_license": (c_int32, (Handle, POINTER(CLicense))),
    "client_credential": (c_int32, (Handle, POINTER(CCredential))),
    "client_status": (c_int32, (Handle, POINTER(CStatus))),
    "client_activate": (c_int32, (Handle, c_char_p, c_uint32, *_STARTS)),
    "client_ping": (c_int32, (Handle, c_uint32, *_STARTS)),
    "client_release": (c_int32, (Handle, *_STARTS)),
    "client_preflight": (c_int32, (Handle, c_char_p, *_STARTS)),
    "client_sign_in_browser": (c_int32, (Handle, c_uint32, c_uint32, c_uint32, *_STARTS)),
    "client_sign_in_device": (c_int32, (Handle, c_uint32, c_uint32, *_STARTS)),
    "client_sign_out": (c_int32, (Handle, *_STARTS)),
    "client_forget": (c_int32, (Handle, *_STARTS)),
    "client_airgap_request": (c_int32, (Handle, c_char_p, c_uint32, c_char_p, *_STARTS)),
    "client_airgap_import": (c_int32, (Handle, c_char_p, *_STARTS)),
    "client_airgap_release": (c_int32, (Handle, c_char_p, *_STARTS)),
    "client_cancel": (c_int32, (Handle, c_uint64)),
    "client_next_event": (c_int32, (Handle, c_uint32, POINTER(CEvent))),
    "client_wait": (c_int32, (Handle, c_uint64, c_uint32, POINTER(CEvent))),
    "client_event_handle": (c_int32, (Handle, POINTER(c_ssize_t), _ERROR)),
}
# What the package leaves out: functions that the library would call on threads of its own, which a
# plug-in in Python has no need of, and tables of codes, which `Code` is.
LEFT_OUT = frozenset({"options_set_wake", "options_set_log", "code_count", "code_at", "event_value"})


def empty(kind: type[S]) -> S:
    """A struct as the library wants it."""
    return kind(struct_size=ctypes.sizeof(kind))


class Library:
    """A loaded library. It stays loaded until the process ends."""

    def __init__(self, path: Path) -> None:
        """Loads the library at `path`."""
        if not path.is_file():
            raise LibraryError(Code.INTERNAL, f"The license library is missing: {path}.")
        try:
            loaded = ctypes.CDLL(str(path.resolve()))
        except OSError as error:
            raise LibraryError(Code.INTERNAL, f"The license library cannot be loaded: {path}.") from error
        self._functions: dict[str, Any] = {}
        try:
            loaded.seatlock_abi_version.restype = c_uint32
            abi = loaded.seatlock_abi_version()
        except AttributeError:
            raise LibraryError(Code.INTERNAL, f"This is not the license library: {path}.") from None
        if abi != ABI_VERSION:
            raise LibraryError(
                Code.INTERNAL, f"The license library has interface {abi}, not {ABI_VERSION}: {path}."
            )
        for name, (result, arguments) in FUNCTIONS.items():
            try:
                function = getattr(loaded, f"seatlock_{name}")
            except AttributeError:
                raise LibraryError(
                    Code.INTERNAL,
                    f"The license library is too old for this plug-in: {path} has no seatlock_{name}.",
                ) from None
            function.restype = result
            function.argtypes = arguments
            self._functions[name] = function

    def __getattr__(self, name: str) -> Any:
        """A function as it is, without the prefix."""
        try:
            return self._functions[name]
        except KeyError:
            raise AttributeError(name) from None

    def call(self, name: str, *arguments: Any) -> int:
        """Calls what takes a `seatlock_error`, and raises what it refuses."""
        error = empty(CError)
        code: int = self._functions[name](*arguments, ctypes.byref(error))
        if code < 0:
            raise self.refusal(code, said(error.message), error.http_status, error.available_at)
        return code

    def checked(self, name: str, *arguments: Any) -> int:
        """Calls what says everything by its result, and raises errors."""
        code: int = self._functions[name](*arguments)
        if code < 0:
            raise self.refusal(code)
        return code

    def text(self, name: str, *arguments: Any) -> str:
        """Asks for a text of any length; empty when there is none now."""
        needed = c_size_t(256)
        while True:
            buffer = ctypes.create_string_buffer(needed.value)
            code = self._functions[name](*arguments, buffer, len(buffer), ctypes.byref(needed))
            if code == Code.BUFFER_TOO_SMALL:
                continue
            if code < 0:
                raise self.refusal(code)
            return said(buffer.value) if code == Code.OK else ""

    def refusal(
        self, code: int, message: str = "", http_status: int = 0, available_at: int = 0
    ) -> SeatlockError:
        """The exception for a code."""
        return SeatlockError(
            code,
            message or said(self.code_text(code)),
            remedy=said(self.code_remedy(code)),
            url=said(self.code_url(code)),
            http_status=http_status,
            available_at=available_at,
        )

    def utf8(self, text: str) -> bytes:
        """A text for C, which knows neither half characters nor NUL in a text."""
        if "\0" in text:
            raise self.refusal(Code.INVALID_ARGUMENT)
        try:
            return text.encode()
        except UnicodeEncodeError:
            raise self.refusal(Code.INVALID_UTF8) from None


def said(text: Optional[bytes]) -> str:
    """A text of the library, which is UTF-8."""
    return (text or b"").decode("utf-8", "replace")


def values(raw: bytes) -> Iterator[tuple[str, str]]:
    """Names and values, each with a NUL behind it, and another NUL at the end."""
    parts = iter(raw.split(b"\0"))
    for name in parts:
        if not name:
            return
        yield said(name), said(next(parts, b""))


_loaded: dict[Path, Library] = {}
_turn = Lock()


def library(path: Union[str, Path, None] = None) -> Library:
    """The library at `path`, or the one that the package carries."""
    if path is None:
        folder = Path(__file__).parent / "lib"
        path = next(iter(sorted(folder.glob("*seatlock*"))), folder / "libseatlock")
    path = Path(path)
    with _turn:
        if path not in _loaded:
            _loaded[path] = Library(path)
        return _loaded[path]
