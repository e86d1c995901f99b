// seatlock for C++17: a thin, header-only layer over seatlock.h, which says what every call means.
//
// Objects close and free themselves. Nothing is thrown and no run-time type information is needed,
// so it also compiles with -fno-exceptions -fno-rtti. Every call that can fail answers a result
// that must be looked at:
//
//     auto opened = seatlock::client::open(options);
//     if (!opened) return show(opened.error().message);
//     seatlock::client client = *std::move(opened);
//
// Functions that only read are const. Texts are UTF-8.

#ifndef SEATLOCK_HPP
#define SEATLOCK_HPP

#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#ifdef __GLIBCXX__
#include <cxxabi.h>
#endif

#include "seatlock.h"

namespace seatlock {
inline namespace v1 {

/// Every number of seatlock_result; its names are those of the SEATLOCK_… numbers.
enum class code : std::int32_t {
    ok = SEATLOCK_OK,
    ok_offline = SEATLOCK_OK_OFFLINE,
    ok_warn = SEATLOCK_OK_WARN,
    no_event = SEATLOCK_NO_EVENT,
    pending = SEATLOCK_PENDING,
    no_value = SEATLOCK_NO_VALUE,
    not_activated = SEATLOCK_NOT_ACTIVATED,
    still_running = SEATLOCK_STILL_RUNNING,
    no_token = SEATLOCK_ERROR_NO_TOKEN,
    token_malformed = SEATLOCK_ERROR_TOKEN_MALFORMED,
    token_wrong_kind = SEATLOCK_ERROR_TOKEN_WRONG_KIND,
    token_unknown = SEATLOCK_ERROR_TOKEN_UNKNOWN,
    token_revoked = SEATLOCK_ERROR_TOKEN_REVOKED,
    sign_in_required = SEATLOCK_ERROR_SIGN_IN_REQUIRED,
    sign_in_refused = SEATLOCK_ERROR_SIGN_IN_REFUSED,
    scope_missing = SEATLOCK_ERROR_SCOPE_MISSING,
    identity_unknown = SEATLOCK_ERROR_IDENTITY_UNKNOWN,
    identity_provider_unavailable = SEATLOCK_ERROR_IDENTITY_PROVIDER_UNAVAILABLE,
    seat_in_use_elsewhere = SEATLOCK_ERROR_SEAT_IN_USE_ELSEWHERE,
    seat_limit_reached = SEATLOCK_ERROR_SEAT_LIMIT_REACHED,
    seat_released = SEATLOCK_ERROR_SEAT_RELEASED,
    release_rate_limited = SEATLOCK_ERROR_RELEASE_RATE_LIMITED,
    lease_superseded = SEATLOCK_ERROR_LEASE_SUPERSEDED,
    machine_id_supplied = SEATLOCK_ERROR_MACHINE_ID_SUPPLIED,
    license_suspended = SEATLOCK_ERROR_LICENSE_SUSPENDED,
    license_expired = SEATLOCK_ERROR_LICENSE_EXPIRED,
    plan_not_entitled = SEATLOCK_ERROR_PLAN_NOT_ENTITLED,
    terms_required = SEATLOCK_ERROR_TERMS_REQUIRED,
    plugin_too_old = SEATLOCK_ERROR_PLUGIN_TOO_OLD,
    update_not_included = SEATLOCK_ERROR_UPDATE_NOT_INCLUDED,
    lease_expired = SEATLOCK_ERROR_LEASE_EXPIRED,
    machine_mismatch = SEATLOCK_ERROR_MACHINE_MISMATCH,
    machine_id_unavailable = SEATLOCK_ERROR_MACHINE_ID_UNAVAILABLE,
    clock_error = SEATLOCK_ERROR_CLOCK,
    store_unwritable = SEATLOCK_ERROR_STORE_UNWRITABLE,
    store_corrupt = SEATLOCK_ERROR_STORE_CORRUPT,
    file_unusable = SEATLOCK_ERROR_FILE_UNUSABLE,
    unreachable = SEATLOCK_ERROR_UNREACHABLE,
    unexpected_response = SEATLOCK_ERROR_UNEXPECTED_RESPONSE,
    tls_untrusted = SEATLOCK_ERROR_TLS_UNTRUSTED,
    rate_limited = SEATLOCK_ERROR_RATE_LIMITED,
    server_error = SEATLOCK_ERROR_SERVER,
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

enum class state : std::uint32_t {
    unlocked = SEATLOCK_STATE_UNLOCKED,
    grace = SEATLOCK_STATE_GRACE,
    locked = SEATLOCK_STATE_LOCKED,
};
enum class intent : std::uint32_t {
    launch = SEATLOCK_INTENT_LAUNCH,
    renew = SEATLOCK_INTENT_RENEW,
};
/// Ignore kinds that you do not know.
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
    event = SEATLOCK_TEXT_EVENT,
    account = SEATLOCK_TEXT_ACCOUNT,
    email = SEATLOCK_TEXT_EMAIL,
    data = SEATLOCK_TEXT_DATA,
    terms = SEATLOCK_TEXT_TERMS,
    subject = SEATLOCK_TEXT_SUBJECT,
};
enum class credential_kind : std::uint32_t {
    token = SEATLOCK_CREDENTIAL_TOKEN,
    person = SEATLOCK_CREDENTIAL_PERSON,
    machine = SEATLOCK_CREDENTIAL_MACHINE,
};

/// How much a line of the log matters.
enum class log_level : std::uint32_t {
    error = SEATLOCK_LOG_ERROR,
    warning = SEATLOCK_LOG_WARNING,
    info = SEATLOCK_LOG_INFO,
    debug = SEATLOCK_LOG_DEBUG,
};

/// The two check boxes beside the token.
enum class consent : seatlock_consent_flags {
    none = 0,
    terms = SEATLOCK_CONSENT_TERMS,
    remember = SEATLOCK_CONSENT_REMEMBER,
};
constexpr consent operator|(consent a, consent b) noexcept {
    return consent{static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b)};
}
constexpr consent operator&(consent a, consent b) noexcept {
    return consent{static_cast<std::uint32_t>(a) & static_cast<std::uint32_t>(b)};
}
constexpr consent &operator|=(consent &a, consent b) noexcept { return a = a | b; }
constexpr consent &operator&=(consent &a, consent b) noexcept { return a = a & b; }

/// Number of an operation; its end is an event with the same number. 0 is never one.
using operation = seatlock_operation;
using milliseconds = std::chrono::duration<std::uint32_t, std::milli>;
using time_point = std::chrono::time_point<std::chrono::system_clock, std::chrono::seconds>;

inline const char *name(code of) noexcept {
    return seatlock_code_name(static_cast<seatlock_result>(of));
}
/// What to tell a user, with blanks such as {date} not filled; events carry the filled text.
inline const char *message(code of) noexcept {
    return seatlock_code_text(static_cast<seatlock_result>(of));
}
inline const char *remedy(code of) noexcept {
    return seatlock_code_remedy(static_cast<seatlock_result>(of));
}

/// Address of the page that explains it.
inline const char *url(code of) noexcept {
    return seatlock_code_url(static_cast<seatlock_result>(of));
}
/// Every code of the library that was found, for tables of them.
inline std::vector<code> codes() {
    std::vector<code> all;
    seatlock_result number = 0;
    for (std::uint32_t index = 0; seatlock_code_at(index, &number) == SEATLOCK_OK; index++)
        all.push_back(code{number});
    return all;
}

/// Version of the library that was found.
inline const char *version() noexcept { return seatlock_version(); }
/// Whether the library that was found fits the header that this program was compiled with.
inline bool compatible() noexcept { return seatlock_abi_version() == SEATLOCK_ABI_VERSION; }

/// Why a call failed, in words for a person.
struct failure {
    seatlock::code code = seatlock::code::ok;
    std::uint32_t http_status = 0;
    std::optional<time_point> available_at;
    std::string message;
    /// Of an operation that failed, what the message is about: see seatlock_event_value().
    std::map<std::string, std::string> values{};
};

/// A value or a failure. `*` and `->` are for results that were found good.
template <class T> class [[nodiscard]] result {
public:
    result(T value) : value_(std::move(value)) {}
    result(failure why) : failure_(std::move(why)) {}
    explicit operator bool() const noexcept { return value_.has_value(); }
    T &operator*() & noexcept { return *value_; }
    const T &operator*() const & noexcept { return *value_; }
    T &&operator*() && noexcept { return *std::move(value_); }
    T *operator->() noexcept { return &*value_; }
    const T *operator->() const noexcept { return &*value_; }
    template <class U> T value_or(U &&other) const & {
        return value_.value_or(std::forward<U>(other));
    }
    template <class U> T value_or(U &&other) && {
        return std::move(value_).value_or(std::forward<U>(other));
    }
    const failure &error() const noexcept { return failure_; }

private:
    std::optional<T> value_;
    failure failure_;
};

struct status {
    seatlock::state state = seatlock::state::locked;
    code reason = code::internal;
    bool warn = false;
    std::optional<time_point> valid_until;
    std::optional<time_point> next_try;
    std::optional<time_point> confirmed_at;
    std::uint64_t generation = 0;
    bool licensed() const noexcept { return state == state::unlocked || state == state::grace; }
};

/// Such as "cad", or "export.max" with a value.
struct entitlement {
    bool included = false;
    std::optional<std::int64_t> value;
    /// From then on it is not included any more, if there is such a time.
    std::optional<time_point> valid_until;
};

struct license {
    std::string account;
    std::string email;
    std::optional<time_point> subscription_end;
    /// Versions of the plug-in that were released later are not included, if there is such a time.
    std::optional<time_point> updates_until;
    /// Version of the terms that were accepted last; empty when the server knows of none.
    std::string terms;
    /// The vendor's own data, a JSON object; empty when there is none, and while it is locked.
    std::string data;
};

/// What the client asks the server with.
struct credential {
    credential_kind kind = credential_kind::token;
    /// Kept here for the next start of the host.
    bool remembered = false;
    /// Who is signed in, as their sign-in service calls them; empty with a token.
    std::string subject;
};

struct event {
    event_kind kind = event_kind::operation;
    seatlock::operation operation = 0;
    seatlock::code code = seatlock::code::no_event;
    std::uint32_t http_status = 0;
    std::optional<time_point> available_at;
    std::string message;
    /// What the message is about: see seatlock_event_value().
    std::map<std::string, std::string> values{};
};

namespace detail {

inline std::optional<time_point> time(std::int64_t seconds) noexcept {
    if (seconds == 0)
        return std::nullopt;
    return time_point{std::chrono::seconds{seconds}};
}

/// The detail, or the code's own text for functions that report none.
inline failure fail(seatlock_result number, const seatlock_error &error = SEATLOCK_ERROR_INIT) {
    const char *message = seatlock_code_text(number);
    if (error.needed != 0)
        message = error.needed <= error.capacity ? error.buffer : error.message;
    return {code{number}, error.http_status, time(error.available_at), message};
}

/// The detail of a call, with room for a message that names a long path.
class detailed {
public:
    detailed() noexcept {
        error_.buffer = whole_;
        error_.capacity = sizeof whole_;
    }
    detailed(const detailed &) = delete;
    detailed &operator=(const detailed &) = delete;
    operator seatlock_error *() noexcept { return &error_; }
    failure fail(seatlock_result number) const { return detail::fail(number, error_); }

private:
    seatlock_error error_ = SEATLOCK_ERROR_INIT;
    char whole_[4096];
};

/// Asks until the text fits: it may grow between two calls.
template <class Ask> seatlock_result read(std::string &found, Ask ask) {
    std::size_t size = 0;
    seatlock_result number = SEATLOCK_OK;
    while ((number = ask(found.data(), found.size(), &size)) == SEATLOCK_ERROR_BUFFER_TOO_SMALL)
        found.resize(size);
    found.resize(std::strlen(found.c_str()));
    return number;
}

/// As C takes it.
template <class T> T plain(T value) noexcept { return value; }
inline const char *plain(const std::string &value) noexcept { return value.c_str(); }
inline const char *plain(const std::optional<std::string> &value) noexcept {
    return value ? value->c_str() : nullptr;
}
inline std::uint32_t plain(bool value) noexcept { return value ? 1U : 0U; }
inline std::uint32_t plain(milliseconds value) noexcept { return value.count(); }
inline std::uint32_t plain(consent value) noexcept { return static_cast<std::uint32_t>(value); }
inline std::uint32_t plain(intent value) noexcept { return static_cast<std::uint32_t>(value); }
inline std::uint32_t plain(log_level value) noexcept { return static_cast<std::uint32_t>(value); }

using wake = std::function<void()>;
using log = std::function<void(log_level, const std::string &)>;

/// The library could not catch what a callable throws. A host that ends the thread passes through.
template <class Body> void guarded(Body body) {
#ifdef __cpp_exceptions
    try {
        body();
    }
#ifdef __GLIBCXX__
    catch (abi::__forced_unwind &) {
        throw;
    }
#endif
    catch (...) {
    }
#else
    body();
#endif
}

inline void SEATLOCK_CALL call(seatlock_client *, void *context) {
    guarded([=] { (*static_cast<wake *>(context))(); });
}

inline void SEATLOCK_CALL tell(seatlock_client *, seatlock_log_level level, const char *text,
                               void *context) {
    guarded([=] { (*static_cast<log *>(context))(log_level{level}, text); });
}

/// The callables of a client, which live as long as they may be called.
struct callables {
    std::shared_ptr<detail::wake> wake;
    std::shared_ptr<detail::log> log;
};

} // namespace detail

/// This computer's machine id for a product, without a client; `supplied` is used in place of the
/// operating system's identifier.
inline result<std::string> machine_id(const std::string &product,
                                      const std::optional<std::string> &supplied = std::nullopt) {
    detail::detailed error;
    std::string id;
    const char *given = detail::plain(supplied);
    auto ask = [&](char *to, std::size_t capacity, std::size_t *needed) {
        return seatlock_machine_id(product.c_str(), given, to, capacity, needed, error);
    };
    if (seatlock_result number = detail::read(id, ask); number != SEATLOCK_OK)
        return error.fail(number);
    return id;
}

class client;

/// How a client is to be opened. Setters can be chained: the first refusal is kept, and
/// client::open reports it.
class options {
public:
    options() noexcept {
        seatlock_options *made = nullptr;
        refused_.code = code{seatlock_options_new(&made)};
        raw_.reset(made);
    }

