/* Where the example gets its settings from. A real plug-in compiles server, product and root key in. */
#ifndef SEATLOCK_EXAMPLE_SETTINGS_H
#define SEATLOCK_EXAMPLE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum verb {
    VERB_NONE,
    VERB_MACHINE_ID,
    VERB_ACTIVATE,
    VERB_SIGN_IN,
    VERB_SIGN_OUT,
    VERB_PREFLIGHT,
    VERB_STATUS,
    VERB_PING,
    VERB_RELEASE,
    VERB_FORGET,
    VERB_REQUEST_FILE,
    VERB_IMPORT_FILE,
    VERB_RELEASE_FILE,
    VERB_WATCH
} verb;

/* Where a person signs in: the browser is opened, or the page is printed, or it is for another device. */
typedef enum place { PLACE_BROWSER, PLACE_PAGE, PLACE_DEVICE } place;

typedef struct settings {
    verb verb;
    const char *server;
    const char *issuer;
    const char *oidc_issuer; /* of the OpenID provider, or NULL */
    const char *client_id;
    const char *root_key;
    const char *product;
    const char *state_folder;
    const char *account_folder;
    const char *proxy;
    char *ca; /* PEM, or NULL */
    size_t ca_size;
    char *catalogue; /* texts of another language, or NULL */
    size_t catalogue_size;
    int32_t utc_offset; /* minutes */
    bool terms;
    bool remember;
    bool network;
    uint32_t timeout_ms;
    long seconds;      /* of VERB_WATCH */
    place place;       /* of VERB_SIGN_IN */
    const char *token; /* of VERB_ACTIVATE, VERB_PREFLIGHT and VERB_REQUEST_FILE, or NULL */
    const char *path;  /* of the verbs that end in _FILE */
    char typed[512];   /* the token when it came from standard input */
} settings;

typedef enum settings_result { SETTINGS_GOOD, SETTINGS_HELP, SETTINGS_BAD } settings_result;

#ifdef _WIN32
/* The command line in UTF-8, and UTF-8 for what is printed to a console. NULL without memory. */
char **utf8_arguments(int *count);
#endif

/* Reads command line and environment. Says what is wrong on standard error. */
settings_result read_settings(settings *set, int argc, char **argv);

/* Wipes the token and frees what was read. */
void clear_settings(settings *set);

/* Writes Unix seconds as 2026-11-22T09:00:00Z; false when there is no such date. */
bool iso_time(int64_t seconds, char *text, size_t size);

void sleep_ms(unsigned ms);

#endif
