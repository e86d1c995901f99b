// A plug-in of Windows whose client is a global object: it dies when the host unloads the plug-in, under the loader's
// lock, or at the end of the process, when every other thread has been killed.
#include <seatlock.hpp>

namespace {

seatlock::client guest;

} // namespace

// Opens the client, and asks a server that may hang. 0 when that was begun.
extern "C" __declspec(dllexport) int plugin_start(const char *folder, const char *server) {
    seatlock::options options;
    options.product("com.example.bridge").server(server).root_key("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    options.machine_id("a-test-machine-of-ours").state_folder(folder).proxy("");
    options.wake([] {});
    auto opened = seatlock::client::open(options);
    if (!opened)
        return 1;
    guest = std::move(*opened);
    return guest.preflight("sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs") ? 0 : 2;
}