    options &product(const std::string &name) { return set(seatlock_options_set_product, name); }
    options &family(const std::string &name) { return set(seatlock_options_set_family, name); }
    options &server(const std::string &url) { return set(seatlock_options_set_server, url); }
    options &license_issuer(const std::string &name) {
        return set(seatlock_options_set_license_issuer, name);
    }
    options &root_key(const std::string &x) { return set(seatlock_options_add_root_key, x); }
    options &lease_key(const std::string &x) { return set(seatlock_options_add_lease_key, x); }
    options &state_folder(const std::string &path) {
        return set(seatlock_options_set_state_folder, path);
    }
    options &machine_id(const std::string &id) { return set(seatlock_options_set_machine_id, id); }
    /// "" for none, and nothing for what the environment and the operating system say.
    options &proxy(const std::optional<std::string> &url) {
        return set(seatlock_options_set_proxy, url);
    }
    options &ca_certificates(const std::string &pem) {
        auto bytes = reinterpret_cast<const std::uint8_t *>(pem.data());
        return set(seatlock_options_add_ca_certificates, bytes, pem.size());
    }
    options &host(const std::string &name, const std::string &version) {
        return set(seatlock_options_set_host, name, version);
    }
    options &catalogue(const std::string &json) {
        return set(seatlock_options_set_catalogue, json.data(), json.size());
    }
    options &utc_offset(std::chrono::minutes ahead) {
        return set(seatlock_options_set_utc_offset, static_cast<std::int32_t>(ahead.count()));
    }
    options &plugin(const std::string &version, std::int64_t released_at) {
        return set(seatlock_options_set_plugin, version, released_at);
    }
    options &terms(const std::string &version) { return set(seatlock_options_set_terms, version); }
    options &auto_renew(bool enabled) { return set(seatlock_options_set_auto_renew, enabled); }
    options &network_allowed(bool allowed) {
        return set(seatlock_options_set_network_allowed, allowed);
    }
    options &oidc_issuer(const std::string &url) {
        return set(seatlock_options_set_oidc_issuer, url);
    }
    options &client_id(const std::string &id) { return set(seatlock_options_set_client_id, id); }
    options &client_secret(const std::string &secret) {
        return set(seatlock_options_set_client_secret, secret);
    }
    options &scopes(const std::string &names) { return set(seatlock_options_set_scopes, names); }
    options &audience(const std::string &name) { return set(seatlock_options_set_audience, name); }
    options &account_folder(const std::string &path) {
        return set(seatlock_options_set_account_folder, path);
    }
    /// Called when an event is waiting, on a thread of the library, as in
    /// `wake([this] { post_to_my_loop(); })`. Clients that are opened with it keep it alive. What
    /// it throws is dropped.
    options &wake(std::function<void()> function) {
        auto kept = std::make_shared<detail::wake>(std::move(function));
        void *context = kept.get();
        set(seatlock_options_set_wake, *kept ? detail::call : nullptr, context);
        if (refused_.code == code::ok)
            kept_.wake = std::move(kept);
        return *this;
    }
    /// Told what happens, line by line, on a thread of the library, as in
    /// `log(log_level::info, [](log_level, const std::string &line) { write(line); })`.
    /// Clients that are opened with it keep it alive. What it throws is dropped.
    options &log(log_level most, std::function<void(log_level, const std::string &)> function) {
        auto kept = std::make_shared<detail::log>(std::move(function));
        void *context = kept.get();
        set(seatlock_options_set_log, *kept ? detail::tell : nullptr, most, context);
        if (refused_.code == code::ok)
            kept_.log = std::move(kept);
        return *this;
    }

