// The quickstart: server, key and product are compiled in (CMakeLists.txt), a token is typed once.
#include <seatlock.hpp>

#include <iostream>

int main() {
    seatlock::options options;
    options.product(EXAMPLE_PRODUCT).server(EXAMPLE_SERVER);
    options.root_key(EXAMPLE_ROOT_KEY).terms("2026-01");
    auto client = seatlock::client::open(options);
    if (!client)
        return std::cerr << client.error().message << '\n', 1;
    if (!client->status().licensed()) { // known at once, network or not
        std::string token;
        std::getline(std::cin, token);
        auto consent = seatlock::consent::terms | seatlock::consent::remember;
        auto sent = client->activate(token, consent);
        if (!sent)
            return std::cerr << sent.error().message << '\n', 1;
        auto end = client->wait(*sent, std::chrono::seconds{20}); // a plug-in polls next_event()
        std::cout << (end ? end->message : end.error().message) << '\n';
    }
    std::cout << client->text(seatlock::text::status) << '\n';
    return client->status().licensed() ? 0 : 3;
}
