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
#define SEATLOCK_VERSION "@VERSION@"
#define SEATLOCK_VERSION_MAJOR @MAJOR@
#define SEATLOCK_VERSION_MINOR @MINOR@
#define SEATLOCK_VERSION_PATCH @PATCH@
#define SEATLOCK_ABI_VERSION @ABI@

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