    const seatlock_options *get() const noexcept { return raw_.get(); }
    /// The first refusal, code::ok when there was none.
    const failure &refused() const noexcept { return refused_; }

private:
    friend class client;

    struct freer {
        void operator()(seatlock_options *raw) const noexcept { seatlock_options_free(raw); }
    };

    template <class Function, class... Arguments>
    options &set(Function function, const Arguments &...given) {
        if (refused_.code != code::ok)
            return *this;
        detail::detailed error;
        if (auto number = function(raw_.get(), detail::plain(given)..., error); number < 0)
            refused_ = error.fail(number);
        return *this;
    }

    std::unique_ptr<seatlock_options, freer> raw_;
    detail::callables kept_;
    failure refused_;
};

/// An open license. Its functions may be called from any thread, also while one of them calls
/// close(): then they report code::closed. It is closed when the object dies, which takes at most
/// close_timeout even when the network hangs. One that was not opened is locked, and every other
/// call reports code::null_pointer.
class client {
public:
    static constexpr milliseconds close_timeout{2000};

    client() noexcept = default;
    client(client &&other) noexcept
        : kept_(std::move(other.kept_)), raw_(std::exchange(other.raw_, nullptr)) {}
    client &operator=(client &&other) noexcept {
        client old(std::move(*this));
        kept_ = std::move(other.kept_);
        raw_ = std::exchange(other.raw_, nullptr);
        return *this;
    }
    ~client() { close(); }

