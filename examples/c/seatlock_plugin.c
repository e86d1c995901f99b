/*
 * The smallest thing that is shaped like a licensed plug-in: tutorial, hand tool and test driver in one.
 *
 * Read main() first: options, open, one verb, close. The part that a plug-in with a window needs is watch(): a timer
 * of the host takes the events, and nothing ever blocks.
 *
 *     cc -std=c11 seatlock_plugin.c settings.c -lseatlock -o seatlock_plugin
 */
#include "settings.h"

#include <seatlock.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* How the program ends: a script can tell a lock from a mistake. */
enum { LICENSED = 0, FAILED = 1, USAGE = 2, LOCKED = 3 };

/* A text of at most 512 bytes in the language of the client; in English without a client. */
static const char *remedy(const seatlock_client *client, seatlock_result code)
{
    static char text[512];
    return seatlock_client_code_remedy(client, code, text, sizeof text, NULL) == SEATLOCK_OK ? text
                                                                                          : seatlock_code_remedy(code);
}

/* What happened, the code for support, and what a person can do about it. */
static int explain(const seatlock_client *client, const char *what, seatlock_result code, const char *message)
{
    fprintf(stderr, "%s: %s (%s)\n", what, message[0] ? message : seatlock_code_text(code), seatlock_code_name(code));
    fprintf(stderr, "%s: %s\n", what, remedy(client, code));
    return FAILED;
}

/* Every failed call leaves its detail in a struct of ours; the library allocates nothing for it. */
static int fail(const seatlock_client *client, const char *what, seatlock_result code, const seatlock_error *error)
{
    return explain(client, what, code, error->message);
}

static void show_text(const seatlock_client *client, const char *label, seatlock_text what)
{
    size_t needed = 0;
    char *text;
    /* A capacity of 0 asks for the size. SEATLOCK_NO_VALUE: there is no such text now, such as a plan without license. */
    if (seatlock_client_text(client, what, NULL, 0, &needed) != SEATLOCK_ERROR_BUFFER_TOO_SMALL)
        return;
    text = malloc(needed);
    if (text != NULL && seatlock_client_text(client, what, text, needed, NULL) == SEATLOCK_OK && text[0] != '\0')
        printf("%-14s%s\n", label, text);
    free(text);
}

static void show_time(const char *label, int64_t seconds)
{
    char text[32];
    if (seconds != 0 && iso_time(seconds, text, sizeof text))
        printf("%-14s%s\n", label, text);
}

/* Costs next to nothing: a plug-in may ask before every drawing. */
static seatlock_state lock_state(const seatlock_client *client, seatlock_status *status)
{
    static const seatlock_status unknown = SEATLOCK_STATUS_INIT;
    *status = unknown;
    /* When even this fails, for example in a forked child, the only safe answer is "locked". */
    if (seatlock_client_status(client, status) != SEATLOCK_OK)
        status->state = SEATLOCK_STATE_LOCKED;
    return status->state;
}

