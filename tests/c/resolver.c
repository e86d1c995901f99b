/*
 * Closing a client while name resolution hangs, and unloading the library at once.
 *
 * usage: resolver LIBRARY
 *
 * The program moves into a network and a mount namespace of its own, where the only name server is a socket that
 * nobody reads from, so the system's resolver hangs for as long as it likes. Needs root, or a kernel that lets
 * users make namespaces.
 */
#define _GNU_SOURCE
#include "clock.h"
#include "common.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLOSE_MS 2000

static long threads(void) {
    return entries("/proc/self/task");
}

static void write_file(const char *path, const char *text) {
    int file = open(path, O_WRONLY);
    REQUIRE(file >= 0);
    REQUIRE(write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
}

/* A namespace in which every name server is silent. */
static void isolate(void) {
    unsigned user = (unsigned)geteuid(), group = (unsigned)getegid();
    if (unshare((user == 0 ? 0 : CLONE_NEWUSER) | CLONE_NEWNS | CLONE_NEWNET) != 0) {
        fprintf(stderr, "no namespace of our own (%s): run as root, or allow user namespaces\n", strerror(errno));
        exit(1);
    }
    if (user != 0) {
        char map[64];
        write_file("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %u 1", user);
        write_file("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "0 %u 1", group);
        write_file("/proc/self/gid_map", map);
    }
    REQUIRE(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);

    char path[] = "/tmp/seatlock-resolv-XXXXXX";
    int file = mkstemp(path);
    const char *text = "nameserver 127.0.0.1\noptions timeout:5 attempts:3\n";
    REQUIRE(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    REQUIRE(mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0);
    unlink(path);

    int server = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    REQUIRE(server >= 0 && ioctl(server, SIOCSIFFLAGS, &loopback) == 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(server, (struct sockaddr *)&address, sizeof address) == 0);
}

/* A function of the library, by the name of its declaration in the header. */
#define FIND(library, name)                                                                                           \
    __typeof__(&name) find_##name;                                                                                    \
    *(void **)&find_##name = dlsym(library, #name)

static void one_life(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    REQUIRE(library != NULL);
    FIND(library, seatlock_options_new);
    FIND(library, seatlock_options_free);
    FIND(library, seatlock_options_set_product);
    FIND(library, seatlock_options_set_server);
    FIND(library, seatlock_options_add_root_key);
    FIND(library, seatlock_options_set_machine_id);
    FIND(library, seatlock_options_set_proxy);
    FIND(library, seatlock_client_open);
    FIND(library, seatlock_client_activate);
    FIND(library, seatlock_client_wait);
    FIND(library, seatlock_client_close);

    seatlock_options *options = NULL;
    seatlock_client *client = NULL;
    REQUIRE(find_seatlock_options_new(&options) == SEATLOCK_OK);
    REQUIRE(find_seatlock_options_set_product(options, PRODUCT, NULL) == SEATLOCK_OK);
    REQUIRE(find_seatlock_options_set_server(options, "https://license.example.com", NULL) == SEATLOCK_OK);
    REQUIRE(find_seatlock_options_add_root_key(options, ROOT_KEY, NULL) == SEATLOCK_OK);
    REQUIRE(find_seatlock_options_set_machine_id(options, MACHINE, NULL) == SEATLOCK_OK);
    REQUIRE(find_seatlock_options_set_proxy(options, "", NULL) == SEATLOCK_OK);
    REQUIRE(find_seatlock_client_open(options, &client, NULL) == SEATLOCK_OK);
    find_seatlock_options_free(options);

    uint64_t operation = 0;
    seatlock_event event = SEATLOCK_EVENT_INIT;
    REQUIRE(find_seatlock_client_activate(client, TOKEN, SEATLOCK_CONSENT_TERMS, &operation, NULL) == SEATLOCK_OK);
    /* Still resolving: otherwise nothing hangs and the test says nothing. */
    REQUIRE(find_seatlock_client_wait(client, operation, 1000, &event) == SEATLOCK_PENDING);

    double begin = seconds();
    REQUIRE(find_seatlock_client_close(client, CLOSE_MS) == SEATLOCK_OK);
    double took = seconds() - begin;
    REQUIRE(dlclose(library) == 0);
    printf("closed in %.0f ms while name resolution hung, %ld threads left\n", took * 1000, threads());
    REQUIRE(took < CLOSE_MS / 1000.0);
}

int main(int count, char **arguments) {
    REQUIRE(count == 2);
    isolate();
    for (int life = 0; life < 3; life++)
        one_life(arguments[1]);
    REQUIRE(threads() > 1); /* the resolver's own threads, which nobody can end */
    /* They return into code that must still be there. */
    double deadline = seconds() + 60;
    while (threads() > 1 && seconds() < deadline)
        pause_ms(100);
    REQUIRE(threads() == 1);
    printf("every resolver thread has ended by itself\n");
    return 0;
}
