/*
 * seatlock: license activation for plug-ins.
 *
 * Read this once; it holds for every function below.
 *
 * Calling. A seatlock_result is SEATLOCK_OK (0), a positive number when nothing is wrong but there
 * is nothing to give, or a negative number, which is an error. NULL, bad UTF-8, unknown numbers and
 * clients that are closed are errors, never crashes. Out parameters come last and are left alone on
 * failure. Of two functions, what they found is not the result: seatlock_client_wait returns how an
 * operation has ended and fills the event all the same; seatlock_client_entitlement says in its
 * struct whether something is included.
 *
 * Details. Calls that set, add, open, derive, allow or start something take a seatlock_error, the
 * last parameter, which may be NULL. It is filled when the call fails and left alone when it does
 * not, and so is the buffer that may come with it.
 * Calls that read, take, cancel or free say everything by their result and take none.
 *
 * Structs begin with struct_size. Initialise them with SEATLOCK_..._INIT, which sets it and clears
 * the rest. Later versions only add members at the end: a call fills what caller and library both
 * know, and writes to struct_size how much that is.
 *
 * Texts are UTF-8 and end with NUL, names of files too. What getenv() and main() get on Windows is
 * not UTF-8: convert what _wgetenv() and GetCommandLineW() say, as examples/c does, or give the
 * program a manifest whose activeCodePage is UTF-8. Texts for people are English, unless a
 * catalogue is set (seatlock_options_set_catalogue). Times are Unix seconds in 64 bits, 0 for none.
 * Every duration is in milliseconds, as its name says. A switch is 0 or 1.
 *
 * Ownership.
 *
 *     what                       made by               owned by you until         the library keeps
 *     options                    seatlock_options_new  seatlock_options_free      nothing
 *     client                     seatlock_client_open  seatlock_client_close      -
 *     texts and bytes you pass   you                   you like, after the call   a copy
 *     structs and buffers        you                   you like, after the call   nothing
 *     answers of const char *    the library           never: they are constants  -
 *     text of a log call         the library           never: until it returns    -
 *     contexts of your functions you                   close says SEATLOCK_OK     the pointer
 *     event handle               the library           never: close ends it       -
 *
 * Letting go.
 *
 *     call        seat on the server    token or sign-in here   license here            tells
 *     release     freed                 forgotten               gone                    the server
 *     forget      stays bound           forgotten               gone                    nobody
 *     sign out    stays bound           forgotten               gone                    the issuer
 *     close       stays bound           stays, if remembered    stays, if remembered    nobody
 *
 * Threads. [any thread]: may be called from any thread at any time, and never blocks unless it says
 * so. [one thread at a time]: the same object must not be used by two threads at once. [blocks]:
 * may take as long as its timeout. Work is done by one worker thread per client and is reported by
 * events that you take: from a timer, when the wake function was called, or when the event handle
 * is readable in a poll loop. Only the wake function and the log function are ever called by the
 * library, each on a thread of its own and never inside a call of yours. No signal handler of yours
 * ever runs on a thread of the library.
 *
 * Process. No state that reaches beyond this library, no signal handlers, no output, no environment
 * changes. After fork() the child gets SEATLOCK_ERROR_FORKED from the parent's clients and opens
 * its own. Memory comes from the system's allocator; when there is none left, the process ends.
 *
 * Linking. Define SEATLOCK_STATIC when the static library is linked; CMake and pkg-config do.
 *
 * A token is a secret: it never appears in messages, in the log or in a report.
 */

#ifndef SEATLOCK_H
#define SEATLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Version of this header; seatlock_version() and seatlock_abi_version() tell the library's. */
#define SEATLOCK_VERSION "0.1.0"
#define SEATLOCK_VERSION_MAJOR 0
#define SEATLOCK_VERSION_MINOR 1
#define SEATLOCK_VERSION_PATCH 0
#define SEATLOCK_ABI_VERSION 1

/* Where functions come from. */
#ifndef SEATLOCK_API
#if defined(_WIN32) && !defined(SEATLOCK_STATIC)
#define SEATLOCK_API __declspec(dllimport)
#elif defined(__GNUC__) && !defined(_WIN32) && !defined(SEATLOCK_STATIC)
#define SEATLOCK_API __attribute__((visibility("default")))
#else
#define SEATLOCK_API
#endif
#endif

/* How functions are called, yours too. */
#ifdef _WIN32
#define SEATLOCK_CALL __cdecl
#else
#define SEATLOCK_CALL
#endif

/* A result that must be looked at. */
#if defined(__cplusplus) && __cplusplus >= 201703L
#define SEATLOCK_NODISCARD [[nodiscard]]
#elif defined(_MSVC_LANG) && _MSVC_LANG >= 201703L
#define SEATLOCK_NODISCARD [[nodiscard]]
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L
#define SEATLOCK_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define SEATLOCK_NODISCARD __attribute__((warn_unused_result))
#else
#define SEATLOCK_NODISCARD
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Results --------------------------------------------------------------------------------- */

/** What functions return, and what events and the status report. Zero is success, a positive number
 *  means that nothing is wrong but there is nothing to give or something to notice, a negative
 *  number is an error. Numbers are never reused. `seatlock_code_text` and `seatlock_code_remedy`
 *  explain each to a person. */
typedef int32_t seatlock_result;