static int show_status(const seatlock_client *client)
{
    seatlock_status status;
    seatlock_license license = SEATLOCK_LICENSE_INIT;
    seatlock_credential credential = SEATLOCK_CREDENTIAL_INIT;
    seatlock_state state = lock_state(client, &status);
    const char *name = state == SEATLOCK_STATE_UNLOCKED ? "unlocked" : state == SEATLOCK_STATE_GRACE ? "grace" : "locked";
    printf("%-14s%s (%s)\n", "license", name, seatlock_code_name(status.reason));
    show_text(client, "", SEATLOCK_TEXT_STATUS);
    if (state == SEATLOCK_STATE_LOCKED)
        printf("%-14s%s\n", "what to do", remedy(client, status.reason));
    show_time("valid until", status.valid_until);
    show_time("confirmed", status.confirmed_at);
    show_time(state == SEATLOCK_STATE_LOCKED ? "try again" : "next ping", status.next_try);
    show_text(client, "plan", SEATLOCK_TEXT_PLAN);
    show_text(client, "includes", SEATLOCK_TEXT_ENTITLEMENTS);
    if (seatlock_client_license(client, &license) == SEATLOCK_OK) {
        show_text(client, "account", SEATLOCK_TEXT_ACCOUNT);
        show_text(client, "seat of", SEATLOCK_TEXT_EMAIL);
        show_text(client, "terms", SEATLOCK_TEXT_TERMS);
        show_time("paid until", license.subscription_end);
        show_time("updates until", license.updates_until);
    }
    if (seatlock_client_credential(client, &credential) == SEATLOCK_OK)
        printf("%-14s%s, %s\n", "asks with",
               credential.kind == SEATLOCK_CREDENTIAL_TOKEN ? "a token" : "a sign-in",
               credential.remembered ? "remembered" : "for now");
    show_text(client, "signed in", SEATLOCK_TEXT_SUBJECT);
    show_text(client, "seat", SEATLOCK_TEXT_SEAT);
    show_text(client, "computer", SEATLOCK_TEXT_MACHINE_SHORT);
    show_text(client, "state folder", SEATLOCK_TEXT_STATE_FOLDER);
    return state == SEATLOCK_STATE_LOCKED ? LOCKED : LICENSED;
}

static int ended(const seatlock_client *client, const seatlock_event *event, const char *what, const char *done)
{
    char when[32];
    if (event->code >= 0) {
        printf("%s: %s\n", what, event->code == SEATLOCK_NOT_ACTIVATED ? event->message : done);
        return LICENSED;
    }
    explain(client, what, event->code, event->message);
    if (event->available_at != 0 && iso_time(event->available_at, when, sizeof when))
        fprintf(stderr, "%s: not before %s\n", what, when);
    return FAILED;
}

/* What does not belong to an operation, such as a folder in which nothing can be kept: the seat was taken all the same. */
static void notice(const seatlock_event *event)
{
    if (event->kind == SEATLOCK_EVENT_NOTICE)
        fprintf(stderr, "notice: %s (%s)\n", event->message, seatlock_code_name(event->code));
}

static void show_notices(seatlock_client *client)
{
    seatlock_event event = SEATLOCK_EVENT_INIT;
    while (seatlock_client_next_event(client, 0, &event) == SEATLOCK_OK)
        notice(&event);
}

/* For a program without a window: wait until an operation has ended. A plug-in does not wait, see watch(). */
static int finish(seatlock_client *client, seatlock_operation operation, const settings *set, const char *what, const char *done)
{
    seatlock_event event = SEATLOCK_EVENT_INIT;
    seatlock_result code = seatlock_client_wait(client, operation, set->timeout_ms, &event);
    if (code == SEATLOCK_PENDING) {
        seatlock_client_cancel(client, operation);
        fprintf(stderr, "%s: no answer within %lu ms; trying again is safe\n", what, (unsigned long)set->timeout_ms);
        return FAILED;
    }
    /* What it returns is how the operation ended; the event says more. */
    return event.operation == operation ? ended(client, &event, what, done) : explain(client, what, code, "");
}

static int machine_id(const settings *set)
{
    char id[64];
    seatlock_error error = SEATLOCK_ERROR_INIT;
    seatlock_result code = seatlock_machine_id(set->product, NULL, id, sizeof id, NULL, &error);
    if (code < 0)
        return fail(NULL, "machine-id", code, &error);
    puts(id);
    return LICENSED;
}

/* Two check boxes in a dialog. Without the first nothing is sent, without the second nothing is kept. */
static seatlock_consent_flags consent(const settings *set)
{
    return (set->terms ? (seatlock_consent_flags)SEATLOCK_CONSENT_TERMS : 0U) |
           (set->remember ? (seatlock_consent_flags)SEATLOCK_CONSENT_REMEMBER : 0U);
}

