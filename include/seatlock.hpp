// seatlock for C++17: a thin, header-only layer over seatlock.h, which says what every call means.
//
// Objects close and free themselves. Nothing is thrown and no run-time type information is needed, so it also
// compiles with -fno-exceptions -fno-rtti. Every call that can fail answers a result that must be looked at:
//
//     auto opened = seatlock::client::open(options);
//     if (!opened) return show(opened.error().message);
//     seatlock::client client = std::move(*opened);

#ifndef SEATLOCK_HPP
#define SEATLOCK_HPP

#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "seatlock.h"

namespace seatlock {

/// Every number of seatlock_code; compare with the SEATLOCK_… names.
enum class code : std::int32_t {
    ok = SEATLOCK_OK,
    ok_offline = SEATLOCK_OK_OFFLINE,
    ok_warn = SEATLOCK_OK_WARN,
    nothing = SEATLOCK_NOTHING,
    no_token = SEATLOCK_ERROR_NO_TOKEN,
    token_malformed = SEATLOCK_ERROR_TOKEN_MALFORMED,
    token_wrong_kind = SEATLOCK_ERROR_TOKEN_WRONG_KIND,
    token_unknown = SEATLOCK_ERROR_TOKEN_UNKNOWN,
    token_revoked = SEATLOCK_ERROR_TOKEN_REVOKED,
    sign_in_required = SEATLOCK_ERROR_SIGN_IN_REQUIRED,
    sign_in_refused = SEATLOCK_ERROR_SIGN_IN_REFUSED,
    scope_missing = SEATLOCK_ERROR_SCOPE_MISSING,
    identity_unknown = SEATLOCK_ERROR_IDENTITY_UNKNOWN,
    issuer_unusable = SEATLOCK_ERROR_ISSUER_UNUSABLE,
    seat_in_use_elsewhere = SEATLOCK_ERROR_SEAT_IN_USE_ELSEWHERE,
    seat_limit_reached = SEATLOCK_ERROR_SEAT_LIMIT_REACHED,
    seat_released = SEATLOCK_ERROR_SEAT_RELEASED,
    release_rate_limited = SEATLOCK_ERROR_RELEASE_RATE_LIMITED,
    lease_superseded = SEATLOCK_ERROR_LEASE_SUPERSEDED,
    license_suspended = SEATLOCK_ERROR_LICENSE_SUSPENDED,
    license_expired = SEATLOCK_ERROR_LICENSE_EXPIRED,
    plan_not_entitled = SEATLOCK_ERROR_PLAN_NOT_ENTITLED,
    terms_required = SEATLOCK_ERROR_TERMS_REQUIRED,
    client_too_old = SEATLOCK_ERROR_CLIENT_TOO_OLD,
    lease_expired = SEATLOCK_ERROR_LEASE_EXPIRED,
    machine_mismatch = SEATLOCK_ERROR_MACHINE_MISMATCH,
    machine_id_unavailable = SEATLOCK_ERROR_MACHINE_ID_UNAVAILABLE,
    clock_error = SEATLOCK_ERROR_CLOCK_ERROR,
    store_unwritable = SEATLOCK_ERROR_STORE_UNWRITABLE,
    store_corrupt = SEATLOCK_ERROR_STORE_CORRUPT,
    file_unusable = SEATLOCK_ERROR_FILE_UNUSABLE,
    unreachable = SEATLOCK_ERROR_UNREACHABLE,
    not_our_server = SEATLOCK_ERROR_NOT_OUR_SERVER,
    tls_untrusted = SEATLOCK_ERROR_TLS_UNTRUSTED,
    rate_limited = SEATLOCK_ERROR_RATE_LIMITED,
    server_error = SEATLOCK_ERROR_SERVER_ERROR,
    maintenance = SEATLOCK_ERROR_MAINTENANCE,
    replayed_response = SEATLOCK_ERROR_REPLAYED_RESPONSE,
    bad_signature = SEATLOCK_ERROR_BAD_SIGNATURE,
    proxy_auth_required = SEATLOCK_ERROR_PROXY_AUTH_REQUIRED,
    network_disallowed = SEATLOCK_ERROR_NETWORK_DISALLOWED,
    invalid_argument = SEATLOCK_ERROR_INVALID_ARGUMENT,
    null_pointer = SEATLOCK_ERROR_NULL_POINTER,
    invalid_utf8 = SEATLOCK_ERROR_INVALID_UTF8,
    struct_size = SEATLOCK_ERROR_STRUCT_SIZE,
    buffer_too_small = SEATLOCK_ERROR_BUFFER_TOO_SMALL,
    internal = SEATLOCK_ERROR_INTERNAL,
    forked = SEATLOCK_ERROR_FORKED,
    closed = SEATLOCK_ERROR_CLOSED,
    cancelled = SEATLOCK_ERROR_CANCELLED,
    unknown_operation = SEATLOCK_ERROR_UNKNOWN_OPERATION,
    busy = SEATLOCK_ERROR_BUSY,
};

enum class lock_state : std::uint32_t { unlocked = SEATLOCK_UNLOCKED, grace = SEATLOCK_GRACE, locked = SEATLOCK_LOCKED };
enum class intent : std::uint32_t { launch = SEATLOCK_PING_LAUNCH, renew = SEATLOCK_PING_RENEW };
enum class event_kind : std::uint32_t {
    operation = SEATLOCK_EVENT_OPERATION,
    status = SEATLOCK_EVENT_STATUS,
    notice = SEATLOCK_EVENT_NOTICE,
    sign_in = SEATLOCK_EVENT_SIGN_IN,
};
enum class text : std::uint32_t {
    machine_id = SEATLOCK_TEXT_MACHINE_ID,
    machine_short = SEATLOCK_TEXT_MACHINE_SHORT,
    seat = SEATLOCK_TEXT_SEAT,
    plan = SEATLOCK_TEXT_PLAN,
    entitlements = SEATLOCK_TEXT_ENTITLEMENTS,
    status = SEATLOCK_TEXT_STATUS,
    state_folder = SEATLOCK_TEXT_STATE_FOLDER,
    sign_in_url = SEATLOCK_TEXT_SIGN_IN_URL,
    sign_in_code = SEATLOCK_TEXT_SIGN_IN_CODE,
};

/// The two check boxes beside the token.
enum class consent : std::uint32_t { none = 0, accept_terms = SEATLOCK_ACCEPT_TERMS, remember_token = SEATLOCK_REMEMBER_TOKEN };
constexpr consent operator|(consent a, consent b) noexcept {
    return static_cast<consent>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}

/// Number of an operation; its outcome is an event with the same number.
using operation = std::uint64_t;
using milliseconds = std::chrono::duration<std::uint32_t, std::milli>;

inline const char *name(code c) noexcept { return seatlock_code_name(static_cast<std::int32_t>(c)); }
inline const char *remedy(code c) noexcept { return seatlock_code_remedy(static_cast<std::int32_t>(c)); }

/// Why a call failed, in words for a person.
struct failure {
    code what = code::ok;
    std::uint32_t http_status = 0;
    std::int64_t available_at = 0;
    std::string message;
};

/// A value or a failure. `*` and `->` are for results that were found good.
template <class T> class [[nodiscard]] result {
public:
    result(T value) : value_(std::move(value)) {}
    result(failure why) : failure_(std::move(why)) {}
    explicit operator bool() const noexcept { return value_.has_value(); }
    T &operator*() noexcept { return *value_; }
    const T &operator*() const noexcept { return *value_; }
    T *operator->() noexcept { return &*value_; }
    const T *operator->() const noexcept { return &*value_; }
    const failure &error() const noexcept { return failure_; }

private:
    std::optional<T> value_;
    failure failure_;
};

struct status {
    lock_state state = lock_state::locked;
    code reason = code::internal;
    bool warn = false;
    std::int64_t valid_until = 0;
    std::int64_t next_try = 0;
    std::int64_t confirmed_at = 0;
    std::uint64_t generation = 0;
    bool licensed() const noexcept { return state != lock_state::locked; }
};

struct event {
    event_kind kind = event_kind::operation;
    seatlock::operation operation = 0;
    code what = code::nothing;
    std::uint32_t http_status = 0;
    std::int64_t available_at = 0;
    std::string message;
};

namespace detail {

template <class Raw> Raw raw() noexcept {
    Raw value{};
    value.struct_size = sizeof value;
    return value;
}

/// The detail, or the code's own text for functions that report none.
inline failure fail(std::int32_t number, const seatlock_error &error) {
    const char *message = error.message[0] != '\0' ? error.message : seatlock_code_text(number);
    return {static_cast<code>(number), error.http_status, error.available_at, message};
}

inline event taken(const seatlock_event &from) {
    return {static_cast<event_kind>(from.kind), from.operation,    static_cast<code>(from.code),
            from.http_status,                   from.available_at, from.message};
}

} // namespace detail

/// How a client is to be opened. Setters can be chained: the first refusal is kept, and client::open reports it.
class options {
public:
    options() noexcept {
        seatlock_options *made = nullptr;
        first_ = seatlock_options_new(&made);
        raw_.reset(made);
    }

