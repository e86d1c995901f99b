// Another plug-in of the family, in C++. Does and says what maya.c does.
#include <seatlock.hpp>

#include <iostream>

int main(int argc, char **argv) {
    if (argc != 6)
        return 2;
    seatlock::options options;
    options.product(argv[5]).family("com.example").server(argv[1]).license_issuer(argv[2]).root_key(argv[3]);
    options.state_folder(argv[4]).machine_id("a-test-machine-of-ours").terms("2026-01");
    auto client = seatlock::client::open(options);
    if (!client)
        return std::cerr << client.error().message << '\n', 1;
    for (std::string word; std::getline(std::cin, word);) {
        if (word == "license") {
            auto limit = client->entitlement("export.max");
            auto license = client->license();
            auto held = client->credential();
            std::cout << "export.max " << limit.value.value_or(-1) << " until "
                      << (limit.valid_until ? limit.valid_until->time_since_epoch().count() : 0) << ", terms "
                      << (license ? license->terms : "-") << ", "
                      << (held ? held->remembered ? "remembered" : "for now" : "no token") << std::endl;
            continue;
        }
        auto ended = seatlock::code::ok;
        if (word != "status") {
            auto begun = word == "ping"      ? client->ping(seatlock::intent::launch)
                         : word == "release" ? client->release()
                         : word == "forget"  ? client->forget()
                                             : client->activate(word, seatlock::consent::terms |
                                                                          seatlock::consent::remember);
            if (!begun)
                return std::cerr << begun.error().message << '\n', 1;
            auto end = client->wait(*begun, std::chrono::seconds{60});
            ended = end ? end->code : end.error().code;
        }
        auto status = client->status();
        std::cout << seatlock::name(ended) << ": " << (status.licensed() ? "licensed" : "locked")
                  << " (" << seatlock::name(status.reason) << ")" << std::endl;
    }
}