enum {
    /** Done; licensed. */
    SEATLOCK_OK = 0,
    /** Licensed, working offline. */
    SEATLOCK_OK_OFFLINE = 1,
    /** Licensed, but the offline period ends soon. */
    SEATLOCK_OK_WARN = 2,
    /** No event is waiting. */
    SEATLOCK_NO_EVENT = 3,
    /** The operation has not ended in the time given. */
    SEATLOCK_PENDING = 4,
    /** There is no such text or value now. */
    SEATLOCK_NO_VALUE = 5,
    /** A launch ping found no token to activate this computer with; nothing was sent. */
    SEATLOCK_NOT_ACTIVATED = 6,
    /** The client is closed, but a function of the host or a call on another thread still runs. */
    SEATLOCK_STILL_RUNNING = 7,
    /** No token was entered on this computer. */
    SEATLOCK_ERROR_NO_TOKEN = -10,
    /** The token is incomplete or mistyped; nothing was sent. */
    SEATLOCK_ERROR_TOKEN_MALFORMED = -11,
    /** The token is sound but of another kind; nothing was sent. */
    SEATLOCK_ERROR_TOKEN_WRONG_KIND = -12,
    /** The server does not know the token. */
    SEATLOCK_ERROR_TOKEN_UNKNOWN = -13,
    /** The token was revoked, for good. */
    SEATLOCK_ERROR_TOKEN_REVOKED = -14,
    /** Nobody is signed in at the sign-in service, or the sign-in has ended. */
    SEATLOCK_ERROR_SIGN_IN_REQUIRED = -15,
    /** The sign-in service refused: a person said no, or client id and secret are not good. */
    SEATLOCK_ERROR_SIGN_IN_REFUSED = -16,
    /** The sign-in does not include a scope that the server needs. */
    SEATLOCK_ERROR_SCOPE_MISSING = -17,
    /** The server has no account for who signed in. */
    SEATLOCK_ERROR_IDENTITY_UNKNOWN = -18,
    /** The sign-in service does not answer, or not as it should. */
    SEATLOCK_ERROR_IDENTITY_PROVIDER_UNAVAILABLE = -19,
    /** Another computer holds the seat. */
    SEATLOCK_ERROR_SEAT_IN_USE_ELSEWHERE = -20,
    /** All seats of the license are in use. */
    SEATLOCK_ERROR_SEAT_LIMIT_REACHED = -21,
    /** The seat was released; entering the token again takes it back. */
    SEATLOCK_ERROR_SEAT_RELEASED = -22,
    /** A seat of the license was already released a short while ago. */
    SEATLOCK_ERROR_RELEASE_RATE_LIMITED = -23,
    /** A copy of this installation took the lease over. */
    SEATLOCK_ERROR_LEASE_SUPERSEDED = -24,
    /** The license refuses machine ids that were supplied. */
    SEATLOCK_ERROR_MACHINE_ID_SUPPLIED = -25,
    /** The subscription is paused. */
    SEATLOCK_ERROR_LICENSE_SUSPENDED = -30,
    /** The subscription ended. */
    SEATLOCK_ERROR_LICENSE_EXPIRED = -31,
    /** The plan does not include this product. */
    SEATLOCK_ERROR_PLAN_NOT_ENTITLED = -32,
    /** The terms were not accepted; nothing was sent. */
    SEATLOCK_ERROR_TERMS_REQUIRED = -33,
    /** The server wants a newer plug-in. */
    SEATLOCK_ERROR_PLUGIN_TOO_OLD = -34,
    /** The license includes no version that was released as late as this plug-in. */
    SEATLOCK_ERROR_UPDATE_NOT_INCLUDED = -35,
    /** The offline period ended. */
    SEATLOCK_ERROR_LEASE_EXPIRED = -40,
    /** The stored lease belongs to another computer. */
    SEATLOCK_ERROR_MACHINE_MISMATCH = -41,
    /** The computer has no stable identity. */
    SEATLOCK_ERROR_MACHINE_ID_UNAVAILABLE = -42,
    /** The computer's clock is wrong. */
    SEATLOCK_ERROR_CLOCK = -43,
    /** The state folder cannot be written. */
    SEATLOCK_ERROR_STORE_UNWRITABLE = -44,
    /** A state file cannot be read. */
    SEATLOCK_ERROR_STORE_CORRUPT = -45,
    /** A file that a person carries cannot be read, written or understood. */
    SEATLOCK_ERROR_FILE_UNUSABLE = -46,
    /** No connection to the server. */
    SEATLOCK_ERROR_UNREACHABLE = -50,
    /** Something else answered in the server's place. */
    SEATLOCK_ERROR_UNEXPECTED_RESPONSE = -51,
    /** The connection's certificate is not trusted. */
    SEATLOCK_ERROR_TLS_UNTRUSTED = -52,
    /** The server asked to wait. */
    SEATLOCK_ERROR_RATE_LIMITED = -53,
    /** The server failed. */
    SEATLOCK_ERROR_SERVER = -54,
    /** The server is being maintained. */
    SEATLOCK_ERROR_MAINTENANCE = -55,
    /** An old answer was repeated. */
    SEATLOCK_ERROR_REPLAYED_RESPONSE = -56,
    /** The answer's signature is not valid. */
    SEATLOCK_ERROR_BAD_SIGNATURE = -57,
    /** The proxy asks for a password. */
    SEATLOCK_ERROR_PROXY_AUTH_REQUIRED = -58,
    /** Networking is switched off, by the host or in the environment. */
    SEATLOCK_ERROR_NETWORK_DISALLOWED = -59,
    /** An argument is not valid. */
    SEATLOCK_ERROR_INVALID_ARGUMENT = -60,
    /** A pointer argument is NULL. */
    SEATLOCK_ERROR_NULL_POINTER = -61,
    /** A text argument is not UTF-8. */
    SEATLOCK_ERROR_INVALID_UTF8 = -62,
    /** A `struct_size` is zero, too small or absurdly large. */
    SEATLOCK_ERROR_STRUCT_SIZE = -63,
    /** The buffer is too small; the needed size was reported. */
    SEATLOCK_ERROR_BUFFER_TOO_SMALL = -64,
    /** A defect of the library; the client is of no further use but can be closed. */
    SEATLOCK_ERROR_INTERNAL = -65,
    /** The client was opened by the parent of this process. */
    SEATLOCK_ERROR_FORKED = -66,
    /** The client is closed. */
    SEATLOCK_ERROR_CLOSED = -67,
    /** The operation was cancelled. */
    SEATLOCK_ERROR_CANCELLED = -68,
    /** No such operation, or its event was already taken. */
    SEATLOCK_ERROR_UNKNOWN_OPERATION = -69,
    /** Too many operations are waiting. */
    SEATLOCK_ERROR_BUSY = -70,
};

/* ---- Details of a failed call ---------------------------------------------------------------- */

/** Detail of a failed call, in memory of the caller. Initialise it with SEATLOCK_ERROR_INIT.
 *  Untouched on success. Never holds a token.
 *
 *  Who wants long messages whole, such as those that name a path, hands over a buffer of their own
 *  with it: `error.buffer = whole; error.capacity = sizeof whole;`. One that is too small is left
 *  alone, and `message` has the shortened text in any case. */
typedef struct seatlock_error {
    /** Size of the struct, set by the caller; after a call, how much of it was filled. */
    uint32_t struct_size;
    /** The code that the function returned. */
    seatlock_result code;
    /** HTTP status that was received, 0 for none. */
    uint32_t http_status;
    /** Always 0. */
    uint32_t reserved;
    /** Unix seconds from which a new try makes sense, 0 when unknown. */
    int64_t available_at;
    /** One or more sentences for a person: UTF-8, always NUL-terminated. Where a long path leaves
     *  no room, its middle is left out. */
    char message[512];
    /** Where the whole message is to go, NULL for nowhere. Set by the caller. */
    char *buffer;
    /** Size of that buffer. Set by the caller. */
    size_t capacity;
    /** Size of the whole message, with its NUL. */
    size_t needed;
} seatlock_error;
#define SEATLOCK_ERROR_INIT {sizeof(seatlock_error), 0, 0, 0, 0, {0}, NULL, 0, 0}

/* ---- Library: what needs no client ----------------------------------------------------------- */

/** Version of the library that is loaded, such as "0.1.0". Static, never NULL. [any thread] */
SEATLOCK_API const char *SEATLOCK_CALL seatlock_version(void);