    options &product(const char *name) { return set(seatlock_options_set_product, name); }
    options &server(const char *url) { return set(seatlock_options_set_server, url); }
    options &issuer(const char *name) { return set(seatlock_options_set_issuer, name); }
    options &root_key(const char *x) { return set(seatlock_options_add_root_key, x); }
    options &lease_key(const char *x) { return set(seatlock_options_add_lease_key, x); }
    options &state_folder(const char *path) { return set(seatlock_options_set_state_folder, path); }
    options &machine_id(const char *id) { return set(seatlock_options_set_machine_id, id); }
    options &proxy(const char *url) { return set(seatlock_options_set_proxy, url); }
    options &ca_certificates(const std::string &pem) {
        return set(seatlock_options_add_ca_certificates, reinterpret_cast<const std::uint8_t *>(pem.data()), pem.size());
    }
    options &host(const char *name, const char *version) { return set(seatlock_options_set_host, name, version); }
    options &terms(const char *version) { return set(seatlock_options_set_terms, version); }
    options &background(bool enabled) { return set(seatlock_options_set_background, enabled ? 1U : 0U); }
    options &network_allowed(bool allowed) { return set(seatlock_options_set_network_allowed, allowed ? 1U : 0U); }
    options &issuer_url(const char *url) { return set(seatlock_options_set_issuer_url, url); }
    options &client_id(const char *id) { return set(seatlock_options_set_client_id, id); }
    options &client_secret(const char *secret) { return set(seatlock_options_set_client_secret, secret); }
    options &scopes(const char *names) { return set(seatlock_options_set_scopes, names); }
    options &audience(const char *name) { return set(seatlock_options_set_audience, name); }
    options &account_folder(const char *path) { return set(seatlock_options_set_account_folder, path); }
    /// `context` must outlive every client that is opened with these options. The function is noexcept, as in
    /// `wake([](void *window) noexcept { … }, this)`: no frame of the library could catch what it throws.
    options &wake(void (*function)(void *) noexcept, void *context) {
        return set(seatlock_options_set_wake, seatlock_wake{function}, context);
    }

