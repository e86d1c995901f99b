use seatlock_protocol::Code;
use std::fmt;

/// A text for a person in English, with blanks such as `{path}`, and the id under which catalogues
/// have it in other languages. What stands in the blank of another text begins and ends as it fits
/// there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phrase {
    /// Its id. The texts of codes have the codes' names.
    pub id: &'static str,
    /// The text.
    pub english: &'static str,
}

impl From<Code> for Phrase {
    fn from(code: Code) -> Self {
        Self { id: code.name(), english: code.row().text }
    }
}

impl Phrase {
    /// The phrase with this id, which is none of a code.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::TABLE.iter().find(|phrase| phrase.id == id).copied()
    }
}

/// In English, with its blanks.
impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.english)
    }
}

macro_rules! phrases {
    ($($name:ident = $id:literal, $english:literal;)+) => {
        impl Phrase {
            $(#[doc = $english] pub const $name: Self = Self { id: $id, english: $english };)+

            /// All of them but the texts of the codes.
            pub const TABLE: &[Self] = &[$(Self::$name,)+];
        }
    };
}

phrases! {
    REQUEST_WRITTEN = "request_written", "The request was written. Import the file that is made from it.";
    LICENSE_GIVEN_UP = "license_given_up",
        "The license was given up. The seat is free once the file was brought back.";
    SEAT_GIVEN_BACK = "seat_given_back", "The seat was given back.";
    WOULD_SUCCEED = "would_succeed", "Activating would succeed.";
    SIGNED_OUT = "signed_out", "You are signed out on this computer.";
    FORGOTTEN = "forgotten", "Token and license were forgotten on this computer.";

    SIGN_IN_SHOWN = "sign_in_shown", "Sign in on the page that your browser shows.";
    SIGN_IN_NO_BROWSER = "sign_in_no_browser", "No browser could be opened. Open the sign-in page yourself.";
    SIGN_IN_TO_OPEN = "sign_in_to_open", "Sign in on the page that is to be opened in your browser.";
    SIGN_IN_DEVICE = "sign_in_device", "Open {url} on any device and enter the code {code} there.";
    SIGN_OUT_UNTOLD = "sign_out_untold",
        "The sign-in service could not be told that you signed out here, and keeps the sign-in until it \
         ends.";
    PAGE_SIGNED_IN = "page_signed_in", "You are signed in";
    PAGE_SIGNED_IN_THEN = "page_signed_in_then", "You may close this window and go back to the application.";
    PAGE_NOT_SIGNED_IN = "page_not_signed_in", "You are not signed in";
    PAGE_NOT_SIGNED_IN_THEN = "page_not_signed_in_then",
        "You may close this window. The application says why, and lets you try again.";
    PAGE_NOTHING = "page_nothing", "There is nothing here";
    PAGE_NOTHING_THEN = "page_nothing_then", "You may close this window.";

    STORE_NO_HOME = "store_no_home",
        "There is no folder for license files: set HOME to an absolute path, or name a folder with \
         SEATLOCK_STATE_DIR.";
    STORE_NO_WRITE = "store_no_write",
        "{path} cannot be written ({reason}); check that its folder belongs to you and the disk has room.";
    STORE_NO_READ = "store_no_read", "{path} cannot be read ({reason}); check its owner and permissions.";
    STORE_BUSY = "store_busy",
        "{path} is in use by another process; close other copies of the host and try again.";
    STORE_HELD = "store_held",
        "{path} is held by another program, such as a virus scanner; it is tried again by itself.";
    STORE_NEWER = "store_newer",
        "{path} was written by a newer version (format {format}); update this plug-in.";
    STORE_NO_TOKEN = "store_no_token",
        "{path} holds no token that this user can open; enter the token again.";

    TOKEN_IS_API = "token_is_api",
        "This is an API token; this plug-in needs an integration token from Seat Management.";
    TOKEN_IS_CLIENT_SECRET = "token_is_client_secret",
        "This is an OAuth client secret; this plug-in needs an integration token from Seat Management.";

    OFFLINE_BY_HOST = "offline_by_host", "The host application has switched it off";
    OFFLINE_BY_ENVIRONMENT = "offline_by_environment", "The environment variable SEATLOCK_OFFLINE is set";
    CLOCK_UNREADABLE = "clock_unreadable", "it cannot be read";
    DAYS = "days", "{number} days";
    HOURS = "hours", "{number} hours";
    MINUTES = "minutes", "{number} minutes";
    SECONDS = "seconds", "{number} seconds";

    FILE_OTHER_REQUEST = "file_other_request", "it does not answer the last request of this computer";
    FILE_CHANGED = "file_changed", "something in it was changed after it was made";
    FILE_TOO_LARGE = "file_too_large", "it is larger than 64 KiB";
    FILE_UTF16 = "file_utf16", "it is UTF-16; save it as UTF-8";
    FILE_NOT_UTF8 = "file_not_utf8", "it is not text in UTF-8 at line {line}; save it as UTF-8";
    FILE_EMPTY = "file_empty", "it is empty";
    FILE_NOT_JSON = "file_not_json", "it is not JSON at line {line}, column {column}";
    FILE_GOES_ON = "file_goes_on", "it goes on after its end, at line {line}, column {column}";
    FILE_OTHER_FORMAT = "file_other_format", "it is no {format} file";
    FILE_NEWER = "file_newer", "it was made by a newer release (version {version})";
    FILE_DAMAGED = "file_damaged", "it is damaged at line {line}, column {column}";

    OS_NOT_FOUND = "os_not_found", "it is not there";
    OS_NO_RIGHT = "os_no_right", "this user has no right to it";
    OS_READ_ONLY = "os_read_only", "its disk is read-only";
    OS_FULL = "os_full", "its disk is full";
    OS_QUOTA = "os_quota", "this user has no room left on its disk";
    OS_TOO_LARGE = "os_too_large", "it is too large";
    OS_FOLDER = "os_folder", "it is a folder";
    OS_NO_FOLDER = "os_no_folder", "its path leads through what is no folder";
    OS_NOT_UTF8 = "os_not_utf8", "it is not text in UTF-8";
    OS_NO_FILE = "os_no_file", "it is no ordinary file";
    OS_NAME = "os_name", "its name is too long or not allowed";
    OS_IN_USE = "os_in_use", "another program uses it";
    OS_DRIVE = "os_drive", "its network drive does not answer";
    OS_REFUSED = "os_refused", "the operating system refuses it";
    OS_REFUSED_ERROR = "os_refused_error", "the operating system refuses it (error {number})";
    SHORT_OF_FILES = "short_of_files", "The host application has too many files open";
    SHORT_OF_ALL_FILES = "short_of_all_files", "This computer has too many files open";
    SHORT_OF_MEMORY = "short_of_memory", "This computer has no memory or threads left";

    NET_SIGN_IN = "net_sign_in", "The network wants you to sign in";
    NET_NOTHING_THERE = "net_nothing_there",
        "A server answers there, but has nothing at this address; HTTP status: {status}";
    NET_UNSIGNED = "net_unsigned", "It refused the request without a signed answer; HTTP status: {status}";
    NET_GATEWAY = "net_gateway", "What stands in front of it cannot reach it; HTTP status: {status}";
    NET_MOVED = "net_moved", "Its address has moved, says what answers there; HTTP status: {status}";
    NET_SENT_ON = "net_sent_on", "It sends on to another page";
    NET_EMPTY = "net_empty", "The answer was empty";
    NET_PAGE = "net_page", "The answer was a web page";
    NET_FOREIGN = "net_foreign", "The answer was none of a license server";
    NET_LATE = "net_late", "There was no answer in time";
    NET_UNREADABLE = "net_unreadable", "The answer could not be read";
    NET_TUNNEL_REFUSED = "net_tunnel_refused", "The proxy does not let the plug-in through to the server";
    NET_PROXY_UNREACHABLE = "net_proxy_unreachable", "The proxy cannot be reached";
    NET_CLOSED = "net_closed", "The connection was closed without an answer";
    NET_NAME_UNKNOWN = "net_name_unknown", "The server's name, or the proxy's, was not found";
    NET_REFUSED = "net_refused", "The connection was refused";
    NET_BROKEN = "net_broken", "The connection was broken off";
    NET_NONE = "net_none", "There is no network";
    NET_NO_TLS = "net_no_tls", "It does not speak TLS";
    NET_INSECURE = "net_insecure", "No secure connection could be made";
    NET_IN_THE_CLEAR = "net_in_the_clear",
        "Its address begins with http, and nothing secret is sent to a proxy without https";
    NET_NO_AUTHORITIES = "net_no_authorities",
        "this computer has no list of certificate authorities; install its package ca-certificates, or \
         name their file with SSL_CERT_FILE";
    PROXY_NOT_UTF8 = "proxy_not_utf8", "The environment variable {variable} is not UTF-8";
    PROXY_UNUSABLE = "proxy_unusable", "The environment variable {variable} does not name a proxy: {fault}";
    PROXY_SYSTEM = "proxy_system", "The proxy settings of this computer name no usable proxy: {fault}";
    PROXY_FORM = "proxy_form",
        "it is not like http://user:password@host:port, with what is neither letter nor digit in user \
         and password written as % and two hexadecimal digits";
    PROXY_SCHEME = "proxy_scheme", "it is no HTTP proxy; write http:// or https:// before its host";

    CERT_BY = "cert_by", "{fault}; the certificate is by \"{issuer}\"";
    CERT_BY_NOBODY = "cert_by_nobody", "{fault}; the certificate is by nobody who is named";
    CERT_UNKNOWN_ISSUER = "cert_unknown_issuer", "unknown issuer";
    CERT_EXPIRED = "cert_expired", "expired";
    CERT_NOT_YET = "cert_not_yet", "not valid yet";
    CERT_OTHER_NAME = "cert_other_name", "made for another name";
    CERT_REVOKED = "cert_revoked", "revoked";
    CERT_DAMAGED = "cert_damaged", "damaged";
    CERT_SIGNATURE = "cert_signature", "its signature is wrong";
    CERT_PURPOSE = "cert_purpose", "made for another purpose";
    CERT_REVOCATION = "cert_revocation", "nobody says whether it was revoked";
    CERT_REFUSED = "cert_refused", "refused by the rules of this computer";

    OIDC_NO_CODE_PAGE = "oidc_no_code_page", "It does not say where to enter the code";
    OIDC_NO_DESCRIPTION = "oidc_no_description",
        "What it says of itself at .well-known/openid-configuration cannot be used";
    OIDC_OTHER_ISSUER = "oidc_other_issuer", "It calls itself by another address than the one that was asked";
    OIDC_NO_TOKEN = "oidc_no_token", "It does not say where access tokens come from";
    OIDC_NO_BROWSER = "oidc_no_browser", "It does not let people sign in with a browser";
    OIDC_NO_DEVICE = "oidc_no_device", "It does not let people sign in at another device";
    OIDC_INSECURE = "oidc_insecure", "It names an address that does not begin with https";
    OIDC_NO_PORT = "oidc_no_port", "This computer has no port for the browser to come back to";
    OIDC_NO_CODE = "oidc_no_code", "It sent the browser back without a code";
    OIDC_ADDRESS = "oidc_address", "Its address is not valid";
    OIDC_TOKEN_LONG = "oidc_token_long", "It answered, but the access token is too long";
    OIDC_TOKEN_NO_JWT = "oidc_token_no_jwt",
        "It answered, but the access token is not a JWT; ask the issuer for the audience of the license \
         server";
    OIDC_TOKEN_NOBODY = "oidc_token_nobody",
        "It answered, but the access token does not say who issued it, or for whom";
    OIDC_DENIED = "oidc_denied", "It was not allowed ({error})";
    OIDC_EXPIRED = "oidc_expired", "The code was not used in time ({error})";
    OIDC_CLIENT = "oidc_client", "The issuer does not accept this client id or its secret ({error})";
    OIDC_GRANT = "oidc_grant", "The issuer does not take this answer any more ({error})";
    OIDC_SCOPE = "oidc_scope", "The issuer does not know a permission that is asked for ({error})";
    OIDC_TARGET = "oidc_target", "The issuer does not know the license server by this audience ({error})";
    OIDC_MIXED_UP = "oidc_mixed_up", "The answer came from another issuer ({error})";
    OIDC_PROBLEM = "oidc_problem", "It has a problem of its own ({error})";
    OIDC_NO = "oidc_no", "The issuer said no ({error})";
    OIDC_LONG = "oidc_long", "Its answer is too long";
    OIDC_NOT_UNDERSTOOD = "oidc_not_understood", "What answered cannot be understood. HTTP status: {status}";
    OIDC_UNTRUSTED = "oidc_untrusted", "Its certificate is not trusted ({detail})";
    OIDC_LOGIN_PAGE = "oidc_login_page", "A proxy or login page answered in its place";
    OIDC_UNREACHABLE = "oidc_unreachable", "It cannot be reached";
    OIDC_LATE = "oidc_late", "It did not answer in time";
    OIDC_SOMEBODY_ELSE = "oidc_somebody_else", "It answered for somebody else";
    OIDC_NOBODY_CAME = "oidc_nobody_came", "Nobody signed in in time";
}
