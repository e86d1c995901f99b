/*
 * A host with plug-ins of two vendors, each of which has brought its own library along, perhaps of another version.
 *
 *     vendors lazy|now local|global STATE_FOLDER (PLUGIN LIBRARY)...
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *found(void *address)
{
    if (address == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    return address;
}

int main(int count, char **arguments)
{
    int number, mode;
    if (count < 4)
        return 2;
    mode = strcmp(arguments[1], "now") == 0 ? RTLD_NOW : RTLD_LAZY;
    mode |= strcmp(arguments[2], "global") == 0 ? RTLD_GLOBAL : RTLD_LOCAL;
    for (number = 4; number + 1 < count; number += 2)
        found(dlopen(arguments[number], mode));
    for (number = 4; number + 1 < count; number += 2) {
        void *image = found(dlopen(arguments[number], mode | RTLD_NOLOAD));
        void *library = found(dlsym(image, "plugin_library")), *life = found(dlsym(image, "plugin_life"));
        Dl_info info;
        if (dladdr((*(const void *(**)(void))&library)(), &info) == 0 || strcmp(info.dli_fname, arguments[number + 1]) != 0) {
            fprintf(stderr, "%s calls %s\n", arguments[number], info.dli_fname);
            return 1;
        }
        if ((*(int (**)(const char *))&life)(arguments[3]) != 0) {
            fprintf(stderr, "%s cannot use its library\n", arguments[number]);
            return 1;
        }
    }
    return 0;
}
