/*
 * Every function with every kind of bad argument: the documented code comes back, nothing is written, nothing
 * crashes. Prints one line per call, so that a failure shows the whole picture.
 *
 *     bad_input STATE_FOLDER
 */
#include "common.h"

#include <string.h>
#include <sys/stat.h>

static int failures;
static const seatlock_error no_detail = SEATLOCK_ERROR_INIT;
static seatlock_error detail;

/* Calls, and compares the code; `detail` must tell the same code when the function takes one and fails. */
#define EXPECT(call, wanted) expect(#call, (detail = no_detail, (call)), wanted)

static void expect(const char *call, int32_t got, int32_t wanted)
{
    int told = detail.code != 0;
    int fits = got == wanted && (!told || (detail.code == got && detail.message[0] != '\0'));
    printf("%-4s %-24s %s\n", fits ? "ok" : "BAD", seatlock_code_name(got), call);
    if (!fits) {
        printf("     wanted %s, detail %d \"%s\"\n", seatlock_code_name(wanted), (int)detail.code, detail.message);
        failures++;
    }
}

#define NONE SEATLOCK_OK
#define NULL_POINTER SEATLOCK_ERROR_NULL_POINTER
#define BAD_TEXT SEATLOCK_ERROR_INVALID_UTF8
#define INVALID SEATLOCK_ERROR_INVALID_ARGUMENT
#define BAD_SIZE SEATLOCK_ERROR_STRUCT_SIZE

static const char NOT_UTF8[] = {'a', (char)0xff, (char)0xc0, 0};

static void library_functions(void)
{
    char id[64] = "untouched";
    size_t needed = 0;
    REQUIRE(seatlock_version()[0] != '\0');
    REQUIRE(seatlock_abi_version() == SEATLOCK_ABI_VERSION);
    int32_t numbers[] = {INT32_MIN, -71, -1, 8, 10, 70, INT32_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        REQUIRE(strcmp(seatlock_code_name(numbers[i]), "unknown") == 0);
        REQUIRE(seatlock_code_text(numbers[i]) != NULL && seatlock_code_remedy(numbers[i]) != NULL);
    }
    seatlock_result code = 77;
    REQUIRE(strcmp(seatlock_code_url(INT32_MIN), "unknown") == 0);
    EXPECT(seatlock_code_at(0, NULL), NULL_POINTER);
    EXPECT(seatlock_code_at(seatlock_code_count(), &code), INVALID);
    EXPECT(seatlock_code_at(UINT32_MAX, &code), INVALID);
    REQUIRE(code == 77);
    EXPECT(seatlock_code_at(0, &code), NONE);
    REQUIRE(code == SEATLOCK_OK);
    EXPECT(seatlock_machine_id(NULL, NULL, id, sizeof id, NULL, &detail), NULL_POINTER);
    EXPECT(seatlock_machine_id(NOT_UTF8, NULL, id, sizeof id, NULL, &detail), BAD_TEXT);
    EXPECT(seatlock_machine_id("", MACHINE, id, sizeof id, NULL, &detail), INVALID);
    EXPECT(seatlock_machine_id("no spaces", MACHINE, id, sizeof id, NULL, &detail), INVALID);
    EXPECT(seatlock_machine_id(PRODUCT, NOT_UTF8, id, sizeof id, NULL, &detail), BAD_TEXT);
    EXPECT(seatlock_machine_id(PRODUCT, "short", id, sizeof id, NULL, &detail), INVALID);
    EXPECT(seatlock_machine_id(PRODUCT, MACHINE, NULL, 64, NULL, &detail), NULL_POINTER);
    EXPECT(seatlock_machine_id(PRODUCT, MACHINE, id, 46, &needed, &detail), SEATLOCK_ERROR_BUFFER_TOO_SMALL);
    REQUIRE(needed == 47 && strcmp(id, "untouched") == 0);
    EXPECT(seatlock_machine_id(PRODUCT, MACHINE, NULL, 0, &needed, NULL), SEATLOCK_ERROR_BUFFER_TOO_SMALL);
    EXPECT(seatlock_machine_id(PRODUCT, MACHINE, id, 47, NULL, NULL), NONE);
    REQUIRE(strlen(id) == 46);
}

typedef seatlock_result(SEATLOCK_CALL *setter)(seatlock_options *, const char *, seatlock_error *);