    static result<client> open(const options &from) {
        if (from.refused().code != code::ok)
            return from.refused();
        detail::detailed error;
        seatlock_client *raw = nullptr;
        if (seatlock_result number = seatlock_client_open(from.get(), &raw, error); number < 0)
            return error.fail(number);
        return client(raw, from.kept_);
    }

    /// Whether it was opened.
    explicit operator bool() const noexcept { return raw_ != nullptr; }

    /// Ends it earlier, or within another time; who sleeps in next_event() or wait() is told so.
    /// code::still_running when a callable of options has not returned.
    seatlock::code close(milliseconds timeout = close_timeout) noexcept {
        seatlock_result number = seatlock_client_close(raw_, timeout.count());
        // What a callable uses that has not returned is kept for good.
        if (number == SEATLOCK_STILL_RUNNING && (kept_.wake || kept_.log))
            new (std::nothrow) detail::callables(kept_);
        // Of several threads that close, one gets here.
        if (number >= SEATLOCK_OK)
            kept_ = {};
        return seatlock::code{number};
    }

    /// Never blocks. Locked when there is no answer, such as in a forked child.
    seatlock::status status() const noexcept {
        seatlock_status now = SEATLOCK_STATUS_INIT;
        seatlock::status answer;
        if (seatlock_result number = seatlock_client_status(raw_, &now); number < 0) {
            answer.reason = code{number};
            return answer;
        }
        return {state{now.state},
                code{now.reason},
                now.warn != 0,
                detail::time(now.valid_until),
                detail::time(now.next_try),
                detail::time(now.confirmed_at),
                now.generation};
    }