    const seatlock_options *get() const noexcept { return raw_.get(); }
    /// The first refusal, code::ok when there was none.
    failure refused() const { return first_ == SEATLOCK_OK ? failure{} : detail::fail(first_, error_); }

private:
    struct freer {
        void operator()(seatlock_options *raw) const noexcept { seatlock_options_free(raw); }
    };

    template <class Function, class... Arguments> options &set(Function function, Arguments... arguments) {
        if (first_ == SEATLOCK_OK)
            first_ = function(raw_.get(), arguments..., &error_);
        return *this;
    }

    std::unique_ptr<seatlock_options, freer> raw_;
    seatlock_error error_ = detail::raw<seatlock_error>();
    std::int32_t first_ = SEATLOCK_OK;
};

/// An open license. Its functions may be called from any thread; it is closed when the object dies, which takes at
/// most close_timeout even when the network hangs.
class client {
public:
    static constexpr milliseconds close_timeout{2000};

    static result<client> open(const options &from) {
        if (failure refused = from.refused(); refused.what != code::ok)
            return refused;
        seatlock_error error = detail::raw<seatlock_error>();
        seatlock_client *raw = nullptr;
        if (std::int32_t number = seatlock_client_open(from.get(), &raw, &error); number < 0)
            return detail::fail(number, error);
        return client(raw);
    }

    /// Ends it earlier, or within another time. Every later call reports code::null_pointer.
    void close(milliseconds timeout = close_timeout) noexcept { seatlock_client_close(raw_.release(), timeout.count()); }

    /// Never blocks. Locked when there is no answer, such as in a forked child.
    seatlock::status status() const noexcept {
        seatlock_status now = detail::raw<seatlock_status>();
        if (std::int32_t number = seatlock_client_status(raw_.get(), &now); number < 0)
            return {lock_state::locked, static_cast<code>(number), false, 0, 0, 0, 0};
        return {static_cast<lock_state>(now.lock_state), static_cast<code>(now.reason), now.warn != 0,
                now.valid_until, now.next_try, now.confirmed_at, now.generation};
    }