static void setters(seatlock_options *o)
{
    static const struct {
        const char *name;
        setter set;
        const char *refused;
    } texts[] = {
        {"product", seatlock_options_set_product, "a/b"},
        {"family", seatlock_options_set_family, "a b"},
        {"server", seatlock_options_set_server, "http://license.example.com"},
        {"issuer", seatlock_options_set_license_issuer, ""},
        {"root_key", seatlock_options_add_root_key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"lease_key", seatlock_options_add_lease_key, "too short"},
        {"state_folder", seatlock_options_set_state_folder, "relative/path"},
        {"account_folder", seatlock_options_set_account_folder, "relative/path"},
        {"machine_id", seatlock_options_set_machine_id, "short"},
        {"terms", seatlock_options_set_terms, ""},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        printf("- %s\n", texts[i].name);
        EXPECT(texts[i].set(NULL, "x", &detail), NULL_POINTER);
        EXPECT(texts[i].set(o, NULL, &detail), NULL_POINTER);
        EXPECT(texts[i].set(o, NULL, NULL), NULL_POINTER);
        EXPECT(texts[i].set(o, NOT_UTF8, &detail), BAD_TEXT);
        EXPECT(texts[i].set(o, texts[i].refused, &detail), INVALID);
    }
    EXPECT(seatlock_options_set_proxy(NULL, "proxy:3128", &detail), NULL_POINTER);
    EXPECT(seatlock_options_set_proxy(o, NOT_UTF8, &detail), BAD_TEXT);
    EXPECT(seatlock_options_set_proxy(o, "no address", &detail), INVALID);
    EXPECT(seatlock_options_set_proxy(o, "", &detail), NONE);
    EXPECT(seatlock_options_set_proxy(o, NULL, NULL), NONE); /* the default again */
    EXPECT(seatlock_options_set_host(NULL, "x", "1", &detail), NULL_POINTER);
    EXPECT(seatlock_options_set_host(o, NULL, "1", &detail), NULL_POINTER);
    EXPECT(seatlock_options_set_host(o, "x", NULL, &detail), NULL_POINTER);
    EXPECT(seatlock_options_set_host(o, NOT_UTF8, "1", &detail), BAD_TEXT);
    EXPECT(seatlock_options_set_host(o, "x", NOT_UTF8, &detail), BAD_TEXT);
    EXPECT(seatlock_options_set_plugin(NULL, "2.4.1", 0, &detail), NULL_POINTER);
    EXPECT(seatlock_options_set_plugin(o, NULL, 0, &detail), NULL_POINTER);
    EXPECT(seatlock_options_set_plugin(o, NOT_UTF8, 0, &detail), BAD_TEXT);
    EXPECT(seatlock_options_set_plugin(o, "", 0, &detail), INVALID);
    EXPECT(seatlock_options_set_plugin(o, "v2", 0, &detail), INVALID);
    EXPECT(seatlock_options_set_plugin(o, "2\n", 0, &detail), INVALID);
    EXPECT(seatlock_options_set_plugin(o, "2.4.1", -1, &detail), INVALID);
    EXPECT(seatlock_options_set_plugin(o, "2.4.1", INT64_MAX, &detail), INVALID);
    EXPECT(seatlock_options_add_ca_certificates(NULL, (const uint8_t *)"x", 1, &detail), NULL_POINTER);
    EXPECT(seatlock_options_add_ca_certificates(o, NULL, 1, &detail), NULL_POINTER);
    EXPECT(seatlock_options_add_ca_certificates(o, (const uint8_t *)"", 0, &detail), INVALID);
    EXPECT(seatlock_options_add_ca_certificates(o, (const uint8_t *)"not PEM", 7, &detail), INVALID);
    EXPECT(seatlock_options_set_catalogue(NULL, "{}", 2, &detail), NULL_POINTER);
    EXPECT(seatlock_options_set_catalogue(o, NULL, 2, &detail), NULL_POINTER);
    EXPECT(seatlock_options_set_catalogue(o, "", 0, &detail), INVALID);
    EXPECT(seatlock_options_set_catalogue(o, "{}", (size_t)-1, &detail), INVALID);
    EXPECT(seatlock_options_set_catalogue(o, "{}", 3, &detail), INVALID);
    EXPECT(seatlock_options_set_catalogue(o, "[]", 2, &detail), INVALID);
    EXPECT(seatlock_options_set_catalogue(o, "{\"ok\":1}", 8, &detail), INVALID);
    EXPECT(seatlock_options_set_catalogue(o, "{\"busy\":\"{x}\"}", 14, &detail), INVALID);
    EXPECT(seatlock_options_set_catalogue(o, NOT_UTF8, 3, &detail), INVALID);
    EXPECT(seatlock_options_set_catalogue(o, "{\"of another version\":1}", 24, &detail), NONE);
    EXPECT(seatlock_options_set_catalogue(o, "{}", 2, NULL), NONE);
    EXPECT(seatlock_options_set_utc_offset(NULL, 0, &detail), NULL_POINTER);
    EXPECT(seatlock_options_set_utc_offset(o, 841, &detail), INVALID);
    EXPECT(seatlock_options_set_utc_offset(o, -841, &detail), INVALID);
    EXPECT(seatlock_options_set_utc_offset(o, INT32_MIN, &detail), INVALID);
    EXPECT(seatlock_options_set_utc_offset(o, -840, &detail), NONE);
    EXPECT(seatlock_options_set_auto_renew(NULL, 1, &detail), NULL_POINTER);
    EXPECT(seatlock_options_set_auto_renew(o, 2, &detail), INVALID);
    EXPECT(seatlock_options_set_auto_renew(o, UINT32_MAX, &detail), INVALID);
    EXPECT(seatlock_options_set_network_allowed(NULL, 1, &detail), NULL_POINTER);
    EXPECT(seatlock_options_set_network_allowed(o, 2, &detail), INVALID);
    EXPECT(seatlock_options_set_wake(NULL, NULL, NULL, &detail), NULL_POINTER);
    EXPECT(seatlock_options_set_wake(o, NULL, NULL, &detail), NONE);
    EXPECT(seatlock_options_set_log(NULL, NULL, SEATLOCK_LOG_INFO, NULL, &detail), NULL_POINTER);
    EXPECT(seatlock_options_set_log(o, NULL, 0, NULL, &detail), INVALID);
    EXPECT(seatlock_options_set_log(o, NULL, 5, NULL, &detail), INVALID);
    EXPECT(seatlock_options_set_log(o, NULL, UINT32_MAX, NULL, &detail), INVALID);
    EXPECT(seatlock_options_set_log(o, NULL, SEATLOCK_LOG_DEBUG, NULL, &detail), NONE);
    EXPECT(seatlock_options_new(NULL), NULL_POINTER);
    seatlock_options_free(NULL);
}