/** ABI number of the library that is loaded; compare it with SEATLOCK_ABI_VERSION. [any thread] */
SEATLOCK_API uint32_t SEATLOCK_CALL seatlock_abi_version(void);

/** Name of a code, such as "seat_limit_reached", for logs. Static, never NULL; "unknown" for a
 *  number that is not a code. [any thread] */
SEATLOCK_API const char *SEATLOCK_CALL seatlock_code_name(seatlock_result code);

/** What to tell a user of a code, with blanks such as {date} not filled; events carry the filled
 *  text. Static UTF-8, never NULL. [any thread] */
SEATLOCK_API const char *SEATLOCK_CALL seatlock_code_text(seatlock_result code);

/** What a user can do about a code. Static UTF-8, never NULL. [any thread] */
SEATLOCK_API const char *SEATLOCK_CALL seatlock_code_remedy(seatlock_result code);

/** Address of the page that explains a code; the server's answers name the same one. Static, never
 *  NULL; "unknown" for a number that is not a code. [any thread] */
SEATLOCK_API const char *SEATLOCK_CALL seatlock_code_url(seatlock_result code);

/** How many codes this library has, for tables of them, such as a translator's. [any thread] */
SEATLOCK_API uint32_t SEATLOCK_CALL seatlock_code_count(void);

/** Answers one of the `seatlock_code_count` codes: SEATLOCK_OK first, errors after what is none.
 *  Errors: SEATLOCK_ERROR_INVALID_ARGUMENT when `index` is not below the count. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_code_at(
    uint32_t index, seatlock_result *code);

/** Derives this computer's machine id for `product`, or for the family that it belongs to, without
 *  a client, file or network: "m1_" and 43 characters.
 *
 *  `supplied` may be NULL; otherwise it is used in place of the operating system's identifier, as
 *  `seatlock_options_set_machine_id` would. The environment variable SEATLOCK_MACHINE_ID comes
 *  before both. The text, with its NUL, goes to `buffer`; `needed` (NULL allowed) receives its
 *  size. Errors: SEATLOCK_ERROR_MACHINE_ID_UNAVAILABLE, SEATLOCK_ERROR_INVALID_ARGUMENT,
 *  SEATLOCK_ERROR_BUFFER_TOO_SMALL. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_machine_id(
    const char *product, const char *supplied, char *buffer, size_t capacity, size_t *needed,
    seatlock_error *error);

/* ---- Options: how a client is to be opened --------------------------------------------------- */

/** How a client is to be opened. Setters copy and check their arguments at once;
 *  `seatlock_client_open` only borrows it, so one set of options opens any number of clients. Use
 *  it from one thread at a time. */
typedef struct seatlock_options seatlock_options;

/** An open license of one product on one computer. Every function may be called from any thread at
 *  the same time, also while and after one of them closes the client: then it returns
 *  SEATLOCK_ERROR_CLOSED. It is not an address: never look into it. */
typedef struct seatlock_client seatlock_client;

/** Called when an event of `client` is waiting, on a thread of the library that does nothing else;
 *  one call may stand for several events, and for one that somebody has taken already. It never
 *  comes before `seatlock_client_open` has written the client. It may set a flag or post a message
 *  to the host's own loop. It must not block, call this library, or let an exception out: one that
 *  leaves it ends the process, as one that leaves the function of any thread does. A host that ends
 *  the thread itself, as Python does at its exit, harms nobody; another thread takes its place.
 *
 *  Signals are blocked on that thread. A runtime that stops threads by signals while it collects,
 *  as Mono does, must not be entered on it: take the events from a timer there, in Unity too. */
typedef void (SEATLOCK_CALL *seatlock_wake)(seatlock_client *client, void *context);

/** How much a line of the log matters. Later versions may add levels between these. */
typedef uint32_t seatlock_log_level;

enum {
    /** Somebody has to mend something here: a file that cannot be written, a defect. */
    SEATLOCK_LOG_ERROR = 1,
    /** Something failed: a request, an operation, the license; or the clock is wrong. */
    SEATLOCK_LOG_WARNING = 2,
    /** What happened: requests, changes of the license, the end of operations, steps of a sign-in.
     */
    SEATLOCK_LOG_INFO = 3,
    /** What else helps to find out why: the begin of operations. */
    SEATLOCK_LOG_DEBUG = 4,
};

/** Called with a line of the log of `client`, on a thread of the library that does nothing else,
 *  one call at a time, in the order in which things happened and a moment later; never before
 *  `seatlock_client_open` has written the client. `text` is UTF-8 without a line break, and stays
 *  until the call returns: a word, and then names and values, such as
 *  "request what=ping to=https://license.example.com code=ok http=200 ms=31". It is for engineers,
 *  in English; words and names may change.
 *
 *  It may take its time: nothing but later lines waits for it, and when 256 of them do, more are
 *  left out, which a line says. It must not call this library. Exceptions and the end of its thread
 *  are as for `seatlock_wake`. */
typedef void (SEATLOCK_CALL *seatlock_log)(
    seatlock_client *client, seatlock_log_level level, const char *text, void *context);

/** Makes options with nothing set. Free them with `seatlock_options_free`. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_new(
    seatlock_options **options);

/** Frees options; NULL does nothing. Clients that were opened with them live on.
 *  [one thread at a time] */
SEATLOCK_API void SEATLOCK_CALL seatlock_options_free(seatlock_options *options);

