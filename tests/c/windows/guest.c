/*
 * A host on Windows that loads and unloads the library under its own name and under another vendor's, uses both, and
 * finds itself as it was: what belongs to the process, its threads and its handles. The program that runs this checks
 * that nothing else is printed.
 *
 *     windows_guest LIBRARY COPY STATE_FOLDER ROUNDS
 */
#include "../common.h"

#include <locale.h>
#include <string.h>
#include <windows.h>

#include <tlhelp32.h>

enum { WARM_UP = 5, HANDLES_MORE = 8 };

/* What belongs to the whole process, and so to the host. */
struct house {
    UINT error_mode;
    LPTOP_LEVEL_EXCEPTION_FILTER filter;
    wchar_t folder[1024];
    char locale[256];
    size_t letters;
    UINT page;
};

static void look(struct house *house)
{
    memset(house, 0, sizeof *house);
    house->error_mode = GetErrorMode();
    house->filter = SetUnhandledExceptionFilter(NULL);
    SetUnhandledExceptionFilter(house->filter);
    REQUIRE(GetCurrentDirectoryW(1024, house->folder) != 0);
    snprintf(house->locale, sizeof house->locale, "%s", setlocale(LC_ALL, NULL));
    wchar_t *variables = GetEnvironmentStringsW();
    for (const wchar_t *at = variables; at[0] != 0 || at[1] != 0; at++)
        house->letters = house->letters * 31 + *at;
    FreeEnvironmentStringsW(variables);
    house->page = GetConsoleOutputCP();
}

static long threads(void)
{
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    THREADENTRY32 thread = {.dwSize = sizeof thread};
    long count = 0;
    REQUIRE(all != INVALID_HANDLE_VALUE);
    for (BOOL more = Thread32First(all, &thread); more; more = Thread32Next(all, &thread))
        count += thread.th32OwnerProcessID == GetCurrentProcessId();
    CloseHandle(all);
    return count;
}

/* A thread ends a moment after it has done its work. */
static long threads_in_the_end(long expected)
{
    for (int tries = 0; tries < 500 && threads() > expected; tries++)
        Sleep(10);
    return threads();
}

static DWORD handles(void)
{
    DWORD count = 0;
    GetProcessHandleCount(GetCurrentProcess(), &count);
    return count;
}

struct guest {
    HMODULE library;
    seatlock_client *client;
};

/* A function of one copy of the library. */
#define CALL(guest, name) ((__typeof__(&name))find((guest)->library, #name))

static void (*find(HMODULE library, const char *name))(void)
{
    FARPROC found = GetProcAddress(library, name);
    if (found == NULL)
        fprintf(stderr, "%s is missing\n", name);
    REQUIRE(found != NULL);
    return (void (*)(void))found;
}

static struct guest enter(const char *path, const char *product, const char *folder)
{
    struct guest guest = {LoadLibraryA(path), NULL};
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

/* Every other time the request is still under way when the client is closed. */
static void use(struct guest *guest, int number)
{
    uint64_t operation = 0;
    REQUIRE(CALL(guest, seatlock_client_activate)(guest->client, TOKEN, SEATLOCK_CONSENT_TERMS, &operation, NULL) ==
            SEATLOCK_OK);
    if (number % 2 == 0)
        REQUIRE(CALL(guest, seatlock_client_wait)(guest->client, operation, 30000, NULL) == SEATLOCK_ERROR_UNREACHABLE);
    /* Errors on purpose, which a careless library would print. */
    REQUIRE(CALL(guest, seatlock_client_activate)(guest->client, "nonsense", 0, NULL, NULL) ==
            SEATLOCK_ERROR_TOKEN_MALFORMED);
}

static void leave(struct guest *guest)
{
    REQUIRE(CALL(guest, seatlock_client_close)(guest->client, 5000) == SEATLOCK_OK);
    REQUIRE(FreeLibrary(guest->library));
}

static void play(char **argv, int number)
{
    char id_one[64], id_two[64];
    struct guest one = enter(argv[1], PRODUCT, argv[3]);
    struct guest two = enter(argv[2], "com.example.other", argv[3]);
    REQUIRE(one.library != two.library);
    use(&one, number);
    use(&two, number);
    REQUIRE(CALL(&one, seatlock_client_text)(one.client, SEATLOCK_TEXT_MACHINE_ID, id_one, sizeof id_one, NULL) ==
            SEATLOCK_OK);
    REQUIRE(CALL(&two, seatlock_client_text)(two.client, SEATLOCK_TEXT_MACHINE_ID, id_two, sizeof id_two, NULL) ==
            SEATLOCK_OK);
    REQUIRE(strcmp(id_one, id_two) != 0);
    leave(&one);
    use(&two, number);
    leave(&two);
}

int main(int argc, char **argv)
{
    static struct house before, after;
    REQUIRE(argc == 5);
    look(&before);
    long alone = threads();
    /* Without a client it goes again, and has started nothing. */
    for (int number = 0; number < 100; number++) {
        HMODULE library = LoadLibraryA(argv[1]);
        REQUIRE(library != NULL && threads() == alone);
        REQUIRE(FreeLibrary(library) && GetModuleHandleA(argv[1]) == NULL);
    }
    for (int number = 0; number < WARM_UP; number++)
        play(argv, number);
    long usual = threads_in_the_end(alone);
    DWORD held = handles();
    for (int number = 0; number < atoi(argv[4]); number++)
        play(argv, number);
    look(&after);
    REQUIRE(memcmp(&before, &after, sizeof before) == 0);
    long left = threads_in_the_end(usual);
    printf("%s rounds: threads %ld -> %ld, handles %lu -> %lu\n", argv[4], usual, left, held, handles());
    return left <= usual && handles() <= held + HANDLES_MORE ? 0 : 1;
}