/* The size that the caller declares decides how much is written: 0xAB beyond it must survive. */
static void error_sizes(seatlock_options *o)
{
    static const uint32_t sizes[] = {0, 7, 8, 40, sizeof(seatlock_error), sizeof(seatlock_error) + 64, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        union {
            seatlock_error error;
            unsigned char bytes[sizeof(seatlock_error) + 128];
        } room;
        unsigned char before[sizeof room];
        memset(&room, 0xAB, sizeof room);
        room.error.struct_size = sizes[i];
        room.error.buffer = NULL;
        room.error.capacity = 0;
        memset(&before, 0, sizeof before);
        memcpy(&before, &room, sizeof room);
        /* A bad size must not hide what went wrong: the code is the same, the detail stays away. */
        REQUIRE(seatlock_options_set_product(o, "a/b", &room.error) == INVALID);
        /* The detail of a struct that is smaller than it ever was would lack the end of its text. */
        size_t written = sizes[i] < sizeof(seatlock_error) || sizes[i] == UINT32_MAX ? 4 : sizes[i];
        if (written > sizeof(seatlock_error))
            written = sizeof(seatlock_error);
        for (size_t at = written; at < sizeof room.bytes; at++)
            REQUIRE(room.bytes[at] == before[at]);
        REQUIRE(room.error.struct_size == (written > 4 ? written : sizes[i]));
        printf("ok   error.struct_size %lu\n", (unsigned long)sizes[i]);
    }
}

static void opening(const char *folder, seatlock_client **client)
{
    seatlock_options *o = NULL;
    seatlock_client *untouched = (seatlock_client *)&failures;
    REQUIRE(seatlock_options_new(&o) == NONE);
    setters(o);
    seatlock_options_free(o);
    REQUIRE(seatlock_options_new(&o) == NONE);
    error_sizes(o);
    EXPECT(seatlock_client_open(NULL, &untouched, &detail), NULL_POINTER);
    EXPECT(seatlock_client_open(o, NULL, &detail), NULL_POINTER);
    EXPECT(seatlock_client_open(o, &untouched, &detail), INVALID); /* nothing is set */
    EXPECT(seatlock_options_set_product(o, PRODUCT, &detail), NONE);
    EXPECT(seatlock_client_open(o, &untouched, &detail), INVALID); /* no server */
    EXPECT(seatlock_options_set_server(o, NOBODY, &detail), NONE);
    EXPECT(seatlock_client_open(o, &untouched, &detail), INVALID); /* no key */
    REQUIRE(untouched == (seatlock_client *)&failures);
    for (int i = 0; i < 8; i++)
        EXPECT(seatlock_options_add_root_key(o, ROOT_KEY, &detail), NONE);
    EXPECT(seatlock_options_add_lease_key(o, ROOT_KEY, &detail), INVALID); /* more than 8 */
    EXPECT(seatlock_options_set_machine_id(o, MACHINE, &detail), NONE);
    EXPECT(seatlock_options_set_state_folder(o, folder, &detail), NONE);
    EXPECT(seatlock_client_open(o, client, &detail), NONE);
    seatlock_options_free(o);
}

