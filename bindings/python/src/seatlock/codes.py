"""Numbers of `include/seatlock.h`, made of `include/ABI.txt` by `tests/test_abi.py`."""

from enum import IntEnum, IntFlag

ABI_VERSION = 1


class Code(IntEnum):
    """What functions return, and what events and the status report."""

    OK = 0
    OK_OFFLINE = 1
    OK_WARN = 2
    NO_EVENT = 3
    PENDING = 4
    NO_VALUE = 5
    NOT_ACTIVATED = 6
    STILL_RUNNING = 7
    NO_TOKEN = -10
    TOKEN_MALFORMED = -11
    TOKEN_WRONG_KIND = -12
    TOKEN_UNKNOWN = -13
    TOKEN_REVOKED = -14
    SIGN_IN_REQUIRED = -15
    SIGN_IN_REFUSED = -16
    SCOPE_MISSING = -17
    IDENTITY_UNKNOWN = -18
    IDENTITY_PROVIDER_UNAVAILABLE = -19
    SEAT_IN_USE_ELSEWHERE = -20
    SEAT_LIMIT_REACHED = -21
    SEAT_RELEASED = -22
    RELEASE_RATE_LIMITED = -23
    LEASE_SUPERSEDED = -24
    MACHINE_ID_SUPPLIED = -25
    LICENSE_SUSPENDED = -30
    LICENSE_EXPIRED = -31
    PLAN_NOT_ENTITLED = -32
    TERMS_REQUIRED = -33
    PLUGIN_TOO_OLD = -34
    UPDATE_NOT_INCLUDED = -35
    LEASE_EXPIRED = -40
    MACHINE_MISMATCH = -41
    MACHINE_ID_UNAVAILABLE = -42
    CLOCK = -43
    STORE_UNWRITABLE = -44
    STORE_CORRUPT = -45
    FILE_UNUSABLE = -46
    UNREACHABLE = -50
    UNEXPECTED_RESPONSE = -51
    TLS_UNTRUSTED = -52
    RATE_LIMITED = -53
    SERVER = -54
    MAINTENANCE = -55
    REPLAYED_RESPONSE = -56
    BAD_SIGNATURE = -57
    PROXY_AUTH_REQUIRED = -58
    NETWORK_DISALLOWED = -59
    INVALID_ARGUMENT = -60
    NULL_POINTER = -61
    INVALID_UTF8 = -62
    STRUCT_SIZE = -63
    BUFFER_TOO_SMALL = -64
    INTERNAL = -65
    FORKED = -66
    CLOSED = -67
    CANCELLED = -68
    UNKNOWN_OPERATION = -69
    BUSY = -70


class Text(IntEnum):
    """Which text `Client.text` answers."""

    MACHINE_ID = 1
    MACHINE_SHORT = 2
    SEAT = 3
    PLAN = 4
    ENTITLEMENTS = 5
    STATUS = 6
    STATE_FOLDER = 7
    SIGN_IN_URL = 8
    SIGN_IN_CODE = 9
    EVENT = 10
    ACCOUNT = 11
    EMAIL = 12
    DATA = 13
    TERMS = 14
    SUBJECT = 15


class CredentialKind(IntEnum):
    """What a client asks the server with."""

    TOKEN = 1
    PERSON = 2
    MACHINE = 3


class State(IntEnum):
    """Whether there is a license."""

    UNLOCKED = 1
    GRACE = 2
    LOCKED = 3


class Consent(IntFlag):
    """What the user ticked."""

    TERMS = 1
    REMEMBER = 2


class Intent(IntEnum):
    """Why a host pings."""

    LAUNCH = 1
    RENEW = 2


class EventKind(IntEnum):
    """Kind of an event."""

    OPERATION = 1
    STATUS = 2
    NOTICE = 3
    SIGN_IN = 4
