#ifndef _WIN32
#define _POSIX_C_SOURCE 200809L /* nanosleep */
#endif
#ifdef _MSC_VER
#define _CRT_SECURE_NO_WARNINGS /* getenv, fopen, gmtime: this program has one thread of its own */
#endif
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef _WIN32
#include <windows.h>

#include <shellapi.h>
#endif

static const char HELP[] =
    "usage: seatlock_plugin VERB [OPTIONS]\n"
    "\n"
    "  machine-id            print this computer's id for the product\n"
    "  activate TOKEN        take the token's seat for this computer\n"
    "  sign-in [page|device]  sign in instead of entering a token; page: print the page instead of opening it\n"
    "  sign-out              forget the sign-in here, and tell the issuer\n"
    "  preflight [TOKEN]     ask what activating would say; changes nothing\n"
    "  status                show the license; needs no network\n"
    "  ping                  tell the server that this computer uses its seat\n"
    "  release               give the seat back\n"
    "  forget                forget token and license here; the seat stays bound\n"
    "  request-file TOKEN FILE  without a network: write what is to be brought to the server\n"
    "  import-file FILE      take the license that came back\n"
    "  release-file FILE     give the seat back by a file\n"
    "  watch [SECONDS]       behave like a plug-in in a host with a timer (default 10)\n"
    "\n"
    "A TOKEN of \"-\" is read from standard input. Prefer that: other users of the computer can see arguments.\n"
    "\n"
    "  --server URL          EXAMPLE_SERVER         license server, such as https://license.example.com\n"
    "  --root-key X          EXAMPLE_ROOT_KEY       its public key, as `seatlock-server init` prints it\n"
    "  --issuer NAME         EXAMPLE_ISSUER         its name, when that is not its address\n"
    "  --oidc-issuer URL     EXAMPLE_OIDC_ISSUER    OpenID provider at which people sign in\n"
    "  --client-id ID        EXAMPLE_CLIENT_ID      what it calls this plug-in\n"
    "  --product NAME        EXAMPLE_PRODUCT        default com.example.bridge\n"
    "  --state-folder DIR    EXAMPLE_STATE_FOLDER   where the license is kept\n"
    "  --proxy URL           EXAMPLE_PROXY          \"\" for none; default: the system's\n"
    "  --ca FILE             EXAMPLE_CA             further certificate authorities, PEM\n"
    "  --account-folder DIR  EXAMPLE_ACCOUNT_FOLDER where rpd_account.json or credentials.json may lie\n"
    "  --catalogue FILE      EXAMPLE_CATALOGUE      texts of another language, such as catalogues/de.json\n"
    "  --utc-offset MINUTES  EXAMPLE_UTC_OFFSET     time zone of what is said, such as 60; default: UTC\n"
    "  --timeout MS          EXAMPLE_TIMEOUT        wait that long for an answer, default 20000\n"
    "  --no-remember                                keep nothing on disk\n"
    "  --no-network                               behave as if the host had switched networking off\n"
    "  --no-terms                                   do not accept the license terms\n"
    "  --help\n"
    "\n"
    "The library itself reads SEATLOCK_TOKEN, SEATLOCK_SERVER, SEATLOCK_STATE_DIR, SEATLOCK_MACHINE_ID and SEATLOCK_OFFLINE:\n"
    "with a token there, the first ping takes its seat. SEATLOCK_CLIENT_ID, SEATLOCK_CLIENT_SECRET, SEATLOCK_OIDC_ISSUER,\n"
    "SEATLOCK_SCOPES and SEATLOCK_AUDIENCE do the same for a machine that signs in by itself.\n"
    "\n"
    "Ends with 0 when licensed (machine-id, preflight, release, forget, request-file, release-file: when done), 3 when locked, 2 for a wrong\n"
    "command line, 1 for any other error.\n";