static void without_client(void)
{
    seatlock_status status = SEATLOCK_STATUS_INIT;
    seatlock_event event = SEATLOCK_EVENT_INIT;
    seatlock_entitlement entitlement = SEATLOCK_ENTITLEMENT_INIT;
    seatlock_credential credential = SEATLOCK_CREDENTIAL_INIT;
    intptr_t watched = 77;
    uint64_t operation = 77;
    char text[64];
    EXPECT(seatlock_client_text(NULL, SEATLOCK_TEXT_SEAT, text, sizeof text, NULL), NULL_POINTER);
    EXPECT(seatlock_client_status_value(NULL, "date", text, sizeof text, NULL), NULL_POINTER);
    EXPECT(seatlock_client_code_text(NULL, 0, text, sizeof text, NULL), NULL_POINTER);
    EXPECT(seatlock_client_code_remedy(NULL, 0, text, sizeof text, NULL), NULL_POINTER);
    EXPECT(seatlock_client_entitlement(NULL, "cad", &entitlement), NULL_POINTER);
    EXPECT(seatlock_client_credential(NULL, &credential), NULL_POINTER);
    EXPECT(seatlock_client_set_proxy(NULL, "proxy:3128", &detail), NULL_POINTER);
    EXPECT(seatlock_client_add_ca_certificates(NULL, (const uint8_t *)"x", 1, &detail), NULL_POINTER);
    EXPECT(seatlock_client_event_handle(NULL, &watched, &detail), NULL_POINTER);
    EXPECT(seatlock_client_activate(NULL, TOKEN, 1, &operation, &detail), NULL_POINTER);
    EXPECT(seatlock_client_ping(NULL, 1, &operation, &detail), NULL_POINTER);
    EXPECT(seatlock_client_release(NULL, &operation, &detail), NULL_POINTER);
    EXPECT(seatlock_client_preflight(NULL, TOKEN, &operation, &detail), NULL_POINTER);
    EXPECT(seatlock_client_forget(NULL, &operation, &detail), NULL_POINTER);
    EXPECT(seatlock_client_cancel(NULL, 1), NULL_POINTER);
    EXPECT(seatlock_client_next_event(NULL, 0, &event), NULL_POINTER);
    EXPECT(seatlock_client_wait(NULL, 1, 0, &event), NULL_POINTER);
    EXPECT(seatlock_client_status(NULL, &status), NULL_POINTER);
    EXPECT(seatlock_client_close(NULL, 0), NONE);
    REQUIRE(operation == 77 && watched == 77);
}

