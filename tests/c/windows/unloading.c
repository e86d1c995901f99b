/*
 * A host on Windows whose plug-in keeps its client in a global object, see global_plugin.cpp. Prints how many
 * milliseconds the plug-in takes to go, the median of five.
 *
 *     unloading PLUGIN STATE_FOLDER SERVER HOW
 *
 * HOW is one of
 *     free     FreeLibrary, while a request is under way
 *     at-once  FreeLibrary, before the library's thread may have begun
 *     exit     ExitProcess
 *     return   main returns
 *     thread   ExitProcess on another thread
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

/* The second limit is for a computer that does other things too; whoever waits for a limit takes longer. */
enum { TIMES = 5, LONGEST_MS = 50, LONGEST_BUSY_MS = 500, GIVEN_UP_MS = 20000 };

typedef int (*start_function)(const char *, const char *);

static void stop(const char *what)
{
    fprintf(stderr, "%s: error %lu\n", what, GetLastError());
    fflush(stderr);
    TerminateProcess(GetCurrentProcess(), 1);
}

/* Where a child leaves the moment at which it began to end: the system's counter is the same in both. */
static LARGE_INTEGER *moment(const char *name)
{
    HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof(LARGE_INTEGER), name);
    LARGE_INTEGER *shared = section == NULL ? NULL : MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, sizeof *shared);
    if (shared == NULL)
        stop("shared memory");
    return shared;
}

static DWORD WINAPI end_process(void *unused)
{
    (void)unused;
    ExitProcess(0);
}

static int child(char **argv, const char *name)
{
    const char *how = argv[4];
    LARGE_INTEGER *began = moment(name);
    HMODULE plugin = LoadLibraryA(argv[1]);
    start_function start = plugin == NULL ? NULL : (start_function)(intptr_t)GetProcAddress(plugin, "plugin_start");
    if (start == NULL)
        stop(argv[1]);
    if (start(argv[2], argv[3]) != 0)
        stop("plugin_start");
    if (strcmp(how, "at-once") != 0)
        Sleep(200);
    QueryPerformanceCounter(began);
    if (strcmp(how, "free") == 0 || strcmp(how, "at-once") == 0) {
        FreeLibrary(plugin);
        /* What it takes from here on is not the plug-in's. */
        TerminateProcess(GetCurrentProcess(), 0);
    }
    if (strcmp(how, "exit") == 0)
        ExitProcess(0);
    if (strcmp(how, "thread") == 0)
        WaitForSingleObject(CreateThread(NULL, 0, end_process, NULL, 0, NULL), INFINITE);
    return 0;
}

static long once(const char *command, const char *name)
{
    LARGE_INTEGER *began = moment(name), now, each;
    STARTUPINFOA startup = {.cb = sizeof startup};
    PROCESS_INFORMATION process;
    DWORD code = 1;
    char line[2048];
    began->QuadPart = 0;
    snprintf(line, sizeof line, "%s %s", command, name);
    if (!CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process))
        stop(line);
    if (WaitForSingleObject(process.hProcess, GIVEN_UP_MS) != WAIT_OBJECT_0)
        TerminateProcess(process.hProcess, 99);
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&each);
    GetExitCodeProcess(process.hProcess, &code);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    if (code != 0 && code != 99)
        exit(1);
    return code == 99 ? GIVEN_UP_MS : (long)((now.QuadPart - began->QuadPart) * 1000 / each.QuadPart);
}

static int longer(const void *a, const void *b)
{
    return *(const long *)a < *(const long *)b ? -1 : 1;
}

int main(int argc, char **argv)
{
    char command[1024], name[64];
    long took[TIMES];
    if (argc == 6)
        return child(argv, argv[5]);
    if (argc != 5)
        return 2;
    snprintf(command, sizeof command, "\"%s\" \"%s\" \"%s\" %s %s", argv[0], argv[1], argv[2], argv[3], argv[4]);
    snprintf(name, sizeof name, "seatlock-unloading-%lu", GetCurrentProcessId());
    for (int i = 0; i < TIMES; i++)
        took[i] = once(command, name);
    qsort(took, TIMES, sizeof took[0], longer);
    printf("%s: %ld ms (%ld to %ld)\n", argv[4], took[TIMES / 2], took[0], took[TIMES - 1]);
    return took[0] <= LONGEST_MS && took[TIMES / 2] <= LONGEST_BUSY_MS ? 0 : 1;
}
