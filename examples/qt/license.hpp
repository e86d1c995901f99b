// A client and what a person has entered for it, on the thread of the user interface. Nothing
// blocks: events come by the client's descriptor, which Qt's loop watches.
#ifndef SEATLOCK_LICENSE_HPP
#define SEATLOCK_LICENSE_HPP

#include "panel_table.hpp"

#include <seatlock.hpp>

#include <QObject>
#include <QSocketNotifier>
#include <QTimer>

#include <functional>
#include <memory>

class license {
public:
    /// What the host does for a button: "copy" a text, or "open" a page.
    using act = std::function<void(const QString &what, const QString &text)>;

    /// Opens the client and pings once: reads two small files, waits for nothing.
    explicit license(const seatlock::options &options, QString language = "en",
                     QString terms_url = "", bool issuer = false);
    ~license();
    license(const license &) = delete;
    license &operator=(const license &) = delete;

    /// Whether the plug-in may work. As often as you like.
    bool licensed() const { return client_.status().licensed(); }
    /// Called when something else is to be shown.
    std::function<void()> changed;

    seatlock_panel::view view() const { return seatlock_panel::shown(facts(), language_); }
    seatlock_panel::facts facts() const;
    /// What a person has entered: a text, or "yes" or "no" of a check box.
    void enter(const QString &name, const QString &value) { entered_[name] = value; }
    /// What a field has. Its widget is emptied when the token is gone.
    QString entered(const QString &name) const { return entered_.value(name); }
    /// A person has pressed a button. One that is not shown or not enabled does nothing.
    void press(const QString &name, const act &act);
    /// The host's user has switched online access on or off.
    void allow_network(bool allowed);

private:
    void watch();
    void take_events();
    void take(const seatlock::event &event);
    void call(const QString &verb);
    void say(const QString &outcome, seatlock::code code, const std::string &message);
    bool ticked(const char *name) const { return entered_.value(name) == "yes"; }

    seatlock::client client_;
    seatlock::failure refused_; // why there is no client
    std::unique_ptr<QObject> watcher_;
    const QString language_, terms_url_;
    const bool issuer_;
    bool network_ = true;
    seatlock_panel::facts entered_{{"remember", "yes"}}, outcome_;
    QString opened_, running_;
    seatlock::operation operation_ = 0;
};

#endif