static void operations(seatlock_client *c)
{
    uint64_t operation = 77;
    EXPECT(seatlock_client_activate(c, NULL, 1, &operation, &detail), NULL_POINTER);
    EXPECT(seatlock_client_activate(c, NOT_UTF8, 1, &operation, &detail), BAD_TEXT);
    EXPECT(seatlock_client_activate(c, "", 1, &operation, &detail), SEATLOCK_ERROR_TOKEN_MALFORMED);
    EXPECT(seatlock_client_activate(c, "sit_short", 1, &operation, &detail), SEATLOCK_ERROR_TOKEN_MALFORMED);
    EXPECT(seatlock_client_activate(c, "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r", 1, &operation, &detail),
           SEATLOCK_ERROR_TOKEN_WRONG_KIND);
    EXPECT(seatlock_client_activate(c, TOKEN, 0, &operation, &detail), SEATLOCK_ERROR_TERMS_REQUIRED);
    EXPECT(seatlock_client_activate(c, TOKEN, 2, &operation, &detail), SEATLOCK_ERROR_TERMS_REQUIRED);
    EXPECT(seatlock_client_activate(c, TOKEN, 4, &operation, &detail), INVALID);
    EXPECT(seatlock_client_activate(c, TOKEN, UINT32_MAX, &operation, &detail), INVALID);
    EXPECT(seatlock_client_ping(c, 0, &operation, &detail), INVALID);
    EXPECT(seatlock_client_ping(c, 3, &operation, &detail), INVALID);
    EXPECT(seatlock_client_preflight(c, NOT_UTF8, &operation, &detail), BAD_TEXT);
    EXPECT(seatlock_client_preflight(c, "sit_short", &operation, &detail), SEATLOCK_ERROR_TOKEN_MALFORMED);
    EXPECT(seatlock_client_cancel(c, 0), SEATLOCK_ERROR_UNKNOWN_OPERATION);
    EXPECT(seatlock_client_cancel(c, UINT64_MAX), SEATLOCK_ERROR_UNKNOWN_OPERATION);
    EXPECT(seatlock_client_airgap_request(c, NULL, 1, "x", NULL, &detail), NULL_POINTER);
    EXPECT(seatlock_client_airgap_request(c, "sit_8uVq", 1, "x", NULL, &detail), SEATLOCK_ERROR_TOKEN_MALFORMED);
    EXPECT(seatlock_client_airgap_request(c, "x", 4, "x", NULL, &detail), INVALID);
    EXPECT(seatlock_client_airgap_request(c, "x", 1, NULL, NULL, &detail), NULL_POINTER);
    EXPECT(seatlock_client_airgap_import(NULL, "x", NULL, &detail), NULL_POINTER);
    EXPECT(seatlock_client_airgap_import(c, NULL, NULL, &detail), NULL_POINTER);
    EXPECT(seatlock_client_airgap_import(c, "", NULL, &detail), INVALID);
    EXPECT(seatlock_client_airgap_import(c, NOT_UTF8, NULL, &detail), BAD_TEXT);
    EXPECT(seatlock_client_airgap_release(c, NULL, NULL, &detail), NULL_POINTER);
    EXPECT(seatlock_client_airgap_release(c, "", NULL, &detail), INVALID);
    EXPECT(seatlock_client_allow_network(NULL, 1, &detail), NULL_POINTER);
    EXPECT(seatlock_client_allow_network(c, 2, &detail), INVALID);
    EXPECT(seatlock_client_allow_network(c, 0, NULL), NONE);
    EXPECT(seatlock_client_allow_network(c, 1, NULL), NONE);
    EXPECT(seatlock_client_set_proxy(c, NOT_UTF8, &detail), BAD_TEXT);
    EXPECT(seatlock_client_set_proxy(c, "no address", &detail), INVALID);
    EXPECT(seatlock_client_set_proxy(c, "socks5://proxy", &detail), INVALID);
    EXPECT(seatlock_client_set_proxy(c, "proxy:3128", NULL), NONE);
    EXPECT(seatlock_client_set_proxy(c, "", &detail), NONE);
    EXPECT(seatlock_client_set_proxy(c, NULL, &detail), NONE);
    EXPECT(seatlock_client_add_ca_certificates(c, NULL, 1, &detail), NULL_POINTER);
    EXPECT(seatlock_client_add_ca_certificates(c, (const uint8_t *)"", 0, &detail), INVALID);
    EXPECT(seatlock_client_add_ca_certificates(c, (const uint8_t *)"not PEM", 7, &detail), INVALID);
    EXPECT(seatlock_client_add_ca_certificates(c, (const uint8_t *)"x", (size_t)-1, &detail), INVALID);
    REQUIRE(operation == 77);
}