/** Sets the product, such as "com.example.bridge": 1 to 128 characters of a-z, A-Z, 0-9, '.', '-',
 *  '_'. Required. Machine ids and state folders of two products never meet, unless they are of one
 *  family. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_product(
    seatlock_options *options, const char *product, seatlock_error *error);

/** Sets the family of the product, such as "com.example", written as a product is: the plug-ins of
 *  one vendor on one computer, each a product of its own. They share machine id, seat and
 *  remembered token, so a token that was entered in one is enough for all; each gets its own lease
 *  with its first `seatlock_client_ping`, or by `seatlock_options_set_auto_renew`. All of them name
 *  the same server and keys. A release in one locks the others when they next look at the file,
 *  within a minute; forgetting the token, or activating without SEATLOCK_CONSENT_REMEMBER, forgets
 *  it and the licenses of the whole family. Not set, it is the product alone. [one thread at a
 *  time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_family(
    seatlock_options *options, const char *family, seatlock_error *error);

/** Sets the server's base address, such as "https://license.example.com". Required. Plain http is
 *  accepted for loopback addresses only; an address without a scheme, with user or password, "?" or
 *  "#" is not. In the environment SEATLOCK_SERVER comes before it.
 *
 *  Every SEATLOCK_ variable of the environment is read in one way: as UTF-8, but for the name of a
 *  folder, without white space around it and one pair of quotes; an empty one is not set. One that
 *  cannot be used makes `seatlock_client_open` fail, with a message that names it.
 *  [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_server(
    seatlock_options *options, const char *url, seatlock_error *error);

/** Sets the issuer's name that leases must carry. The default is the server's address; set it when
 *  the server moves or has several addresses. Letter case of the host, the usual port and slashes
 *  at its end do not count. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_license_issuer(
    seatlock_options *options, const char *issuer, seatlock_error *error);

/** Pins a root key, the JWK member "x" that `seatlock-server init` prints: it signs the server's
 *  lease keys, which can then be rotated without a new plug-in. At least one root or lease key is
 *  required, at most 8 of both. Compile keys in; never read them from a file that the licensed user
 *  can change. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_add_root_key(
    seatlock_options *options, const char *x, seatlock_error *error);

/** Pins a lease key directly, for vendors who do not rotate. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_add_lease_key(
    seatlock_options *options, const char *x, seatlock_error *error);

/** Sets the folder below which state is kept, an absolute path. The default is "seatlock" in
 *  $XDG_STATE_HOME (~/.local/state), ~/Library/Application Support or %LOCALAPPDATA%. The variable
 *  SEATLOCK_STATE_DIR of the environment, an absolute path too, comes before both. Choose a folder
 *  of one user: what is kept there belongs to everybody who can read it. On Unix it is closed to
 *  others; on Windows the token is sealed for its user, and the rest as safe as the folder.
 *  [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_state_folder(
    seatlock_options *options, const char *path, seatlock_error *error);

/** Supplies the machine's identity, 8 to 256 printable characters, for containers and render farms
 *  whose own changes with every start. SEATLOCK_MACHINE_ID comes before it. [one thread at a time]
 */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_machine_id(
    seatlock_options *options, const char *id, seatlock_error *error);

/** Sets the proxy's address, user and password included where needed, or "" for no proxy at all:
 *  "http://user:password@host:port", "https://..." or "host:port". In user and password, what is
 *  neither letter nor digit is written as % and two hexadecimal digits. NULL, the default, stands
 *  for the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY) and the operating system's setting, on
 *  Windows with its setup scripts; a variable that names no HTTP proxy ends requests with
 *  SEATLOCK_ERROR_UNREACHABLE, whose message names it. Passwords are Basic: a proxy that signs in
 *  by Windows only (NTLM, Negotiate) has to let the server through. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_proxy(
    seatlock_options *options, const char *url, seatlock_error *error);

/** Trusts further certificate authorities beside the operating system's: one or more certificates
 *  in PEM, `size` bytes, 1 MiB at most, with or without a byte order mark. One that cannot be an
 *  authority is refused, with its number. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_add_ca_certificates(
    seatlock_options *options, const uint8_t *pem, size_t size, seatlock_error *error);

/** Names the host application, such as "blender" and "5.0", for the owner's seat page.
 *  [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_host(
    seatlock_options *options, const char *name, const char *version, seatlock_error *error);

/** Sets the texts of another language, such as one of the files that are installed in
 *  share/seatlock/catalogues: embed it in the plug-in, or read it. German, Spanish, French,
 *  Japanese, Korean, Portuguese and Simplified Chinese come with the library, and en.json to make
 *  others from. The text is JSON in UTF-8 of at most 256 KiB, an object of ids and texts; `size` is
 *  without a NUL. What it lacks is said in English, and what it has beyond that does not count, so
 *  one of another version does no harm. Without one everything is said in English; in any case so
 *  is what is wrong with an argument, and what keeps a client from being opened.
 *  Errors: SEATLOCK_ERROR_INVALID_ARGUMENT for what is no catalogue, or has a text with a control
 *  character or with a blank that the English one has not. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_catalogue(
    seatlock_options *options, const char *json, size_t size, seatlock_error *error);

/** Sets the time zone in which messages say moments, in minutes ahead of UTC: -840 to 840, such as
 *  60, and "2026-11-22 10:00 UTC+1" is said. The default is UTC, and says so: the computer's own
 *  zone may be what is wrong with its clock. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_utc_offset(
    seatlock_options *options, int32_t minutes, seatlock_error *error);

/** Names the version of your plug-in, 1 to 64 characters beginning with a number such as "2.4.1",
 *  and the Unix time in seconds at which that version was released; compile both in. A license may
 *  ask for a later version (SEATLOCK_ERROR_PLUGIN_TOO_OLD), and include no version that was
 *  released after its updates ended (SEATLOCK_ERROR_UPDATE_NOT_INCLUDED, also without a network).
 *  0 in `released_at`: every license includes this version. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_plugin(
    seatlock_options *options, const char *version, int64_t released_at, seatlock_error *error);

/** Sets the version of the license terms that the host shows, such as "2026-01", 1 to 255 bytes.
 *  [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_terms(
    seatlock_options *options, const char *version, seatlock_error *error);

/** 1: the client pings in the background when its lease is due, once an hour at most after
 *  failures, and for its first lease when its family has a token already. 0, the default: it pings
 *  only when asked. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_auto_renew(
    seatlock_options *options, uint32_t enabled, seatlock_error *error);

/** 1, the default: the network may be used. 0: it may not, from the first moment on, until
 *  `seatlock_client_allow_network` says otherwise. For hosts with a switch of their own, such as
 *  Blender's "Allow Online Access". SEATLOCK_OFFLINE=1 (or true, yes, on) in the environment keeps
 *  it off in any case. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_network_allowed(
    seatlock_options *options, uint32_t allowed, seatlock_error *error);

/** Names a folder, an absolute path, in which `rpd_account.json` ({"host", "token"}) and
 *  `credentials.json` ({"token"}) may lie, which set up many machines without a person, in UTF-8,
 *  with or without a byte order mark. They are read by `seatlock_client_open`, which fails when one
 *  is there and cannot be used; its message names the place in it. SEATLOCK_TOKEN and
 *  SEATLOCK_SERVER in the environment come before both.
 *
 *  A token that was set up so comes before a remembered one and is never written down. The first
 *  ping of intent SEATLOCK_INTENT_LAUNCH activates it: whoever sets it up submits it, and agrees to
 *  the terms that the plug-in names. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_account_folder(
    seatlock_options *options, const char *path, seatlock_error *error);

/** Sets the address of the issuer, an OpenID provider, at which people sign in instead of entering
 *  a token, or this machine does. Plain http is accepted for loopback addresses only. In the
 *  environment SEATLOCK_OIDC_ISSUER comes before it, and SEATLOCK_CLIENT_ID,
 *  SEATLOCK_CLIENT_SECRET, SEATLOCK_SCOPES and SEATLOCK_AUDIENCE before the options below. Who
 *  signs leases is another one: `seatlock_options_set_license_issuer`. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_oidc_issuer(
    seatlock_options *options, const char *url, seatlock_error *error);

/** Sets what the issuer calls this product, or this machine. Required with an issuer.
 *  [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_client_id(
    seatlock_options *options, const char *id, seatlock_error *error);

/** Sets the secret of a machine that signs in by itself and then needs no token and no person: a
 *  first ping of intent SEATLOCK_INTENT_LAUNCH activates it. It is never written down. Whoever sets
 *  it up agrees to the terms that the plug-in names. Never compile it into a plug-in that is handed
 *  out. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_client_secret(
    seatlock_options *options, const char *secret, seatlock_error *error);

/** Sets the scopes to ask for, separated by spaces. The default is "seat:use", and for people also
 *  what makes a sign-in last ("openid offline_access") where the issuer has it.
 *  [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_scopes(
    seatlock_options *options, const char *scopes, seatlock_error *error);

/** Sets for whom the access tokens are to be, for issuers that want to be told: it is sent as
 *  `audience`, and as `resource` (RFC 8707) when it is a URI. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_audience(
    seatlock_options *options, const char *audience, seatlock_error *error);

/** Sets the function to call when an event is waiting, or NULL for none. `context` is handed to it
 *  as it is and must stay valid until `seatlock_client_close` has returned SEATLOCK_OK for every
 *  client that was opened with these options. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_wake(
    seatlock_options *options, seatlock_wake wake, void *context, seatlock_error *error);

/** Sets the function that is told what happens, as far as it matters as much as `level` or more;
 *  NULL for none, which is the default: then nothing is told to anybody, and nothing is printed in
 *  any case. No line holds a token, another secret, an e-mail address or a byte of somebody's file;
 *  paths and addresses of servers stand in some. `context` as for `seatlock_options_set_wake`.
 *  Errors: SEATLOCK_ERROR_INVALID_ARGUMENT for a level that is none. [one thread at a time] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_options_set_log(
    seatlock_options *options, seatlock_log log, seatlock_log_level level, void *context,
    seatlock_error *error);

/* ---- Client: an open license ----------------------------------------------------------------- */

