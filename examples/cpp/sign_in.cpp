// Signing in at the company's OpenID provider instead of pasting a token: in this computer's
// browser, or with --device on a telephone. Server, key, product and provider are compiled in (see
// CMakeLists.txt).
#include <seatlock.hpp>

#include <iostream>
#include <string_view>

namespace {

// How the program ends: a script can tell a lock from a mistake.
enum { LICENSED = 0, FAILED = 1, USAGE = 2, LOCKED = 3 };

const char *const help = "usage: sign_in [--device | --sign-out]\n"
                         "Signs in with this computer's browser, unless that was done before.\n"
                         "  --device    at another device, such as a telephone: shows a page and a code\n"
                         "  --sign-out  forgets sign-in and license on this computer\n";

// A plug-in shows this in its window, beside a button "Cancel" that calls client.cancel().
void show_page(const seatlock::client &client, const std::string &message) {
    std::cout << message << "\npage  " << client.text(seatlock::text::sign_in_url) << std::endl;
    if (std::string code = client.text(seatlock::text::sign_in_code); !code.empty())
        std::cout << "code  " << code << std::endl;
}

seatlock::event failed(const seatlock::failure &why) {
    seatlock::event event;
    event.code = why.code;
    event.http_status = why.http_status;
    event.available_at = why.available_at;
    event.message = why.message;
    return event;
}

// Takes events until an operation has ended, for as long as a person needs to sign in. A plug-in
// with a window has no such loop: a timer of the host calls next_event(), which never blocks when
// it is given no time.
seatlock::event end_of(seatlock::client &client,
                       const seatlock::result<seatlock::operation> &started) {
    if (!started)
        return failed(started.error());
    for (;;) {
        auto next = client.next_event(seatlock::milliseconds{1000});
        if (!next)
            return failed(next.error());
        const std::optional<seatlock::event> &event = *next;
        if (event && event->kind == seatlock::event_kind::sign_in)
            show_page(client, event->message);
        if (event && event->operation == *started)
            return *event;
    }
}

// Asks nobody who has signed in before: the library renews that by itself until the provider ends
// it.
seatlock::event launch(seatlock::client &client, bool device) {
    seatlock::event end = end_of(client, client.ping(seatlock::intent::launch));
    if (end.code != seatlock::code::not_activated && end.code != seatlock::code::sign_in_required)
        return end;
    auto consent = seatlock::consent::terms | seatlock::consent::remember; // two check boxes
    return end_of(client, device ? client.sign_in_device(consent) : client.sign_in_browser(consent));
}

} // namespace

int main(int count, char **words) {
    std::string_view word = count > 1 ? words[1] : "";
    bool known = word.empty() || word == "--device" || word == "--sign-out";
    if (count > 2 || !known) {
        bool asked = count == 2 && word == "--help";
        return (asked ? std::cout : std::cerr) << help, asked ? LICENSED : USAGE;
    }
    seatlock::options options;
    options.product(EXAMPLE_PRODUCT).server(EXAMPLE_SERVER).root_key(EXAMPLE_ROOT_KEY);
    options.terms("2026-01").oidc_issuer(EXAMPLE_OIDC_ISSUER);
    options.client_id(EXAMPLE_CLIENT_ID); // a public native client: no secret
    auto client = seatlock::client::open(options);
    if (!client)
        return std::cerr << client.error().message << '\n', FAILED;
    bool leaves = word == "--sign-out";
    seatlock::event end =
        leaves ? end_of(*client, client->sign_out()) : launch(*client, word == "--device");
    bool ended_well = static_cast<std::int32_t>(end.code) >= 0;
    if (!ended_well)
        std::cerr << end.message << " (" << seatlock::name(end.code) << ")\n"
                  << seatlock::remedy(end.code) << '\n';
    std::cout << client->text(seatlock::text::status) << '\n';
    if (leaves)
        return ended_well ? LICENSED : FAILED;
    return client->status().licensed() ? LICENSED : LOCKED;
}