static const struct {
    const char *name;
    verb verb;
} VERBS[] = {
    {"machine-id", VERB_MACHINE_ID}, {"activate", VERB_ACTIVATE}, {"preflight", VERB_PREFLIGHT},
    {"status", VERB_STATUS},         {"ping", VERB_PING},         {"release", VERB_RELEASE},
    {"sign-in", VERB_SIGN_IN},       {"sign-out", VERB_SIGN_OUT},
    {"forget", VERB_FORGET},         {"watch", VERB_WATCH},
    {"request-file", VERB_REQUEST_FILE}, {"import-file", VERB_IMPORT_FILE},
    {"release-file", VERB_RELEASE_FILE},
};

static bool takes_token(verb verb)
{
    return verb == VERB_ACTIVATE || verb == VERB_PREFLIGHT || verb == VERB_REQUEST_FILE;
}

static bool takes_path(verb verb)
{
    return verb == VERB_REQUEST_FILE || verb == VERB_IMPORT_FILE || verb == VERB_RELEASE_FILE;
}

static settings_result wrong(const char *what, const char *word)
{
    fprintf(stderr, "%s%s%s\nTry --help.\n", what, word[0] ? ": " : "", word);
    return SETTINGS_BAD;
}

static bool read_number(const char *text, long largest, long *number)
{
    char *end = NULL;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 1 || value > largest)
        return false;
    *number = value;
    return true;
}

#ifdef _WIN32
/* Windows keeps names in UTF-16, and getenv, fopen and the arguments of main are in an old code page that has no room for
 * most of them. What is made here lasts as long as the program. */
static char *to_utf8(const wchar_t *text)
{
    int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *made = size > 0 ? malloc((size_t)size) : NULL;
    if (made != NULL)
        WideCharToMultiByte(CP_UTF8, 0, text, -1, made, size, NULL, NULL);
    return made;
}

static wchar_t *to_utf16(const char *text)
{
    int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    wchar_t *made = length > 0 ? malloc((size_t)length * sizeof *made) : NULL;
    if (made != NULL)
        MultiByteToWideChar(CP_UTF8, 0, text, -1, made, length);
    return made;
}

static UINT page_before;

static void give_page_back(void)
{
    SetConsoleOutputCP(page_before);
}

char **utf8_arguments(int *count)
{
    wchar_t **words = CommandLineToArgvW(GetCommandLineW(), count);
    char **made = words != NULL ? calloc((size_t)*count + 1, sizeof *made) : NULL;
    int i;
    for (i = 0; made != NULL && i < *count; i++)
        if ((made[i] = to_utf8(words[i])) == NULL)
            return NULL;
    LocalFree(words);
    page_before = GetConsoleOutputCP();
    if (page_before != 0 && page_before != CP_UTF8 && atexit(give_page_back) == 0)
        SetConsoleOutputCP(CP_UTF8);
    return made;
}

static const char *variable(const char *name)
{
    wchar_t *wide = to_utf16(name);
    const wchar_t *value = wide != NULL ? _wgetenv(wide) : NULL;
    char *text = value != NULL ? to_utf8(value) : NULL;
    free(wide);
    return text;
}

static FILE *open_file(const char *path)
{
    wchar_t *wide = to_utf16(path);
    FILE *file = wide != NULL ? _wfopen(wide, L"rb") : NULL;
    free(wide);
    return file;
}
#else
static const char *variable(const char *name)
{
    return getenv(name);
}

static FILE *open_file(const char *path)
{
    return fopen(path, "rb");
}
#endif

static bool read_file(const char *path, char **content, size_t *size)
{
    enum { LARGEST = 1024 * 1024 };
    FILE *file = open_file(path);
    if (file == NULL)
        return false;
    free(*content); /* the option comes after the environment */
    *content = malloc(LARGEST);
    *size = *content != NULL ? fread(*content, 1, LARGEST, file) : 0;
    fclose(file);
    return *size > 0;
}