static void reading(seatlock_client *c)
{
    char text[64] = "untouched";
    size_t needed = 0;
    seatlock_event event = SEATLOCK_EVENT_INIT;
    EXPECT(seatlock_client_text(c, 0, text, sizeof text, NULL), INVALID);
    EXPECT(seatlock_client_text(c, 16, text, sizeof text, NULL), INVALID);
    EXPECT(seatlock_client_text(c, UINT32_MAX, text, sizeof text, NULL), INVALID);
    EXPECT(seatlock_client_text(c, SEATLOCK_TEXT_MACHINE_ID, NULL, 64, NULL), NULL_POINTER);
    EXPECT(seatlock_client_text(c, SEATLOCK_TEXT_MACHINE_ID, text, 46, &needed), SEATLOCK_ERROR_BUFFER_TOO_SMALL);
    REQUIRE(needed == 47 && strcmp(text, "untouched") == 0);
    EXPECT(seatlock_client_text(c, SEATLOCK_TEXT_PLAN, text, sizeof text, &needed), SEATLOCK_NO_VALUE);
    EXPECT(seatlock_client_text(c, SEATLOCK_TEXT_TERMS, text, sizeof text, &needed), SEATLOCK_NO_VALUE);
    EXPECT(seatlock_client_text(c, SEATLOCK_TEXT_SUBJECT, text, sizeof text, &needed), SEATLOCK_NO_VALUE);
    EXPECT(seatlock_client_status_value(c, NULL, text, sizeof text, NULL), NULL_POINTER);
    EXPECT(seatlock_client_status_value(c, NOT_UTF8, text, sizeof text, NULL), BAD_TEXT);
    EXPECT(seatlock_client_status_value(c, "date", text, sizeof text, &needed), SEATLOCK_NO_VALUE);
    EXPECT(seatlock_client_code_text(c, 8, text, sizeof text, NULL), INVALID);
    EXPECT(seatlock_client_code_text(c, INT32_MIN, text, sizeof text, NULL), INVALID);
    EXPECT(seatlock_client_code_text(c, SEATLOCK_OK, NULL, 64, NULL), NULL_POINTER);
    EXPECT(seatlock_client_code_remedy(c, 10, text, sizeof text, NULL), INVALID);
    EXPECT(seatlock_client_code_remedy(c, SEATLOCK_ERROR_BUSY, text, 4, &needed), SEATLOCK_ERROR_BUFFER_TOO_SMALL);
    REQUIRE(needed == strlen(seatlock_code_remedy(SEATLOCK_ERROR_BUSY)) + 1 && strcmp(text, "untouched") == 0);
    EXPECT(seatlock_client_report(NULL, text, sizeof text, &needed), NULL_POINTER);
    EXPECT(seatlock_client_report(c, NULL, 64, NULL), NULL_POINTER);
    EXPECT(seatlock_client_report(c, text, sizeof text, &needed), SEATLOCK_ERROR_BUFFER_TOO_SMALL);
    REQUIRE(needed > sizeof text && strcmp(text, "untouched") == 0);
    EXPECT(seatlock_client_report(c, NULL, 0, NULL), SEATLOCK_ERROR_BUFFER_TOO_SMALL);
    EXPECT(seatlock_client_next_event(c, 0, NULL), NULL_POINTER);
    EXPECT(seatlock_client_wait(c, 1, 0, NULL), SEATLOCK_ERROR_UNKNOWN_OPERATION);
    EXPECT(seatlock_client_wait(c, 0, 0, &event), SEATLOCK_ERROR_UNKNOWN_OPERATION);
    EXPECT(seatlock_client_wait(c, UINT64_MAX, 0, &event), SEATLOCK_ERROR_UNKNOWN_OPERATION);
    EXPECT(seatlock_client_status(c, NULL), NULL_POINTER);
    EXPECT(seatlock_client_event_handle(c, NULL, &detail), NULL_POINTER);
    EXPECT(seatlock_client_text(c, SEATLOCK_TEXT_EVENT, text, sizeof text, &needed), SEATLOCK_NO_VALUE);
}

/* Locked, so nothing is included, whatever was there before. */
static void entitlements(seatlock_client *c)
{
    seatlock_entitlement entitlement = SEATLOCK_ENTITLEMENT_INIT;
    seatlock_license license = SEATLOCK_LICENSE_INIT;
    seatlock_credential credential = SEATLOCK_CREDENTIAL_INIT;
    EXPECT(seatlock_client_license(NULL, &license), NULL_POINTER);
    EXPECT(seatlock_client_license(c, NULL), NULL_POINTER);
    EXPECT(seatlock_client_license(c, &license), SEATLOCK_NO_VALUE);
    REQUIRE(license.struct_size == sizeof license);
    license.struct_size = 16;
    EXPECT(seatlock_client_license(c, &license), BAD_SIZE);
    EXPECT(seatlock_client_credential(c, NULL), NULL_POINTER);
    EXPECT(seatlock_client_credential(c, &credential), SEATLOCK_NO_VALUE);
    REQUIRE(credential.struct_size == sizeof credential && credential.kind == 0);
    credential.struct_size = 12;
    EXPECT(seatlock_client_credential(c, &credential), BAD_SIZE);
    EXPECT(seatlock_client_entitlement(c, NULL, &entitlement), NULL_POINTER);
    EXPECT(seatlock_client_entitlement(c, NOT_UTF8, &entitlement), BAD_TEXT);
    EXPECT(seatlock_client_entitlement(c, "cad", NULL), NULL_POINTER);
    REQUIRE(entitlement.included == 0);
    entitlement.included = entitlement.has_value = 77;
    entitlement.value = entitlement.valid_until = 77;
    EXPECT(seatlock_client_entitlement(c, "cad", &entitlement), NONE);
    REQUIRE(entitlement.included == 0 && entitlement.struct_size == sizeof entitlement);
    REQUIRE(entitlement.has_value == 0 && entitlement.value == 0 && entitlement.valid_until == 0);
    EXPECT(seatlock_client_entitlement(c, "", &entitlement), NONE);
    entitlement.struct_size = 8;
    EXPECT(seatlock_client_entitlement(c, "cad", &entitlement), BAD_SIZE);
}