static int activate(seatlock_client *client, const settings *set)
{
    seatlock_error error = SEATLOCK_ERROR_INIT;
    seatlock_operation operation = 0;
    seatlock_result code = seatlock_client_activate(client, set->token, consent(set), &operation, &error);
    if (code < 0) { /* A mistyped token never leaves the computer. */
        fail(client, "activate", code, &error);
        return show_status(client) == LOCKED ? LOCKED : FAILED;
    }
    int result = finish(client, operation, set, "activate", "this computer has the seat");
    int shown = show_status(client);
    return shown == LOCKED ? LOCKED : result;
}

/* Takes as long as the person does. A plug-in with a window shows the same when the event comes, see timer_tick(). */
static int sign_in(seatlock_client *client, const settings *set)
{
    seatlock_error error = SEATLOCK_ERROR_INIT;
    seatlock_event event = SEATLOCK_EVENT_INIT;
    seatlock_operation operation = 0;
    int result, shown;
    seatlock_result code = set->place == PLACE_DEVICE
                       ? seatlock_client_sign_in_device(client, consent(set), 0, &operation, &error)
                       : seatlock_client_sign_in_browser(client, consent(set), set->place == PLACE_BROWSER, 0, &operation, &error);
    if (code < 0)
        return fail(client, "sign-in", code, &error);
    do {
        code = seatlock_client_next_event(client, 1000, &event);
        if (code == SEATLOCK_OK)
            notice(&event);
        if (code == SEATLOCK_OK && event.kind == SEATLOCK_EVENT_SIGN_IN) {
            printf("sign-in: %s\n", event.message);
            show_text(client, "page", SEATLOCK_TEXT_SIGN_IN_URL);
            show_text(client, "code", SEATLOCK_TEXT_SIGN_IN_CODE);
            fflush(stdout);
        }
    } while (code >= 0 && (code == SEATLOCK_NO_EVENT || event.operation != operation));
    result = code < 0 ? fail(client, "sign-in", code, &error) : ended(client, &event, "sign-in", "this computer has the seat");
    shown = show_status(client);
    return shown == LOCKED ? LOCKED : result;
}

static int sign_out(seatlock_client *client, const settings *set)
{
    seatlock_error error = SEATLOCK_ERROR_INIT;
    seatlock_operation operation = 0;
    seatlock_result code = seatlock_client_sign_out(client, &operation, &error);
    int result = code < 0 ? fail(client, "sign-out", code, &error) : finish(client, operation, set, "sign-out", "nothing is kept here any more");
    show_status(client);
    return result;
}

static int preflight(seatlock_client *client, const settings *set)
{
    seatlock_error error = SEATLOCK_ERROR_INIT;
    seatlock_operation operation = 0;
    seatlock_result code = seatlock_client_preflight(client, set->token, &operation, &error);
    if (code < 0)
        return fail(client, "preflight", code, &error);
    return finish(client, operation, set, "preflight", "activating would work");
}

static int ping(seatlock_client *client, const settings *set)
{
    seatlock_error error = SEATLOCK_ERROR_INIT;
    seatlock_operation operation = 0;
    seatlock_result code = seatlock_client_ping(client, SEATLOCK_INTENT_LAUNCH, &operation, &error);
    if (code < 0)
        fail(client, "ping", code, &error);
    else
        finish(client, operation, set, "ping", "the server was told");
    /* A ping that fails takes nothing away, so what counts is the status. */
    return show_status(client);
}

static int release(seatlock_client *client, const settings *set)
{
    seatlock_error error = SEATLOCK_ERROR_INIT;
    seatlock_operation operation = 0;
    seatlock_result code = seatlock_client_release(client, &operation, &error);
    int result = code < 0 ? fail(client, "release", code, &error) : finish(client, operation, set, "release", "the seat is free");
    show_status(client);
    return result;
}