/** Which text `seatlock_client_text` answers. */
typedef uint32_t seatlock_text;

enum {
    /** The machine id, "m1_" and 43 characters. */
    SEATLOCK_TEXT_MACHINE_ID = 1,
    /** Its short form for people, such as "YBWE-SEZM", which the seat page shows too. */
    SEATLOCK_TEXT_MACHINE_SHORT = 2,
    /** UUID of the seat. */
    SEATLOCK_TEXT_SEAT = 3,
    /** Name of the plan. */
    SEATLOCK_TEXT_PLAN = 4,
    /** Entitlements, separated by single spaces. */
    SEATLOCK_TEXT_ENTITLEMENTS = 5,
    /** The lock state in words for a person, dates included. */
    SEATLOCK_TEXT_STATUS = 6,
    /** Folder in which state is kept. */
    SEATLOCK_TEXT_STATE_FOLDER = 7,
    /** The page to open, while a person is signing in. */
    SEATLOCK_TEXT_SIGN_IN_URL = 8,
    /** What to type on that page, when it is opened on another device. */
    SEATLOCK_TEXT_SIGN_IN_CODE = 9,
    /** The whole message of the event that was taken last, of which `seatlock_event` may lack some.
     */
    SEATLOCK_TEXT_EVENT = 10,
    /** Name of the account that holds the license. */
    SEATLOCK_TEXT_ACCOUNT = 11,
    /** E-mail address of whoever has the seat, or what their sign-in service calls them. */
    SEATLOCK_TEXT_EMAIL = 12,
    /** Your own data in the license, a JSON object, signed by the server. None while it is locked.
     */
    SEATLOCK_TEXT_DATA = 13,
    /** Version of the terms that the seat's user accepted last, as the server has it. */
    SEATLOCK_TEXT_TERMS = 14,
    /** Who is signed in, as their sign-in service calls them (its "sub"). None with a token. */
    SEATLOCK_TEXT_SUBJECT = 15,
};

/** Opens a client: derives the machine id, reads and verifies the stored license, and starts one
 *  worker thread; one more follows if there is a wake function, and one if there is a log function.
 *  It reads two small files and never touches the network. The lock state is known when it returns,
 *  even offline.
 *
 *  A stored license that cannot be used is no error here: the status says why. The image that holds
 *  the library stays loaded from now on, because unloading code that has run threads is not sound.
 *  Errors: SEATLOCK_ERROR_INVALID_ARGUMENT when something required is not set,
 *  SEATLOCK_ERROR_MACHINE_ID_UNAVAILABLE, SEATLOCK_ERROR_BUSY when 1024 clients are open;
 *  SEATLOCK_ERROR_INTERNAL when the operating system refuses
 *  a file descriptor, a thread or memory, and the message says which: close what is not needed and
 *  open again. An open client that is refused one of them goes on: what it was about to do has
 *  failed, and is tried again. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_open(
    const seatlock_options *options, seatlock_client **client, seatlock_error *error);

/** Closes a client, whatever other threads do with it; NULL does nothing. Calls that sleep in
 *  `seatlock_client_next_event` or `seatlock_client_wait` return SEATLOCK_ERROR_CLOSED before this
 *  one returns, and so does every later use of the client, a second closing too. Network work is
 *  cancelled, operations that wait are given up. The log function is told the rest; from then on
 *  neither it nor the wake function is called.
 *
 *  Returns within `timeout_ms`, even when the network or name resolution hangs: SEATLOCK_OK, or
 *  SEATLOCK_STILL_RUNNING when one of these functions, or a call on another thread, has not
 *  returned. The client is closed all the same, and is freed when they do; the contexts of the
 *  functions, and the library in memory, have to stay until then. Called by one of these functions
 *  itself, it does not wait for that. In a child process after fork() it does nothing.
 *  [any thread, blocks] */
SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_close(
    seatlock_client *client, uint32_t timeout_ms);