/* What an event is about. Memory that no event was written to has no end, and no text. */
static void values(seatlock_client *c)
{
    char text[64] = "untouched";
    size_t needed = 0;
    uint64_t operation = 0;
    seatlock_event event = SEATLOCK_EVENT_INIT;
    EXPECT(seatlock_event_value(NULL, "path", text, sizeof text, NULL), NULL_POINTER);
    EXPECT(seatlock_event_value(&event, NULL, text, sizeof text, NULL), NULL_POINTER);
    EXPECT(seatlock_event_value(&event, NOT_UTF8, text, sizeof text, NULL), BAD_TEXT);
    EXPECT(seatlock_event_value(&event, "path", text, sizeof text, NULL), SEATLOCK_NO_VALUE);
    EXPECT(seatlock_client_airgap_import(c, "/nowhere/at/all", &operation, &detail), NONE);
    EXPECT(seatlock_client_wait(c, operation, 60000, &event), SEATLOCK_ERROR_FILE_UNUSABLE);
    EXPECT(seatlock_event_value(&event, "path", NULL, 64, NULL), NULL_POINTER);
    EXPECT(seatlock_event_value(&event, "path", text, 15, &needed), SEATLOCK_ERROR_BUFFER_TOO_SMALL);
    REQUIRE(needed == 16 && strcmp(text, "untouched") == 0);
    EXPECT(seatlock_event_value(&event, "path", text, sizeof text, &needed), NONE);
    REQUIRE(strcmp(text, "/nowhere/at/all") == 0);
    EXPECT(seatlock_event_value(&event, "reason", text, sizeof text, NULL), NONE);
    REQUIRE(strcmp(text, "os_not_found") == 0);
    EXPECT(seatlock_event_value(&event, "", text, sizeof text, NULL), SEATLOCK_NO_VALUE);
    EXPECT(seatlock_event_value(&event, "os_not_found", text, sizeof text, NULL), SEATLOCK_NO_VALUE);
    memset(event.values, 'x', sizeof event.values);
    EXPECT(seatlock_event_value(&event, "x", text, sizeof text, NULL), SEATLOCK_NO_VALUE);
    memcpy(event.values, "path\0\xff", 7);
    EXPECT(seatlock_event_value(&event, "path", text, sizeof text, NULL), BAD_TEXT);
    event.struct_size = 0;
    EXPECT(seatlock_event_value(&event, "path", text, sizeof text, NULL), BAD_SIZE);
}

/* A path that is longer than an event's message is told whole on request. */
static void long_texts(seatlock_client *c)
{
    static char path[2000], message[4096];
    seatlock_event event = SEATLOCK_EVENT_INIT;
    uint64_t operation = 0;
    size_t needed = 0;
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    EXPECT(seatlock_client_airgap_import(c, path, &operation, &detail), NONE);
    EXPECT(seatlock_client_wait(c, operation, 60000, &event), SEATLOCK_ERROR_FILE_UNUSABLE);
    REQUIRE(event.operation == operation && strlen(event.message) == sizeof event.message - 1);
    EXPECT(seatlock_client_text(c, SEATLOCK_TEXT_EVENT, message, sizeof message, &needed), NONE);
    REQUIRE(needed > sizeof path && strlen(message) == needed - 1 && strstr(message, path) != NULL);
    /* What is left out is the middle: what is wrong stands at the end. */
    REQUIRE(strncmp(message, event.message, 200) == 0);
    REQUIRE(strcmp(message + needed - 201, event.message + sizeof event.message - 201) == 0);
}

