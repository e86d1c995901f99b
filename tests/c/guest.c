/*
 * The manners of a guest: what a host finds after a client's life is what it was before, and two copies of the library in
 * one process do not meet. The program that runs this checks that nothing was printed.
 *
 * usage: guest LIBRARY COPY STATE-FOLDER
 */
#define _GNU_SOURCE
#include "common.h"

#include <dlfcn.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* What belongs to the whole process, and so to the host. */
struct house {
    void (*handlers[65])(int);
    int flags[65];
    uint64_t mask;
    char folder[4096];
    char locale[256];
    mode_t umask;
    size_t variables;
    unsigned long letters;
};

static void look(struct house *house) {
    memset(house, 0, sizeof *house);
    for (int number = 1; number < 65; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0)
            continue; /* the two that the C library keeps to itself */
        house->handlers[number] = action.sa_handler;
        house->flags[number] = action.sa_flags;
    }
    sigset_t mask;
    REQUIRE(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
    for (int number = 1; number < 65; number++)
        house->mask |= (uint64_t)(sigismember(&mask, number) == 1) << (number - 1);
    REQUIRE(getcwd(house->folder, sizeof house->folder) != NULL);
    snprintf(house->locale, sizeof house->locale, "%s", setlocale(LC_ALL, NULL));
    house->umask = umask(0);
    umask(house->umask);
    for (char **variable = environ; *variable != NULL; variable++, house->variables++)
        for (const char *letter = *variable; *letter != '\0'; letter++)
            house->letters = house->letters * 31 + (unsigned char)*letter;
}

struct guest {
    void *library;
    seatlock_client *client;
};

/* A function of one copy of the library. */
#define CALL(guest, name) (*(__typeof__(&name) *)find((guest)->library, #name))

static void *find(void *library, const char *name) {
    static void *found;
    found = dlsym(library, name);
    REQUIRE(found != NULL);
    return &found;
}

static struct guest enter(const char *path, const char *product, const char *folder) {
    struct guest guest = {dlopen(path, RTLD_NOW | RTLD_LOCAL), NULL};
    REQUIRE(guest.library != NULL);
    seatlock_options *options = NULL;
    REQUIRE(CALL(&guest, seatlock_options_new)(&options) == SEATLOCK_OK);
    REQUIRE(CALL(&guest, seatlock_options_set_product)(options, product, NULL) == SEATLOCK_OK);
    REQUIRE(CALL(&guest, seatlock_options_set_server)(options, NOBODY, NULL) == SEATLOCK_OK);
    REQUIRE(CALL(&guest, seatlock_options_add_root_key)(options, ROOT_KEY, NULL) == SEATLOCK_OK);
    REQUIRE(CALL(&guest, seatlock_options_set_machine_id)(options, MACHINE, NULL) == SEATLOCK_OK);
    REQUIRE(CALL(&guest, seatlock_options_set_state_folder)(options, folder, NULL) == SEATLOCK_OK);
    REQUIRE(CALL(&guest, seatlock_client_open)(options, &guest.client, NULL) == SEATLOCK_OK);
    CALL(&guest, seatlock_options_free)(options);
    return guest;
}

static void use(struct guest *guest) {
    uint64_t operation = 0;
    REQUIRE(CALL(guest, seatlock_client_activate)(guest->client, TOKEN, SEATLOCK_CONSENT_TERMS, &operation, NULL) == SEATLOCK_OK);
    REQUIRE(CALL(guest, seatlock_client_wait)(guest->client, operation, 30000, NULL) == SEATLOCK_ERROR_UNREACHABLE);
    /* Errors on purpose, which a careless library would print. */
    REQUIRE(CALL(guest, seatlock_client_activate)(guest->client, "nonsense", 0, NULL, NULL) == SEATLOCK_ERROR_TOKEN_MALFORMED);
}

static void leave(struct guest *guest) {
    REQUIRE(CALL(guest, seatlock_client_close)(guest->client, 5000) == SEATLOCK_OK);
    REQUIRE(dlclose(guest->library) == 0);
}

static void machine_id(struct guest *guest, char *text, size_t capacity) {
    REQUIRE(CALL(guest, seatlock_client_text)(guest->client, SEATLOCK_TEXT_MACHINE_ID, text, capacity, NULL) == SEATLOCK_OK);
}

int main(int count, char **arguments) {
    static struct house before, after;
    REQUIRE(count == 4);
    look(&before);
    struct guest one = enter(arguments[1], PRODUCT, arguments[3]);
    struct guest two = enter(arguments[2], "com.example.other", arguments[3]);
    REQUIRE(one.library != two.library);
    use(&one);
    use(&two);

    /* Two products cannot be matched with one another, and closing one leaves the other alone. */
    char id_one[64], id_two[64];
    machine_id(&one, id_one, sizeof id_one);
    machine_id(&two, id_two, sizeof id_two);
    REQUIRE(strcmp(id_one, id_two) != 0);
    leave(&one);
    seatlock_status status = SEATLOCK_STATUS_INIT;
    REQUIRE(CALL(&two, seatlock_client_status)(two.client, &status) == SEATLOCK_OK);
    use(&two);
    leave(&two);
    look(&after);
    REQUIRE(memcmp(&before, &after, sizeof before) == 0);
    return 0;
}