/** 0 forbids all use of the network, 1 allows it, from now on: for a host whose user can switch it
 *  off. Forbidding ends operations that use it with SEATLOCK_ERROR_NETWORK_DISALLOWED and takes no
 *  license away. Once allowed again, a renewal that is due follows within a minute. Returns at
 *  once. Errors: SEATLOCK_ERROR_NETWORK_DISALLOWED when SEATLOCK_OFFLINE in the environment keeps
 *  it off. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_allow_network(
    seatlock_client *client, uint32_t allowed, seatlock_error *error);

/** Sets another proxy, as `seatlock_options_set_proxy` does, such as one that the user has just
 *  typed: the next request takes it, one that is on its way goes on as it is. NULL: what the
 *  environment and the operating system say. Returns at once. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_set_proxy(
    seatlock_client *client, const char *url, seatlock_error *error);

/** Trusts further certificate authorities, as `seatlock_options_add_ca_certificates` does, from the
 *  next request on. Returns at once. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_add_ca_certificates(
    seatlock_client *client, const uint8_t *pem, size_t size, seatlock_error *error);

/** Copies a text about the client to `buffer`, with its NUL; `needed` (NULL allowed) receives its
 *  size. Pass a capacity of 0 to ask for the size. SEATLOCK_NO_VALUE when there is no such text
 *  now, such as a plan without a license. Errors: SEATLOCK_ERROR_BUFFER_TOO_SMALL,
 *  SEATLOCK_ERROR_INVALID_ARGUMENT. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_text(
    const seatlock_client *client, seatlock_text what, char *buffer, size_t capacity,
    size_t *needed);

/** Copies a value of what SEATLOCK_TEXT_STATUS says, by its name, as `seatlock_event_value` does
 *  for an event. SEATLOCK_NO_VALUE when it has none of that name. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_status_value(
    const seatlock_client *client, const char *name, char *buffer, size_t capacity, size_t *needed);

/** Copies what to tell a user of a code, as `seatlock_code_text` has it, in the language of the
 *  client. Errors: SEATLOCK_ERROR_BUFFER_TOO_SMALL, SEATLOCK_ERROR_INVALID_ARGUMENT for a number
 *  that is no code. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_code_text(
    const seatlock_client *client, seatlock_result code, char *buffer, size_t capacity,
    size_t *needed);

/** Copies what a user can do about a code, as `seatlock_code_remedy` has it, in the language of the
 *  client. Otherwise as `seatlock_client_code_text`. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_code_remedy(
    const seatlock_client *client, seatlock_result code, char *buffer, size_t capacity,
    size_t *needed);

/** Copies a support report to `buffer`, with its NUL; `needed` (NULL allowed) receives its size. It
 *  is plain text for a mail, in English: versions, machine id, addresses, the proxy and who named
 *  it, state folder and files, lock state and its times, what the clock is found to be, the last
 *  answers with their request ids, and what else has happened. It holds no token, no other secret
 *  and no e-mail address; paths in it may name the user.
 *
 *  It looks at a few small files, as `seatlock_client_open` does, and never touches the network:
 *  call it where the user asks for it, not while drawing. It may have grown at the next call, so
 *  ask until it fits: 16 KiB are enough as a rule. Errors: SEATLOCK_ERROR_BUFFER_TOO_SMALL.
 *  [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_report(
    const seatlock_client *client, char *buffer, size_t capacity, size_t *needed);

/** What the license says of an entitlement. Initialise it with SEATLOCK_ENTITLEMENT_INIT. */
typedef struct seatlock_entitlement {
    /** Size of the struct, set by the caller; after a call, how much of it was filled. */
    uint32_t struct_size;
    /** 1 when the license includes it now; 0 when it does not, and when the client is locked. */
    uint32_t included;
    /** 1 when it has a value, such as a limit; 0 when it has none, and when it is not included. */
    uint32_t has_value;
    /** Always 0. */
    uint32_t reserved;
    /** The value, 0 when it has none. */
    int64_t value;
    /** Unix seconds from which it is no longer included, which may have passed; 0 when it lasts as
     *  long as the license, and when the client is locked. */
    int64_t valid_until;
} seatlock_entitlement;
#define SEATLOCK_ENTITLEMENT_INIT {sizeof(seatlock_entitlement), 0, 0, 0, 0, 0}

/** Asks for an entitlement by its name, such as "cad" or "export.max". The answer is in
 *  `entitlement`, not in the result: that is SEATLOCK_OK for a name that nobody knows, too.
 *  [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_entitlement(
    const seatlock_client *client, const char *name, seatlock_entitlement *entitlement);

/** What the license says of itself, beside SEATLOCK_TEXT_ACCOUNT, _EMAIL, _DATA and _TERMS.
 *  Initialise it with SEATLOCK_LICENSE_INIT. */
typedef struct seatlock_license {
    /** Size of the struct, set by the caller; after a call, how much of it was filled. */
    uint32_t struct_size;
    /** Always 0. */
    uint32_t reserved;
    /** Unix seconds at which the subscription ends, 0 when it has no end. */
    int64_t subscription_end;
    /** Unix seconds; versions of the plug-in that were released later are not included. 0: all are.
     */
    int64_t updates_until;
} seatlock_license;
#define SEATLOCK_LICENSE_INIT {sizeof(seatlock_license), 0, 0, 0}

/** Reads what the server said of the license when it was last reached, also while the client is
 *  locked. SEATLOCK_NO_VALUE when there is no license here. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_license(
    const seatlock_client *client, seatlock_license *license);

/** What kind of credential a client has. */
typedef uint32_t seatlock_credential_kind;

enum {
    /** A token. */
    SEATLOCK_CREDENTIAL_TOKEN = 1,
    /** The sign-in of a person; SEATLOCK_TEXT_SUBJECT names them. */
    SEATLOCK_CREDENTIAL_PERSON = 2,
    /** The sign-in of the machine itself, with a client secret. */
    SEATLOCK_CREDENTIAL_MACHINE = 3,
};

/** What the client asks the server with. Initialise it with SEATLOCK_CREDENTIAL_INIT. */
typedef struct seatlock_credential {
    /** Size of the struct, set by the caller; after a call, how much of it was filled. */
    uint32_t struct_size;
    /** What kind it is. */
    seatlock_credential_kind kind;
    /** 1 when it is kept here for the next start of the host; 0 when it is not, or could not be,
     *  and when it was set up beside the plug-in. */
    uint32_t remembered;
    /** Always 0. */
    uint32_t reserved;
} seatlock_credential;
#define SEATLOCK_CREDENTIAL_INIT {sizeof(seatlock_credential), 0, 0, 0}

/** Reads what the client asks the server with, also while it is locked. SEATLOCK_NO_VALUE when no
 *  token was entered here and nobody has signed in, and after it was forgotten. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_credential(
    const seatlock_client *client, seatlock_credential *credential);

/* ---- Status: what is known of the license now ------------------------------------------------ */

/** Whether a client is licensed. Take a number that you do not know for locked. */
typedef uint32_t seatlock_state;

enum {
    /** The server confirmed the license within its renewal interval. */
    SEATLOCK_STATE_UNLOCKED = 1,
    /** The license is valid, but the server was not reached since. */
    SEATLOCK_STATE_GRACE = 2,
    /** No valid license; `reason` says why. */
    SEATLOCK_STATE_LOCKED = 3,
};

/** What is known of the license at this moment, as plain numbers. Initialise it with
 *  SEATLOCK_STATUS_INIT. */
