// An LV2 plug-in that passes sound while it is licensed, and silence while it is locked. Server,
// key and product are compiled in (CMakeLists.txt).
//
// run() is called on a real-time thread: asking for the lock state there takes no lock and no
// memory. LV2 has no timer outside of a plug-in's window, and needs none: the client renews by
// itself. A token is entered in the window, by another program of the vendor's family, or comes
// from the environment (SEATLOCK_TOKEN).
#include <seatlock.hpp>

#include <lv2/core/lv2.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>

namespace {

// One client for all instances in a host; closed with the last of them.
std::shared_ptr<seatlock::client> license() {
    static std::mutex opening;
    static std::weak_ptr<seatlock::client> shared;
    const std::lock_guard<std::mutex> one(opening);
    auto client = shared.lock();
    if (client)
        return client;
    seatlock::options options;
    options.product(EXAMPLE_PRODUCT).server(EXAMPLE_SERVER).root_key(EXAMPLE_ROOT_KEY);
    options.terms("2026-01").auto_renew(true);
    auto opened = seatlock::client::open(options);
    // One that was not opened is locked.
    client = std::make_shared<seatlock::client>(opened ? *std::move(opened) : seatlock::client());
    (void)client->ping(seatlock::intent::launch);
    shared = client;
    return client;
}

struct gain {
    std::shared_ptr<seatlock::client> client;
    const float *in;
    float *out;
};

LV2_Handle instantiate(const LV2_Descriptor *, double, const char *, const LV2_Feature *const *) {
    try {
        return new gain{license(), nullptr, nullptr};
    } catch (...) { // no exception may reach the host
        return nullptr;
    }
}

void connect(LV2_Handle instance, std::uint32_t port, void *data) {
    auto *self = static_cast<gain *>(instance);
    if (port == 0)
        self->in = static_cast<const float *>(data);
    else
        self->out = static_cast<float *>(data);
}

void run(LV2_Handle instance, std::uint32_t samples) {
    auto *self = static_cast<gain *>(instance);
    if (self->client->status().licensed())
        std::copy_n(self->in, samples, self->out);
    else
        std::fill_n(self->out, samples, 0.0F);
}

void cleanup(LV2_Handle instance) { delete static_cast<gain *>(instance); }

const LV2_Descriptor descriptor = {"https://example.com/bridge", instantiate, connect, nullptr, run,
                                   nullptr, cleanup, nullptr};

} // namespace

LV2_SYMBOL_EXPORT const LV2_Descriptor *lv2_descriptor(std::uint32_t index) {
    return index == 0 ? &descriptor : nullptr;
}