#ifndef _WIN32 /* The C library's paths end at 260 characters there, before a message does. */
/* A detail that is longer than its message is told whole to who brings a buffer. */
static void long_details(const char *folder)
{
    static char path[4096], whole[4096];
    seatlock_options *o = options_in(folder);
    seatlock_client *none = NULL;
    seatlock_error error = SEATLOCK_ERROR_INIT;
    size_t length = strlen(folder);
    REQUIRE(length < 1024);
    memcpy(path, folder, length);
    (void)mkdir(path, 0700); /* unless it is there */
    for (int depth = 0; depth < 5; depth++) {
        path[length++] = '/';
        memset(path + length, 'x', 200);
        length += 200;
        REQUIRE(mkdir(path, 0700) == 0);
    }
    REQUIRE(seatlock_options_set_account_folder(o, path, NULL) == NONE);
    memcpy(path + length, "/credentials.json", sizeof "/credentials.json");
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL && fputs("no JSON", file) >= 0 && fclose(file) == 0);

    error.buffer = whole;
    error.capacity = sizeof whole;
    EXPECT(seatlock_options_set_server(o, NOBODY, &error), NONE);
    REQUIRE(error.needed == 0 && whole[0] == '\0' && error.code == 0); /* left alone when nothing is wrong */
    EXPECT(seatlock_client_open(o, &none, &error), INVALID);
    REQUIRE(error.code == INVALID && strlen(error.message) == sizeof error.message - 1);
    REQUIRE(error.needed == strlen(whole) + 1 && strstr(whole, path) != NULL);
    REQUIRE(strncmp(whole, error.message, 200) == 0);
    REQUIRE(error.buffer == whole && error.capacity == sizeof whole && error.struct_size == sizeof error);

    size_t needed = error.needed;
    memset(whole, 0xAB, sizeof whole);
    error.capacity = needed - 1;
    EXPECT(seatlock_client_open(o, &none, &error), INVALID);
    REQUIRE(error.needed == needed && (unsigned char)whole[0] == 0xAB);
    error.capacity = needed;
    EXPECT(seatlock_client_open(o, &none, &error), INVALID);
    REQUIRE(strlen(whole) == needed - 1 && (unsigned char)whole[needed] == 0xAB);
    error.buffer = NULL; /* with a capacity that is wrong then */
    EXPECT(seatlock_client_open(o, &none, &error), INVALID);
    REQUIRE(error.needed == needed && error.message[0] != '\0' && none == NULL);
    seatlock_options_free(o);
}
#endif

/* What was a client once, and what never was one. */
static void no_client(seatlock_client *closed)
{
    seatlock_client *others[] = {closed, (seatlock_client *)(intptr_t)1, (seatlock_client *)(intptr_t)-1,
                                 (seatlock_client *)(intptr_t)&failures};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        seatlock_status status = SEATLOCK_STATUS_INIT;
        seatlock_event event = SEATLOCK_EVENT_INIT;
        EXPECT(seatlock_client_status(others[i], &status), SEATLOCK_ERROR_CLOSED);
        EXPECT(seatlock_client_next_event(others[i], UINT32_MAX, &event), SEATLOCK_ERROR_CLOSED);
        EXPECT(seatlock_client_ping(others[i], SEATLOCK_INTENT_RENEW, NULL, &detail), SEATLOCK_ERROR_CLOSED);
        EXPECT(seatlock_client_report(others[i], NULL, 0, NULL), SEATLOCK_ERROR_CLOSED);
        EXPECT(seatlock_client_close(others[i], 0), SEATLOCK_ERROR_CLOSED);
    }
}

static void status_sizes(seatlock_client *c)
{
    static const uint32_t bad[] = {0, 1, 7, 40, 64 * 1024 + 1, UINT32_MAX};
    union {
        seatlock_status status;
        unsigned char bytes[sizeof(seatlock_status) + 64];
    } room;
    seatlock_event event;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        room.status.struct_size = event.struct_size = bad[i];
        EXPECT(seatlock_client_status(c, &room.status), BAD_SIZE);
        EXPECT(seatlock_client_next_event(c, 0, &event), BAD_SIZE);
        EXPECT(seatlock_client_wait(c, 1, 0, &event), BAD_SIZE);
    }
    /* A program that was built with the header of a newer release knows more than we do. */
    static const uint32_t good[] = {sizeof(seatlock_status), sizeof(seatlock_status) + 32};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        memset(&room, 0xAB, sizeof room);
        room.status.struct_size = good[i];
        EXPECT(seatlock_client_status(c, &room.status), NONE);
        size_t written = good[i] < sizeof(seatlock_status) ? good[i] : sizeof(seatlock_status);
        REQUIRE(room.status.struct_size == written && room.status.state == SEATLOCK_STATE_LOCKED);
        for (size_t at = written; at < sizeof room.bytes; at++)
            REQUIRE(room.bytes[at] == 0xAB);
    }
}

int main(int argc, char **argv)
{
    seatlock_client *client = NULL;
    REQUIRE(argc == 2);
    library_functions();
    opening(argv[1], &client);
    REQUIRE(client != NULL);
    without_client();
    operations(client);
    reading(client);
    status_sizes(client);
    entitlements(client);
    values(client);
    long_texts(client);
#ifndef _WIN32
    long_details(argv[1]);
#endif
    EXPECT(seatlock_client_close(client, 20000), NONE);
    no_client(client);
    printf("%d wrong\n", failures);
    return failures == 0 ? 0 : 1;
}