static bool read_token(settings *set)
{
    if (fgets(set->typed, (int)sizeof set->typed, stdin) == NULL)
        return false;
    set->token = set->typed; /* the library trims white space, quotes and line ends */
    return true;
}

/* An option that takes a value; environment variables come the same way. */
static settings_result take(settings *set, const char *name, const char *value)
{
    long number = 0;
    if (strcmp(name, "--server") == 0)
        set->server = value;
    else if (strcmp(name, "--issuer") == 0)
        set->issuer = value;
    else if (strcmp(name, "--oidc-issuer") == 0)
        set->oidc_issuer = value;
    else if (strcmp(name, "--client-id") == 0)
        set->client_id = value;
    else if (strcmp(name, "--root-key") == 0)
        set->root_key = value;
    else if (strcmp(name, "--product") == 0)
        set->product = value;
    else if (strcmp(name, "--state-folder") == 0)
        set->state_folder = value;
    else if (strcmp(name, "--account-folder") == 0)
        set->account_folder = value;
    else if (strcmp(name, "--proxy") == 0)
        set->proxy = value;
    else if (strcmp(name, "--ca") == 0)
        return read_file(value, &set->ca, &set->ca_size) ? SETTINGS_GOOD
                                                         : wrong("this certificate file cannot be read", value);
    else if (strcmp(name, "--catalogue") == 0)
        return read_file(value, &set->catalogue, &set->catalogue_size) ? SETTINGS_GOOD
                                                                       : wrong("this catalogue cannot be read", value);
    else if (strcmp(name, "--utc-offset") == 0) {
        bool west = value[0] == '-';
        if (strcmp(value, "0") != 0 && !read_number(value + west, 840, &number))
            return wrong("not a number of minutes from -840 to 840", value);
        set->utc_offset = (int32_t)(west ? -number : number);
    }
    else if (strcmp(name, "--timeout") == 0) {
        if (!read_number(value, 600000, &number))
            return wrong("not a number of milliseconds up to 600000", value);
        set->timeout_ms = (uint32_t)number;
    } else
        return wrong("unknown option", name);
    return SETTINGS_GOOD;
}

static settings_result take_environment(settings *set)
{
    static const char *const pairs[][2] = {
        {"--server", "EXAMPLE_SERVER"},   {"--issuer", "EXAMPLE_ISSUER"},
        {"--root-key", "EXAMPLE_ROOT_KEY"}, {"--product", "EXAMPLE_PRODUCT"},
        {"--state-folder", "EXAMPLE_STATE_FOLDER"}, {"--proxy", "EXAMPLE_PROXY"},
        {"--ca", "EXAMPLE_CA"},           {"--timeout", "EXAMPLE_TIMEOUT"},
        {"--account-folder", "EXAMPLE_ACCOUNT_FOLDER"}, {"--oidc-issuer", "EXAMPLE_OIDC_ISSUER"},
        {"--client-id", "EXAMPLE_CLIENT_ID"}, {"--catalogue", "EXAMPLE_CATALOGUE"},
        {"--utc-offset", "EXAMPLE_UTC_OFFSET"},
    };
    size_t i;
    for (i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const char *value = variable(pairs[i][1]);
        if (value != NULL && take(set, pairs[i][0], value) != SETTINGS_GOOD)
            return SETTINGS_BAD;
    }
    return SETTINGS_GOOD;
}