/* Without a network a person carries two files: the request there, the lease back. */
static int carried(seatlock_client *client, const settings *set)
{
    seatlock_error error = SEATLOCK_ERROR_INIT;
    seatlock_operation operation = 0;
    seatlock_result code;
    int result, shown;
    if (set->verb == VERB_REQUEST_FILE) {
        code = seatlock_client_airgap_request(client, set->token, consent(set), set->path, &operation, &error);
        return code < 0 ? fail(client, "request-file", code, &error)
                        : finish(client, operation, set, "request-file", "bring the file to the server");
    }
    if (set->verb == VERB_RELEASE_FILE) {
        code = seatlock_client_airgap_release(client, set->path, &operation, &error);
        return code < 0 ? fail(client, "release-file", code, &error)
                        : finish(client, operation, set, "release-file", "bring the file to the server");
    }
    code = seatlock_client_airgap_import(client, set->path, &operation, &error);
    result = code < 0 ? fail(client, "import-file", code, &error)
                      : finish(client, operation, set, "import-file", "this computer has the seat");
    shown = show_status(client);
    return shown == LOCKED ? LOCKED : result;
}

static int forget(seatlock_client *client, const settings *set)
{
    seatlock_error error = SEATLOCK_ERROR_INIT;
    seatlock_operation operation = 0;
    seatlock_result code = seatlock_client_forget(client, &operation, &error);
    int result = code < 0 ? fail(client, "forget", code, &error) : finish(client, operation, set, "forget", "nothing is kept here any more");
    show_status(client);
    return result;
}

/* Set by the library's thread, read by the host's timer: no lock, no call back into the library. */
static atomic_bool woken = true;

static void SEATLOCK_CALL wake(seatlock_client *client, void *context)
{
    (void)client;
    (void)context;
    atomic_store(&woken, true);
}

/* What a timer of the host does, ten times a second: nothing at all, unless something happened. */
static void timer_tick(seatlock_client *client)
{
    seatlock_event event = SEATLOCK_EVENT_INIT;
    /* First the flag, then the events: one that comes in between sets the flag again. */
    if (!atomic_exchange(&woken, false))
        return;
    while (seatlock_client_next_event(client, 0, &event) == SEATLOCK_OK) {
        static const char *const kinds[] = {"event", "operation", "status", "notice", "sign-in"};
        const char *kind = event.kind < sizeof kinds / sizeof kinds[0] ? kinds[event.kind] : kinds[0];
        printf("%s: %s (%s)\n", kind, event.message, seatlock_code_name(event.code));
        fflush(stdout);
    }
}

static int watch(seatlock_client *client, const settings *set)
{
    long ticks;
    /* Once when the host starts; after that the library pings by itself when the lease is due. */
    seatlock_client_ping(client, SEATLOCK_INTENT_LAUNCH, NULL, NULL);
    for (ticks = 0; ticks < set->seconds * 10; ticks++) {
        timer_tick(client);
        sleep_ms(100);
    }
    timer_tick(client);
    return show_status(client);
}