    /// A text about the client, empty when there is none now.
    std::string text(seatlock::text which) const {
        std::string found;
        auto number = static_cast<seatlock_text>(which);
        detail::read(found, [&](char *to, std::size_t capacity, std::size_t *needed) {
            return seatlock_client_text(raw_, number, to, capacity, needed);
        });
        return found;
    }

    /// What support needs to know, as lines of plain text, without secrets: for a button that
    /// copies it. Looks at a few small files; empty when there is no client.
    std::string report() const {
        std::string found;
        detail::read(found, [&](char *to, std::size_t capacity, std::size_t *needed) {
            return seatlock_client_report(raw_, to, capacity, needed);
        });
        return found;
    }

    /// A value of what text::status says, empty when there is none: see seatlock_event_value().
    std::string status_value(const std::string &name) const {
        std::string found;
        detail::read(found, [&](char *to, std::size_t capacity, std::size_t *needed) {
            return seatlock_client_status_value(raw_, name.c_str(), to, capacity, needed);
        });
        return found;
    }

    /// As seatlock::message(), in the language of the client.
    std::string message(code of) const { return said(of, seatlock_client_code_text); }
    /// As seatlock::remedy(), in the language of the client.
    std::string remedy(code of) const { return said(of, seatlock_client_code_remedy); }

