/*
 * A host that shows all its plug-ins' names to each other, and exports names of the library itself that nobody may listen
 * to. Each plug-in calls what it has brought along.
 *
 *     plugin_host STATE_FOLDER PLUGIN...
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POISON(name)                                                                                                   \
    int32_t name(void);                                                                                                \
    int32_t name(void)                                                                                                 \
    {                                                                                                                  \
        fprintf(stderr, "the host's own " #name " was called\n");                                                      \
        abort();                                                                                                       \
    }
POISON(seatlock_version)
POISON(seatlock_options_new)
POISON(seatlock_options_set_product)
POISON(seatlock_client_open)
POISON(seatlock_client_status)
POISON(seatlock_client_close)
POISON(rust_eh_personality)

static void *find(void *image, const char *name)
{
    static void *found;
    found = dlsym(image, name);
    if (found == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    return &found;
}

int main(int count, char **arguments)
{
    for (int number = 2; number < count; number++)
        if (dlopen(arguments[number], RTLD_NOW | RTLD_GLOBAL) == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
    for (int number = 2; number < count; number++) {
        void *image = dlopen(arguments[number], RTLD_NOW | RTLD_NOLOAD);
        const void *called = (*(const void *(**)(void))find(image, "plugin_library"))();
        Dl_info info;
        if (dladdr(called, &info) == 0 || strcmp(info.dli_fname, arguments[number]) != 0) {
            fprintf(stderr, "%s calls %s\n", arguments[number], info.dli_fname);
            return 1;
        }
        if ((*(int (**)(const char *))find(image, "plugin_life"))(arguments[1]) != 0) {
            fprintf(stderr, "%s cannot use its library\n", arguments[number]);
            return 1;
        }
    }
    printf("%d plug-ins call their own library\n", count - 2);
    return 0;
}
