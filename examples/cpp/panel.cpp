// The license part of a plug-in's window. Nothing in it blocks: tick() belongs into a timer of the
// host's user interface, and everything happens on that thread.
//
//     JUCE  class Panel : public juce::Component, juce::Timer {
//               Panel() { startTimerHz(10); }
//               void timerCallback() override { license.tick(); }
//               ...
//     Qt    auto *timer = new QTimer(this);
//           connect(timer, &QTimer::timeout, this, [this] { license.tick(); });
//           timer->start(100);
//
// A host whose loop watches descriptors (Qt's QSocketNotifier, GLib's g_unix_fd_add) gives it
// client.event_handle() and needs neither the timer nor the wake callable.
#include <seatlock.hpp>

#include <atomic>
#include <iostream>
#include <memory>
#include <thread>

namespace {

class license_panel {
public:
    // Once, when the plug-in is loaded: reads two small files, and sends one ping.
    bool open() {
        seatlock::options options;
        options.product(EXAMPLE_PRODUCT).server(EXAMPLE_SERVER).root_key(EXAMPLE_ROOT_KEY);
        options.terms("2026-01").auto_renew(true);
        options.wake([woken = woken_] { *woken = true; });
        auto opened = seatlock::client::open(options);
        if (!opened)
            return show(opened.error().message), false;
        client_ = *std::move(opened);
        auto sent = client_.ping(seatlock::intent::launch);
        if (!sent)
            show(sent.error().message);
        return true;
    }

    // The button "Activate", with what the user typed and ticked.
    void activate(const std::string &token, seatlock::consent ticked) {
        auto sent = client_.activate(token, ticked);
        if (!sent)
            show(sent.error().message);
    }

    // Ten times a second: nothing at all, unless something happened.
    void tick() {
        // First the flag, then the events: one that comes in between sets the flag again.
        if (!woken_->exchange(false))
            return;
        while (auto event = client_.next_event().value_or(std::nullopt))
            show(event->message);
    }

    // Before each drawing, if need be: some nanoseconds.
    bool licensed() const { return client_.status().licensed(); }

private:
    static void show(const std::string &message) { std::cout << message << '\n'; }

    std::shared_ptr<std::atomic<bool>> woken_ = std::make_shared<std::atomic<bool>>(true);
    seatlock::client client_;
};

} // namespace

int main() {
    license_panel panel;
    if (!panel.open())
        return 1;
    // Stands for the host's loop and its timer.
    for (int ticks = 0; ticks < 20; ticks++) {
        panel.tick();
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    std::cout << (panel.licensed() ? "licensed" : "locked") << '\n';
    return panel.licensed() ? 0 : 3;
}