    /// Forbids or allows all use of the network. False when SEATLOCK_OFFLINE keeps it off.
    bool allow_network(bool allowed) noexcept {
        return seatlock_client_allow_network(raw_, allowed ? 1U : 0U, nullptr) == SEATLOCK_OK;
    }

    /// Another proxy from the next request on: "" for none, and nothing for what environment and
    /// operating system say. code::ok, or why it is refused.
    [[nodiscard]] failure set_proxy(const std::optional<std::string> &url) {
        return changed(seatlock_client_set_proxy, url);
    }
    /// Trusts further certificate authorities from the next request on.
    [[nodiscard]] failure add_ca_certificates(const std::string &pem) {
        auto bytes = reinterpret_cast<const std::uint8_t *>(pem.data());
        return changed(seatlock_client_add_ca_certificates, bytes, pem.size());
    }

    /// Not included when the license does not name it, when the client is locked, and when there is
    /// no answer.
    seatlock::entitlement entitlement(const std::string &name) const noexcept {
        seatlock_entitlement found = SEATLOCK_ENTITLEMENT_INIT;
        seatlock::entitlement answer;
        if (seatlock_client_entitlement(raw_, name.c_str(), &found) != SEATLOCK_OK)
            return answer;
        answer.included = found.included == 1;
        if (found.has_value == 1)
            answer.value = found.value;
        answer.valid_until = detail::time(found.valid_until);
        return answer;
    }

    /// What the license says of itself, when there is one.
    std::optional<seatlock::license> license() const {
        seatlock_license found = SEATLOCK_LICENSE_INIT;
        if (seatlock_client_license(raw_, &found) != SEATLOCK_OK)
            return std::nullopt;
        return seatlock::license{text(seatlock::text::account), text(seatlock::text::email),
                                 detail::time(found.subscription_end),
                                 detail::time(found.updates_until), text(seatlock::text::terms),
                                 text(seatlock::text::data)};
    }

    /// What the client asks the server with, when there is something.
    std::optional<seatlock::credential> credential() const {
        seatlock_credential found = SEATLOCK_CREDENTIAL_INIT;
        if (seatlock_client_credential(raw_, &found) != SEATLOCK_OK)
            return std::nullopt;
        return seatlock::credential{credential_kind{found.kind}, found.remembered == 1,
                                    text(seatlock::text::subject)};
    }

    result<operation> activate(const std::string &token, consent given) {
        return start(seatlock_client_activate, token, given);
    }
    result<operation> ping(intent why) { return start(seatlock_client_ping, why); }
    result<operation> release() { return start(seatlock_client_release); }
    /// Asks for the token in use.
    result<operation> preflight() {
        return start(seatlock_client_preflight, static_cast<const char *>(nullptr));
    }
    result<operation> preflight(const std::string &token) {
        return start(seatlock_client_preflight, token);
    }
    /// For machines without a network: a request file out, a lease file in, a confirmation out when
    /// the seat is given back.
    result<operation> airgap_request(const std::string &token, consent given,
                                   const std::string &path) {
        return start(seatlock_client_airgap_request, token, given, path);
    }
    result<operation> airgap_import(const std::string &path) {
        return start(seatlock_client_airgap_import, path);
    }
    result<operation> airgap_release(const std::string &path) {
        return start(seatlock_client_airgap_release, path);
    }
    /// Until event_kind::sign_in comes, text::sign_in_url is empty. No timeout: five minutes.
    result<operation> sign_in_browser(consent given, bool open = true, milliseconds timeout = {}) {
        return start(seatlock_client_sign_in_browser, given, open, timeout);
    }
    result<operation> sign_in_device(consent given, milliseconds timeout = {}) {
        return start(seatlock_client_sign_in_device, given, timeout);
    }
    result<operation> sign_out() { return start(seatlock_client_sign_out); }
    result<operation> forget() { return start(seatlock_client_forget); }
    /// False when there is no such operation any more.
    bool cancel(operation which) noexcept {
        return seatlock_client_cancel(raw_, which) == SEATLOCK_OK;
    }