typedef struct seatlock_status {
    /** Size of the struct, set by the caller; after a call, how much of it was filled. */
    uint32_t struct_size;
    /** Whether there is a license. */
    seatlock_state state;
    /** Why it is locked, or SEATLOCK_OK, SEATLOCK_OK_OFFLINE, SEATLOCK_OK_WARN. */
    seatlock_result reason;
    /** 1 when the user should be told that the offline period ends soon, else 0. */
    uint32_t warn;
    /** Unix seconds at which the license ends unless it is renewed, 0 when locked. */
    int64_t valid_until;
    /** When locked: Unix seconds from which a new try makes sense. Else: when the next ping is due.
     *  0 when unknown. */
    int64_t next_try;
    /** Unix seconds of the last signed answer of the server, 0 for never. */
    int64_t confirmed_at;
    /** While it is the same as before, nothing has changed but the time. */
    uint64_t generation;
} seatlock_status;
#define SEATLOCK_STATUS_INIT {sizeof(seatlock_status), 0, 0, 0, 0, 0, 0, 0}

/** Reads the lock state. Never blocks, never allocates, touches neither disk nor network: call it
 *  as often as you like, from a draw callback if need be. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_status(
    const seatlock_client *client, seatlock_status *status);

/* ---- Operations: work that is started and ends with an event --------------------------------- */

/** Number of an operation, whose end is an event with the same number. 0 is never one. */
typedef uint64_t seatlock_operation;

/** What the user ticked when entering a token; combine with `|`. */
typedef uint32_t seatlock_consent_flags;

enum {
    /** "I have read and agree": without it nothing is sent. */
    SEATLOCK_CONSENT_TERMS = 1,
    /** "Use token for future sessions": without it nothing is ever written to disk. */
    SEATLOCK_CONSENT_REMEMBER = 2,
};

/** Why a host pings. */
typedef uint32_t seatlock_intent;

enum {
    /** The host was started; may take a released seat back if the license allows it. */
    SEATLOCK_INTENT_LAUNCH = 1,
    /** The lease may be due; never takes a seat, and asks the server only when it is due. */
    SEATLOCK_INTENT_RENEW = 2,
};

/** Submits a token. Returns at once; the outcome is an event of the operation whose number goes to
 *  `operation` (NULL allowed). Operations are carried out in turn. One that asks the server ends
 *  within 15 seconds of its turn, and within a minute where other processes of the plug-in ask too
 *  or a sign-in is renewed. At most 64 wait; more are refused with SEATLOCK_ERROR_BUSY.
 *
 *  White space, quotes and zero-width characters around and in the token are removed. Refused at
 *  once and before any network request: SEATLOCK_ERROR_TOKEN_MALFORMED,
 *  SEATLOCK_ERROR_TOKEN_WRONG_KIND, SEATLOCK_ERROR_TERMS_REQUIRED. The stored license is replaced
 *  only by a better one. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_activate(
    seatlock_client *client, const char *token, seatlock_consent_flags consent,
    seatlock_operation *operation, seatlock_error *error);

/** Tells the server that this machine uses its seat, and renews the lease. Returns at once; see
 *  `seatlock_client_activate`. A failure never takes the license away: only a signed verdict of the
 *  server, the end of the lease or the user does. A launch ping where there is neither
 *  a token nor a sign-in ends with SEATLOCK_NOT_ACTIVATED, which is no error, and sends nothing.
 *  [any thread] */
SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_ping(
    seatlock_client *client, seatlock_intent intent, seatlock_operation *operation,
    seatlock_error *error);

/** Gives the seat back to the account, so that another computer can use it, and forgets the token
 *  here. Returns at once; see `seatlock_client_activate`. The license says how often a seat may be
 *  released. The operation ends with SEATLOCK_ERROR_STORE_UNWRITABLE, and the seat stays this
 *  computer's, when the license cannot be taken off the disk. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_release(
    seatlock_client *client, seatlock_operation *operation, seatlock_error *error);

/** Asks what activating would say, without changing anything: seat limits, other computers, waiting
 *  times. `token` may be NULL for the token in use. Returns at once; see
 *  `seatlock_client_activate`. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_preflight(
    seatlock_client *client, const char *token, seatlock_operation *operation,
    seatlock_error *error);

/** Lets a person sign in with a browser of this computer, and then takes a seat as
 *  `seatlock_client_activate` does with a token. An issuer must be set. With `open` 1 the browser
 *  is opened here; with 0 the host opens the page of SEATLOCK_TEXT_SIGN_IN_URL when a
 *  SEATLOCK_EVENT_SIGN_IN comes. A `timeout_ms` of 0 stands for five minutes. Consent as for
 *  `seatlock_client_activate`; with SEATLOCK_CONSENT_REMEMBER the sign-in outlasts the host.
 *
 *  Returns at once; everything else goes on meanwhile, one sign-in at a time. The operation ends as
 *  an activation does, or with SEATLOCK_ERROR_SIGN_IN_REFUSED (not allowed, closed, too late) or
 *  SEATLOCK_ERROR_IDENTITY_PROVIDER_UNAVAILABLE. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_sign_in_browser(
    seatlock_client *client, seatlock_consent_flags consent, uint32_t open, uint32_t timeout_ms,
    seatlock_operation *operation, seatlock_error *error);

/** Lets a person sign in at another device, such as a telephone. The SEATLOCK_EVENT_SIGN_IN says in
 *  words which page to open there (SEATLOCK_TEXT_SIGN_IN_URL) and what to type
 *  (SEATLOCK_TEXT_SIGN_IN_CODE). Otherwise as `seatlock_client_sign_in_browser`. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_sign_in_device(
    seatlock_client *client, seatlock_consent_flags consent, uint32_t timeout_ms,
    seatlock_operation *operation, seatlock_error *error);

/** Forgets sign-in and license on this computer, as `seatlock_client_forget` does, and tells the
 *  issuer that the sign-in is over, if it can be told. Release the seat first if another computer
 *  should have it. Returns at once; see `seatlock_client_activate`. The operation ends with
 *  SEATLOCK_ERROR_STORE_UNWRITABLE when the license is still on disk. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_sign_out(
    seatlock_client *client, seatlock_operation *operation, seatlock_error *error);

/** Forgets token and license on this computer. The seat stays bound to it on the server: release it
 *  first if another computer should have it. Returns at once; see `seatlock_client_activate`. The
 *  operation ends with SEATLOCK_ERROR_STORE_UNWRITABLE when the license is still on disk.
 *  [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_forget(
    seatlock_client *client, seatlock_operation *operation, seatlock_error *error);

/** Asks for a lease by a file at `path`, for a machine without a network: somebody carries it to
 *  the server, and `seatlock_client_airgap_import` takes the file that comes back. Token and
 *  consent as for `seatlock_client_activate`; with SEATLOCK_CONSENT_REMEMBER the host may be
 *  closed meanwhile. The token is not in the file. A file at `path` is replaced, a folder, a pipe
 *  or a device is not; the present license stays as it is. Returns at once; see
 *  `seatlock_client_activate`. The operation ends with SEATLOCK_ERROR_FILE_UNUSABLE when the file
 *  cannot be written. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_airgap_request(
    seatlock_client *client, const char *token, seatlock_consent_flags consent, const char *path,
    seatlock_operation *operation, seatlock_error *error);

/** Takes the lease file that answers the last request file. Returns at once; see
 *  `seatlock_client_activate`. The operation ends with SEATLOCK_ERROR_FILE_UNUSABLE, or with what
 *  is wrong with the lease: SEATLOCK_ERROR_REPLAYED_RESPONSE when it answers another request,
 *  SEATLOCK_ERROR_MACHINE_MISMATCH, SEATLOCK_ERROR_BAD_SIGNATURE, SEATLOCK_ERROR_LEASE_EXPIRED,
 *  SEATLOCK_ERROR_NO_TOKEN when the host was closed since a request whose token was not to be
 *  remembered. Nothing has changed then. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_airgap_import(
    seatlock_client *client, const char *path, seatlock_operation *operation,
    seatlock_error *error);

/** Gives the license up and writes a file at `path` that confirms it: brought to the server, it
 *  frees the seat. May be repeated when the file was lost. Returns at once; see
 *  `seatlock_client_activate`. The operation ends with SEATLOCK_ERROR_NO_TOKEN when there is no
 *  license to give up, with SEATLOCK_ERROR_STORE_UNWRITABLE when it cannot be given up, and with
 *  SEATLOCK_ERROR_FILE_UNUSABLE when it was but the file cannot be written. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_airgap_release(
    seatlock_client *client, const char *path, seatlock_operation *operation,
    seatlock_error *error);

/** Cancels an operation that has not ended: it ends at once with SEATLOCK_ERROR_CANCELLED. The
 *  server may have acted already; trying again is always safe. Errors:
 *  SEATLOCK_ERROR_UNKNOWN_OPERATION. [any thread] */
SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_cancel(
    seatlock_client *client, seatlock_operation operation);

/* ---- Events ---------------------------------------------------------------------------------- */

/** Kind of an event. Ignore kinds that you do not know: later versions may add some.
 *
 *  What an operation changes is told first, by a SEATLOCK_EVENT_STATUS in the same words as its own
 *  end. Show the status where the license is shown, and the end of an operation where the user has
 *  asked for it; that of a ping needs to be shown nowhere. */
typedef uint32_t seatlock_event_kind;

enum {
    /** An operation ended; `operation` says which, `code` how. */
    SEATLOCK_EVENT_OPERATION = 1,
    /** The lock state or its reason changed; `code` is the new reason. */
    SEATLOCK_EVENT_STATUS = 2,
    /** Something the user should know that does not change the license; `code` says what, such as
     *  SEATLOCK_ERROR_STORE_UNWRITABLE. */
    SEATLOCK_EVENT_NOTICE = 3,
    /** A person is to sign in: open the page of SEATLOCK_TEXT_SIGN_IN_URL, or show it with
     *  SEATLOCK_TEXT_SIGN_IN_CODE. The message says so in words. */
    SEATLOCK_EVENT_SIGN_IN = 4,
};

/** One event. Initialise it with SEATLOCK_EVENT_INIT. */
typedef struct seatlock_event {
    /** Size of the struct, set by the caller; after a call, how much of it was filled. */
    uint32_t struct_size;
    /** What happened. */
    seatlock_event_kind kind;
    /** The operation that ended, 0 for other kinds. */
    seatlock_operation operation;
    /** How it ended, what changed, or what to notice. */
    seatlock_result code;
    /** HTTP status that was received, 0 for none. */
    uint32_t http_status;
    /** Unix seconds from which a new try makes sense, 0 when unknown. */
    int64_t available_at;
    /** One or more sentences for a person: UTF-8, always NUL-terminated. Where a long path leaves
     *  no room, the middle is left out; SEATLOCK_TEXT_EVENT is the whole. Never holds a token. */
    char message[512];
    /** What the message is about: names and values, each with its NUL, and another NUL at the end.
     *  `seatlock_event_value` reads one. */
    char values[480];
} seatlock_event;
#define SEATLOCK_EVENT_INIT {sizeof(seatlock_event), 0, 0, 0, 0, 0, {0}, {0}}

/** Copies a value of what an event's message says, by its name, to `buffer`, with its NUL, so that
 *  nobody has to read sentences; `needed` (NULL allowed) receives its size. Pass a capacity of 0 to
 *  ask for the size. Names are those of the blanks of `seatlock_code_text`, and of the blanks of
 *  what stands in them: "date" and "time" are Unix seconds, or a day such as 2026-11-22; "reason"
 *  and "fault" are ids, such as "net_refused", which the catalogues have; "n", "machine", "path",
 *  "scope", "status", "window", "url", "code" and others are as the message shows them.
 *  SEATLOCK_NO_VALUE when it has none of that name, or had no room for it. Errors:
 *  SEATLOCK_ERROR_BUFFER_TOO_SMALL. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_event_value(
    const seatlock_event *event, const char *name, char *buffer, size_t capacity, size_t *needed);

/** Takes the oldest event that no other thread waits for in `seatlock_client_wait`. A timeout of 0
 *  never blocks: call it so from a timer of the host until it returns SEATLOCK_NO_EVENT. Of events
 *  that nobody takes the newest 256 are kept. Errors: SEATLOCK_ERROR_CLOSED when the client is
 *  closed meanwhile. [any thread, blocks] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_next_event(
    seatlock_client *client, uint32_t timeout_ms, seatlock_event *event);

/** Waits until an operation has ended, and returns how: its own code, SEATLOCK_OK when it did what
 *  it was for. For programs without a UI thread. SEATLOCK_PENDING when the time went by first; then
 *  it goes on. The event of the operation belongs to the thread that waits, and goes to `event`
 *  (NULL allowed) whatever the code is; `seatlock_client_next_event` shows it to no other thread.
 *  Errors of the call itself leave `event` alone: SEATLOCK_ERROR_UNKNOWN_OPERATION,
 *  SEATLOCK_ERROR_CLOSED when the client is closed meanwhile. [any thread, blocks] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_wait(
    seatlock_client *client, seatlock_operation operation, uint32_t timeout_ms,
    seatlock_event *event);

/** Answers what a poll loop can watch in place of a wake function: a file descriptor that is
 *  readable, on Windows a HANDLE that is signalled, for as long as `seatlock_client_next_event` has
 *  something to return. For poll(2), GLib, Qt, asyncio or WaitForMultipleObjects. It is the same in
 *  every call and belongs to the client: never read, reset or close it, and take it out of the loop
 *  before the client is closed. Errors: SEATLOCK_ERROR_INTERNAL when the operating system refuses
 *  one. [any thread] */
SEATLOCK_NODISCARD SEATLOCK_API seatlock_result SEATLOCK_CALL seatlock_client_event_handle(
    seatlock_client *client, ptrdiff_t *handle, seatlock_error *error);

#ifdef __cplusplus
}
#endif

#endif /* SEATLOCK_H */