/* Copies the settings to options. The first refusal ends it: SEATLOCK_OK is 0, so "or" reads like "and then". */
static seatlock_result fill(seatlock_options *options, const settings *set, seatlock_error *error)
{
    seatlock_result code = seatlock_options_set_product(options, set->product, error);
    if (code == SEATLOCK_OK && set->server != NULL)
        code = seatlock_options_set_server(options, set->server, error);
    if (code == SEATLOCK_OK)
        code = seatlock_options_add_root_key(options, set->root_key, error);
    if (code == SEATLOCK_OK && set->issuer != NULL)
        code = seatlock_options_set_license_issuer(options, set->issuer, error);
    if (code == SEATLOCK_OK && set->state_folder != NULL)
        code = seatlock_options_set_state_folder(options, set->state_folder, error);
    if (code == SEATLOCK_OK && set->oidc_issuer != NULL)
        code = seatlock_options_set_oidc_issuer(options, set->oidc_issuer, error);
    if (code == SEATLOCK_OK && set->client_id != NULL)
        code = seatlock_options_set_client_id(options, set->client_id, error);
    if (code == SEATLOCK_OK && set->account_folder != NULL)
        code = seatlock_options_set_account_folder(options, set->account_folder, error);
    if (code == SEATLOCK_OK && set->proxy != NULL)
        code = seatlock_options_set_proxy(options, set->proxy, error);
    if (code == SEATLOCK_OK && set->ca != NULL)
        code = seatlock_options_add_ca_certificates(options, (const uint8_t *)set->ca, set->ca_size, error);
    /* A plug-in knows the language of its host, and embeds the catalogue or reads it from its own folder. */
    if (code == SEATLOCK_OK && set->catalogue != NULL)
        code = seatlock_options_set_catalogue(options, set->catalogue, set->catalogue_size, error);
    if (code == SEATLOCK_OK)
        code = seatlock_options_set_utc_offset(options, set->utc_offset, error);
    if (code == SEATLOCK_OK)
        code = seatlock_options_set_host(options, "seatlock_plugin", SEATLOCK_VERSION, error);
    /* Blender, for one, lets its user forbid network access; when the switch changes, call seatlock_client_allow_network. */
    if (code == SEATLOCK_OK)
        code = seatlock_options_set_network_allowed(options, set->network, error);
    if (code == SEATLOCK_OK)
        code = seatlock_options_set_terms(options, "2026-01", error);
    if (code == SEATLOCK_OK)
        code = seatlock_options_set_wake(options, wake, NULL, error);
    if (code == SEATLOCK_OK)
        code = seatlock_options_set_auto_renew(options, set->verb == VERB_WATCH, error);
    return code;
}

static int run(seatlock_client *client, const settings *set)
{
    switch (set->verb) {
    case VERB_ACTIVATE:
        return activate(client, set);
    case VERB_SIGN_IN:
        return sign_in(client, set);
    case VERB_SIGN_OUT:
        return sign_out(client, set);
    case VERB_PREFLIGHT:
        return preflight(client, set);
    case VERB_PING:
        return ping(client, set);
    case VERB_RELEASE:
        return release(client, set);
    case VERB_FORGET:
        return forget(client, set);
    case VERB_REQUEST_FILE:
    case VERB_IMPORT_FILE:
    case VERB_RELEASE_FILE:
        return carried(client, set);
    case VERB_WATCH:
        return watch(client, set);
    default:
        return show_status(client);
    }
}

int main(int argc, char **argv)
{
    settings set;
    seatlock_options *options = NULL;
    seatlock_client *client = NULL;
    seatlock_error error = SEATLOCK_ERROR_INIT;
    int result = FAILED;
    seatlock_result code;

#ifdef _WIN32
    /* What Windows hands to main() is not UTF-8, which is what the library takes. */
    argv = utf8_arguments(&argc);
    if (argv == NULL)
        return FAILED;
    setvbuf(stdout, NULL, _IONBF, 0);
#else
    /* So that both outputs keep their order when somebody reads them from one pipe. */
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
#endif
    switch (read_settings(&set, argc, argv)) {
    case SETTINGS_HELP:
        return LICENSED;
    case SETTINGS_BAD:
        clear_settings(&set);
        return USAGE;
    default:
        break;
    }
    /* The header that we were compiled with and the library that was found may come from different releases. */
    if (seatlock_abi_version() != SEATLOCK_ABI_VERSION) {
        fprintf(stderr, "the library %s does not fit this program\n", seatlock_version());
        clear_settings(&set);
        return FAILED;
    }
    if (set.verb == VERB_MACHINE_ID) {
        result = machine_id(&set);
    } else {
        code = seatlock_options_new(&options);
        if (code == SEATLOCK_OK)
            code = fill(options, &set, &error);
        /* Reads two small files; the lock state is known when it returns, network or not. */
        if (code == SEATLOCK_OK)
            code = seatlock_client_open(options, &client, &error);
        result = code == SEATLOCK_OK ? run(client, &set) : fail(NULL, "open", code, &error);
        show_notices(client);
        /* Always frees, and returns within the time given even when the network hangs. */
        seatlock_client_close(client, 2000);
        seatlock_options_free(options);
    }
    clear_settings(&set);
    return result;
}
