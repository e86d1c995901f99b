// What seatlock.hpp adds to C: moving, an empty client, values, time, and a wake that is any callable.
//
//     layer STATE_FOLDER
#include <seatlock.hpp>

#include <atomic>
#include <cstdio>
#include <memory>
#include <pthread.h>
#include <thread>

namespace {

int wrong = 0;

void check(bool good, const char *what) {
    std::printf("%-4s %s\n", good ? "ok" : "BAD", what);
    wrong += good ? 0 : 1;
}

seatlock::options options_at(const std::string &folder) {
    seatlock::options options;
    options.product("com.example.bridge").server("http://127.0.0.1:9").state_folder(folder);
    options.machine_id("a-test-machine-of-ours");
    options.root_key("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    return options;
}

void without_client() {
    using seatlock::code;
    seatlock::client none;
    check(!none && !none.status().licensed(), "an empty client is locked");
    check(none.status().reason == code::null_pointer, "and says why");
    check(!none.status().valid_until, "and has no time");
    check(none.release().error().code == code::null_pointer, "every call of it is refused");
    check(none.preflight().error().code == code::null_pointer, "with no token too");
    check(none.next_event().error().code == code::null_pointer, "it has no events");
    check(none.text(seatlock::text::plan).empty(), "and no texts");
    check(none.close() == code::ok, "closing it is fine");
    check(seatlock::compatible() && seatlock::version() == std::string(SEATLOCK_VERSION), "version");
    check(seatlock::machine_id("com.example.bridge", "a-test-machine").value_or("").size() == 46, "id");
    auto refused = seatlock::machine_id("no spaces");
    check(refused.error().code == code::invalid_argument, "a refused machine id");
    check(refused.value_or("another") == "another", "value_or");
    check(seatlock::codes().size() == seatlock_code_count(), "every code can be listed");
    check(seatlock::codes().back() == code::busy, "to the last");
    check(std::string(seatlock::url(code::busy)).find("#busy") != std::string::npos, "and has a page");
    check(seatlock::message(code::token_unknown)[0] != '\0', "the text of a code");
}

void consents() {
    using seatlock::consent;
    consent both = consent::terms | consent::remember;
    check((both & consent::terms) == consent::terms, "both include the terms");
    check((consent::terms & consent::remember) == consent::none, "terms alone remember nothing");
    both &= consent::remember;
    check(both == consent::remember, "what is left");
}

void with_client(const std::string &folder) {
    auto woken = std::make_shared<std::atomic<int>>(0);
    seatlock::client client;
    {
        seatlock::options options = options_at(folder);
        options.wake([woken] { ++*woken; });
        auto opened = seatlock::client::open(options);
        check(static_cast<bool>(opened), "opened");
        if (!opened)
            return;
        client = *std::move(opened);
    } // the client keeps what its wake function uses
    check(client && client.text(seatlock::text::machine_id).size() == 46, "moved into a member");
    seatlock::client moved = std::move(client);
    client = std::move(moved);
    check(client && !moved, "moved away and back");
    check(client.ping(seatlock::intent::renew).value_or(0) != 0, "a ping has a number");
    auto end = client.next_event(std::chrono::seconds{20});
    check(end && end->has_value(), "an event came");
    for (int turns = 0; *woken == 0 && turns < 200; turns++)
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
    check(*woken > 0, "the callable was called");
    auto failed = client.wait(client.ping(seatlock::intent::renew).value_or(0), std::chrono::seconds{20});
    check(failed.error().code == seatlock::code::no_token, "what failed is a failure");
    check(!failed.error().message.empty(), "in words");
    auto unknown = client.wait(0, std::chrono::seconds{20});
    check(unknown.error().code == seatlock::code::unknown_operation, "0 is no operation");
    auto quiet = client.wait(client.ping(seatlock::intent::launch).value_or(0), std::chrono::seconds{20});
    check(quiet && quiet->code == seatlock::code::not_activated, "a launch before a token is none");
    std::string path = "/" + std::string(1000, 'x');
    auto far = client.wait(client.airgap_import(path).value_or(0), std::chrono::seconds{20});
    check(far.error().message.find(path) != std::string::npos, "long messages are whole");
    check(!client.entitlement("cad").included, "nothing is included while it is locked");
    check(!client.entitlement("cad").value && !client.license(), "and there is no license");
    check(client.event_handle().value_or(-1) >= 0, "there is something to watch");
    while (client.next_event().value_or(std::nullopt))
        continue;
    seatlock::code told = seatlock::code::ok;
    std::thread sleeper([&] { told = client.next_event(std::chrono::hours{1}).error().code; });
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    check(client.close(std::chrono::seconds{20}) == seatlock::code::ok, "closed");
    sleeper.join();
    check(told == seatlock::code::closed, "who sleeps in it is told");
    check(client.close() == seatlock::code::closed, "a second time is noticed");
    check(client.status().reason == seatlock::code::closed, "and every later call");
    check(woken.use_count() == 1, "and lets go of the callable");
}

void in_another_language(const std::string &folder) {
    using seatlock::code;
    seatlock::options options = options_at(folder);
    options.catalogue("{\"no_token\":\"Bitte ein Token.\",\"no_token.remedy\":\"Eingeben.\"}");
    options.utc_offset(std::chrono::hours{1});
    auto client = seatlock::client::open(options);
    check(static_cast<bool>(client), "opened with a catalogue");
    if (!client)
        return;
    check((*client).text(seatlock::text::status) == "Bitte ein Token.", "the status in its words");
    check((*client).message(code::no_token) == "Bitte ein Token.", "a code in its words");
    check((*client).remedy(code::no_token) == "Eingeben.", "and what to do");
    check((*client).message(code::busy) == seatlock::message(code::busy), "what it lacks is English");
    check((*client).status_value("date").empty(), "no value of that name");
    auto away = (*client).wait((*client).airgap_import("/nowhere").value_or(0), std::chrono::seconds{20});
    auto values = away.error().values;
    check(values["path"] == "/nowhere", "a value by its name");
    check(values["reason"] == "os_not_found", "and an id");
    auto refused = seatlock::client::open(options_at(folder).catalogue("[]"));
    check(!refused && refused.error().code == code::invalid_argument, "no catalogue");
    refused = seatlock::client::open(options_at(folder).utc_offset(std::chrono::hours{15}));
    check(!refused && refused.error().code == code::invalid_argument, "no zone");
}

#ifdef __cpp_exceptions
void with_a_wake_that_throws(const std::string &folder) {
    auto woken = std::make_shared<std::atomic<int>>(0);
    seatlock::options options = options_at(folder);
    options.wake([woken] {
        ++*woken;
        throw 7;
    });
    auto client = seatlock::client::open(options);
    check(client && (*client).ping(seatlock::intent::renew).value_or(0) != 0, "a ping has a number");
    for (int turns = 0; *woken == 0 && turns < 200; turns++)
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
    check(*woken > 0, "the callable was called, and the host lives");
    auto end = (*client).next_event(std::chrono::seconds{20});
    check(end && end->has_value(), "its event is there");
}
#endif

void with_a_thread_that_is_ended(const std::string &folder) {
    auto woken = std::make_shared<std::atomic<int>>(0);
    seatlock::options options = options_at(folder);
    options.wake([woken] {
        if (++*woken == 1)
            pthread_exit(nullptr);
    });
    auto client = seatlock::client::open(options);
    for (int turns = 0; client && *woken < 2 && turns < 200; turns++) {
        check((*client).ping(seatlock::intent::renew).value_or(0) != 0, "a ping has a number");
        auto end = (*client).next_event(std::chrono::seconds{20});
        check(end && end->has_value(), "its event is there");
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    check(*woken > 1, "another thread called it again");
}

} // namespace

int main(int count, char **arguments) {
    if (count != 2)
        return 2;
    without_client();
    consents();
    with_client(arguments[1]);
    in_another_language(arguments[1]);
#ifdef __cpp_exceptions
    with_a_wake_that_throws(arguments[1]);
#endif
    with_a_thread_that_is_ended(arguments[1]);
    return wrong == 0 ? 0 : 1;
}