    /// The oldest event, if there is one; a failure when none will ever come, such as in a forked
    /// child. With no timeout it never blocks: call it from a timer of the host.
    result<std::optional<event>> next_event(milliseconds timeout = {}) {
        seatlock_event next = SEATLOCK_EVENT_INIT;
        seatlock_result number = seatlock_client_next_event(raw_, timeout.count(), &next);
        if (number < 0)
            return detail::fail(number);
        return number == SEATLOCK_OK ? std::optional<event>(taken(next)) : std::nullopt;
    }

    /// Waits until an operation has ended: for programs without a window. A failure when it has
    /// failed, and code::pending when time ran out.
    result<event> wait(operation which, milliseconds timeout) {
        seatlock_event end = SEATLOCK_EVENT_INIT;
        seatlock_result number = seatlock_client_wait(raw_, which, timeout.count(), &end);
        if (end.kind == 0) // no event was handed over
            return detail::fail(number);
        event ended = taken(end);
        if (number < 0)
            return failure{ended.code, ended.http_status, ended.available_at,
                           std::move(ended.message), std::move(ended.values)};
        return ended;
    }

    /// What a poll loop can watch in place of a wake callable: a descriptor, on Windows a HANDLE.
    result<std::intptr_t> event_handle() {
        detail::detailed error;
        std::intptr_t handle = -1;
        seatlock_result number = seatlock_client_event_handle(raw_, &handle, error);
        if (number < 0)
            return error.fail(number);
        return handle;
    }

    seatlock_client *get() noexcept { return raw_; }
    const seatlock_client *get() const noexcept { return raw_; }

private:
    client(seatlock_client *raw, detail::callables kept) noexcept
        : kept_(std::move(kept)), raw_(raw) {}

    template <class Function, class... Arguments>
    failure changed(Function function, const Arguments &...given) {
        detail::detailed error;
        seatlock_result number = function(raw_, detail::plain(given)..., error);
        return number == SEATLOCK_OK ? failure{} : error.fail(number);
    }

    template <class Function> std::string said(code of, Function function) const {
        std::string found;
        auto number = static_cast<seatlock_result>(of);
        detail::read(found, [&](char *to, std::size_t capacity, std::size_t *needed) {
            return function(raw_, number, to, capacity, needed);
        });
        return found;
    }

    event taken(const seatlock_event &from) const {
        std::map<std::string, std::string> values;
        for (const char *name = from.values; *name != '\0';) {
            const char *value = name + std::strlen(name) + 1;
            values.emplace(name, value);
            name = value + std::strlen(value) + 1;
        }
        std::string message = from.message;
        // Where some may be left out, the whole is asked for, as long as no later one was taken.
        if (message.size() + 8 >= sizeof from.message) {
            std::string whole = text(seatlock::text::event);
            if (whole.size() > message.size() && whole.compare(0, 200, message, 0, 200) == 0)
                message = std::move(whole);
        }
        return {event_kind{from.kind},
                from.operation,
                code{from.code},
                from.http_status,
                detail::time(from.available_at),
                std::move(message),
                std::move(values)};
    }

    template <class Function, class... Arguments>
    result<operation> start(Function function, const Arguments &...given) {
        detail::detailed error;
        operation number = 0;
        if (seatlock_result refused = function(raw_, detail::plain(given)..., &number, error);
            refused < 0)
            return error.fail(refused);
        return number;
    }

    detail::callables kept_;
    seatlock_client *raw_ = nullptr;
};

} // namespace v1
} // namespace seatlock

#endif // SEATLOCK_HPP
