#include "license.hpp"

using seatlock::code;
using seatlock::event_kind;
using seatlock::state;
using seatlock::text;

namespace {

QString words(const std::string &text) { return QString::fromStdString(text); }

// How long people with a telephone and with a browser may take.
constexpr seatlock::milliseconds usual{0};

} // namespace

license::license(const seatlock::options &options, QString language, QString terms_url, bool issuer)
    : language_(std::move(language)), terms_url_(std::move(terms_url)), issuer_(issuer) {
    auto opened = seatlock::client::open(options);
    if (!opened) {
        refused_ = opened.error();
        return;
    }
    client_ = *std::move(opened);
    watch();
    (void)client_.ping(seatlock::intent::launch); // its end needs to be shown nowhere
}

license::~license() {
    watcher_.reset(); // the descriptor is the client's
}

void license::watch() {
#ifndef Q_OS_WIN
    if (auto handle = client_.event_handle()) {
        auto notifier = std::make_unique<QSocketNotifier>(*handle, QSocketNotifier::Read);
        QObject::connect(notifier.get(), &QSocketNotifier::activated, [this] { take_events(); });
        watcher_ = std::move(notifier);
        return;
    }
#endif
    auto timer = std::make_unique<QTimer>();
    QObject::connect(timer.get(), &QTimer::timeout, [this] { take_events(); });
    timer->start(250);
    watcher_ = std::move(timer);
}

void license::take_events() {
    bool any = false;
    while (auto event = client_.next_event().value_or(std::nullopt)) {
        take(*event);
        any = true;
    }
    if (any && changed)
        changed();
}

void license::take(const seatlock::event &event) {
    if (event.kind == event_kind::operation && event.operation == operation_) {
        const QString verb = std::exchange(running_, QString());
        operation_ = 0;
        if (event.code < code::ok)
            return say("failed", event.code, event.message);
        entered_.remove("token");
        entered_.remove("terms");
        if (verb != "airgap_request")
            opened_.clear();
        say("done", event.code, event.message);
    } else if (event.kind == event_kind::notice) {
        say("failed", event.code, event.message);
    } else if (event.kind == event_kind::sign_in) {
        say("done", event.code, event.message);
    }
}

void license::say(const QString &outcome, code number, const std::string &message) {
    outcome_.clear();
    if (number == code::cancelled)
        return;
    outcome_ = {{"outcome", outcome}, {"message", words(message)}};
    if (outcome == "failed") {
        outcome_["message_remedy"] = words(client_.remedy(number));
        outcome_["message_url"] = seatlock::url(number);
    }
}

seatlock_panel::facts license::facts() const {
    seatlock_panel::facts all = outcome_;
    all["view"] = opened_;
    all["running"] = running_;
    all["network"] = network_ ? "yes" : "no";
    all["issuer"] = issuer_ ? "yes" : "";
    all["terms_url"] = terms_url_;
    for (auto field = entered_.begin(); field != entered_.end(); ++field)
        all[field.key()] = field.value();
    if (!entered_.value("token").isEmpty())
        all["token"] = "yes";
    if (!client_) {
        all["status"] = words(refused_.message);
        all["remedy"] = seatlock::remedy(refused_.code);
        all["url"] = seatlock::url(refused_.code);
        return all;
    }
    const seatlock::status now = client_.status();
    all["state"] = now.state == state::unlocked ? "unlocked"
                   : now.state == state::grace  ? "grace"
                                                : "locked";
    all["warn"] = now.warn ? "yes" : "";
    all["reason"] = seatlock::name(now.reason);
    const std::pair<const char *, text> texts[] = {
        {"status", text::status},           {"computer", text::machine_short},
        {"machine_id", text::machine_id},   {"plan", text::plan},
        {"account", text::account},         {"email", text::email},
        {"sign_in_url", text::sign_in_url}, {"sign_in_code", text::sign_in_code},
    };
    for (const auto &[name, which] : texts)
        all[name] = words(client_.text(which));
    if (all["state"] == "locked") {
        all["remedy"] = words(client_.remedy(now.reason));
        all["url"] = seatlock::url(now.reason);
    }
    if (all.value("message") == all["status"])
        all["outcome"] = ""; // the status says it
    if (const auto credential = client_.credential()) {
        const auto kind = credential->kind;
        all["credential"] = kind == seatlock::credential_kind::person    ? "person"
                            : kind == seatlock::credential_kind::machine ? "machine"
                                                                         : "token";
    }
    return all;
}

void license::press(const QString &name, const act &act) {
    for (const seatlock_panel::button &button : view().buttons) {
        if (button.name != name || !button.enabled)
            continue;
        const QString verb = button.call.section(' ', 0, 0), what = button.call.section(' ', 1);
        if (verb == "copy" || verb == "open")
            return act(verb, what == "report" ? words(client_.report()) : facts().value(what));
        outcome_.clear();
        if (verb == "view")
            opened_ = what;
        else
            call(verb);
        if (changed)
            changed();
        return;
    }
}

void license::call(const QString &verb) {
    if (verb == "cancel") {
        client_.cancel(operation_);
        return;
    }
    const std::string token = entered_.value("token").toStdString();
    auto consent = seatlock::consent::none;
    if (ticked("terms"))
        consent |= seatlock::consent::terms;
    if (ticked("remember"))
        consent |= seatlock::consent::remember;
    auto path = [this](const char *field) { return entered_.value(field).toStdString(); };
    auto started = [&]() -> seatlock::result<seatlock::operation> {
        if (verb == "activate")
            return client_.activate(token, consent);
        if (verb == "ping")
            return client_.ping(seatlock::intent::launch);
        if (verb == "release")
            return client_.release();
        if (verb == "sign_in_browser")
            return client_.sign_in_browser(consent, true, usual);
        if (verb == "sign_in_device")
            return client_.sign_in_device(consent, usual);
        if (verb == "sign_out")
            return client_.sign_out();
        if (verb == "airgap_request")
            return client_.airgap_request(token, consent, path("request_path"));
        if (verb == "airgap_import")
            return client_.airgap_import(path("lease_path"));
        return client_.airgap_release(path("release_path"));
    }();
    if (!started)
        return say("failed", started.error().code, started.error().message);
    running_ = verb;
    operation_ = *started;
}

void license::allow_network(bool allowed) {
    network_ = allowed;
    client_.allow_network(allowed);
    if (changed)
        changed();
}