/* A word without dashes: first the verb, then what it works on. */
static settings_result take_word(settings *set, const char *word)
{
    size_t i;
    if (set->verb == VERB_NONE) {
        for (i = 0; i < sizeof VERBS / sizeof VERBS[0]; i++)
            if (strcmp(word, VERBS[i].name) == 0)
                set->verb = VERBS[i].verb;
        return set->verb != VERB_NONE ? SETTINGS_GOOD : wrong("unknown verb", word);
    }
    if (takes_token(set->verb) && set->token == NULL) {
        set->token = word;
        if (strcmp(word, "-") == 0 && !read_token(set))
            return wrong("no token came from standard input", "");
        return SETTINGS_GOOD;
    }
    if (takes_path(set->verb) && set->path == NULL) {
        set->path = word;
        return SETTINGS_GOOD;
    }
    if (set->verb == VERB_SIGN_IN && set->place == PLACE_BROWSER && strcmp(word, "page") == 0) {
        set->place = PLACE_PAGE;
        return SETTINGS_GOOD;
    }
    if (set->verb == VERB_SIGN_IN && set->place == PLACE_BROWSER && strcmp(word, "device") == 0) {
        set->place = PLACE_DEVICE;
        return SETTINGS_GOOD;
    }
    if (set->verb == VERB_WATCH)
        return read_number(word, 86400, &set->seconds) ? SETTINGS_GOOD : wrong("not a number of seconds", word);
    /* Not repeated: it may be a token that was typed in the wrong place. */
    return wrong("there is one word too many", "");
}

static settings_result check(const settings *set)
{
    if (set->verb == VERB_NONE)
        return wrong("say what to do, for example: seatlock_plugin status", "");
    if (takes_token(set->verb) && set->verb != VERB_PREFLIGHT && set->token == NULL)
        return wrong("a token is needed, or - to read it from standard input", "");
    if (takes_path(set->verb) && set->path == NULL)
        return wrong("the name of a file is needed", "");
    if (set->verb != VERB_MACHINE_ID && set->server == NULL && set->account_folder == NULL && variable("SEATLOCK_SERVER") == NULL)
        return wrong("the server is not set: --server URL or EXAMPLE_SERVER", "");
    if (set->verb != VERB_MACHINE_ID && set->root_key == NULL)
        return wrong("the server's public key is not set: --root-key X or EXAMPLE_ROOT_KEY", "");
    return SETTINGS_GOOD;
}

settings_result read_settings(settings *set, int argc, char **argv)
{
    int i;
    memset(set, 0, sizeof *set);
    set->product = "com.example.bridge";
    set->terms = set->remember = set->network = true;
    set->timeout_ms = 20000;
    set->seconds = 10;
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(HELP, stdout);
            return SETTINGS_HELP;
        }
    }
    if (take_environment(set) != SETTINGS_GOOD)
        return SETTINGS_BAD;
    for (i = 1; i < argc; i++) {
        const char *word = argv[i];
        settings_result result = SETTINGS_GOOD;
        if (strcmp(word, "--no-network") == 0)
            set->network = false;
        else if (strcmp(word, "--no-terms") == 0)
            set->terms = false;
        else if (strcmp(word, "--no-remember") == 0)
            set->remember = false;
        else if (strncmp(word, "--", 2) != 0)
            result = take_word(set, word);
        else if (++i < argc)
            result = take(set, word, argv[i]);
        else
            result = wrong("a value is missing after", word);
        if (result != SETTINGS_GOOD)
            return result;
    }
    return check(set);
}

void clear_settings(settings *set)
{
    /* Through a volatile pointer, because a compiler may drop stores to memory that is never read again. */
    volatile char *secret = set->typed;
    size_t i;
    for (i = 0; i < sizeof set->typed; i++)
        secret[i] = 0;
    set->token = NULL;
    free(set->ca);
    free(set->catalogue);
    set->ca = set->catalogue = NULL;
}

bool iso_time(int64_t seconds, char *text, size_t size)
{
    time_t when = (time_t)seconds;
    const struct tm *parts = gmtime(&when);
    return parts != NULL && strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", parts) > 0;
}

void sleep_ms(unsigned ms)
{
#ifdef _WIN32
    Sleep(ms);
#else
    struct timespec pause;
    pause.tv_sec = ms / 1000;
    pause.tv_nsec = (long)(ms % 1000) * 1000000L;
    nanosleep(&pause, NULL);
#endif
}