    /// A text about the client, empty when there is none now.
    std::string text(seatlock::text what) const {
        std::size_t size = 0;
        std::string found;
        // The text may grow between two calls, so ask until it fits.
        while (seatlock_client_text(raw_.get(), static_cast<std::uint32_t>(what), found.data(), found.size(), &size) ==
               SEATLOCK_ERROR_BUFFER_TOO_SMALL)
            found.resize(size);
        found.resize(std::strlen(found.c_str()));
        return found;
    }

    /// Forbids or allows all use of the network. False when SEATLOCK_OFFLINE keeps it off.
    bool allow_network(bool allowed) const noexcept {
        return seatlock_client_allow_network(raw_.get(), allowed ? 1U : 0U, nullptr) == SEATLOCK_OK;
    }

    bool has_entitlement(const char *entitlement) const noexcept {
        return seatlock_client_has_entitlement(raw_.get(), entitlement) == SEATLOCK_OK;
    }

    result<operation> activate(const char *token, consent given) const {
        return start(seatlock_client_activate, token, static_cast<std::uint32_t>(given));
    }
    result<operation> ping(intent why) const { return start(seatlock_client_ping, static_cast<std::uint32_t>(why)); }
    result<operation> release() const { return start(seatlock_client_release); }
    result<operation> preflight(const char *token = nullptr) const { return start(seatlock_client_preflight, token); }
    /// For machines without a network: a request file out, a lease file in, a confirmation out when the seat is given back.
    result<operation> request_file(const char *token, consent given, const char *path) const {
        return start(seatlock_client_request_file, token, static_cast<std::uint32_t>(given), path);
    }
    result<operation> import_file(const char *path) const { return start(seatlock_client_import_file, path); }
    result<operation> release_file(const char *path) const { return start(seatlock_client_release_file, path); }
    /// Until event_kind::sign_in comes, text::sign_in_url is empty. No timeout: five minutes.
    result<operation> sign_in_browser(consent given, bool open = true, std::chrono::duration<std::uint32_t> timeout = {}) const {
        return start(seatlock_client_sign_in_browser, static_cast<std::uint32_t>(given), open ? 1U : 0U, timeout.count());
    }
    result<operation> sign_in_device(consent given, std::chrono::duration<std::uint32_t> timeout = {}) const {
        return start(seatlock_client_sign_in_device, static_cast<std::uint32_t>(given), timeout.count());
    }
    result<operation> sign_out() const { return start(seatlock_client_sign_out); }
    result<operation> forget() const { return start(seatlock_client_forget); }
    /// False when there is no such operation any more.
    bool cancel(operation which) const noexcept { return seatlock_client_cancel(raw_.get(), which) == SEATLOCK_OK; }

    /// The oldest event, if there is one; a failure when none will ever come, such as in a forked child. With no timeout
    /// it never blocks: call it from a timer of the host.
    result<std::optional<event>> next_event(milliseconds timeout = milliseconds{0}) const {
        seatlock_event next = detail::raw<seatlock_event>();
        std::int32_t number = seatlock_client_next_event(raw_.get(), timeout.count(), &next);
        if (number < 0)
            return detail::fail(number, detail::raw<seatlock_error>());
        return number == SEATLOCK_OK ? std::optional<event>(detail::taken(next)) : std::nullopt;
    }

    /// Waits until an operation has ended: for programs without a window. code::nothing when time ran out.
    result<event> wait(operation which, milliseconds timeout) const {
        seatlock_event end = detail::raw<seatlock_event>();
        std::int32_t number = seatlock_client_wait(raw_.get(), which, timeout.count(), &end);
        if (number != SEATLOCK_OK)
            return detail::fail(number, detail::raw<seatlock_error>());
        return detail::taken(end);
    }

    const seatlock_client *get() const noexcept { return raw_.get(); }

private:
    struct closer {
        void operator()(seatlock_client *raw) const noexcept { seatlock_client_close(raw, close_timeout.count()); }
    };

    explicit client(seatlock_client *raw) noexcept : raw_(raw) {}

    template <class Function, class... Arguments>
    result<operation> start(Function function, Arguments... arguments) const {
        seatlock_error error = detail::raw<seatlock_error>();
        operation number = 0;
        if (std::int32_t refused = function(raw_.get(), arguments..., &number, &error); refused < 0)
            return detail::fail(refused, error);
        return number;
    }

    std::unique_ptr<seatlock_client, closer> raw_;
};

} // namespace seatlock

#endif // SEATLOCK_HPP
