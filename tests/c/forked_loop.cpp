// A forked child that goes on taking events from its parent's client: its loop has to end.
//
//     forked_loop STATE_FOLDER
#include <seatlock.hpp>

#include <cstdio>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count != 2)
        return 2;
    seatlock::options options;
    options.product("com.example.bridge").server("http://127.0.0.1:9").machine_id("a-test-machine-of-ours");
    options.root_key("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").state_folder(arguments[1]);
    options.wake([] {});
    auto client = seatlock::client::open(options);
    if (!client)
        return std::fprintf(stderr, "%s\n", client.error().message.c_str()), 1;
    auto next = client->next_event();
    if (!next)
        return std::fprintf(stderr, "%s\n", next.error().message.c_str()), 1;
    if (pid_t child = fork(); child != 0) {
        int status = 0;
        return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    }
    alarm(20); // a loop that does not end is ended as a signal, which the parent tells
    for (;;) {
        auto event = client->next_event(seatlock::milliseconds{1000});
        if (!event)
            _exit(event.error().code == seatlock::code::forked ? 0 : 1);
    }
}
