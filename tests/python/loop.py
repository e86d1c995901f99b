"""A host in Python that watches a client from asyncio's loop: no wake function, no timer, no thread.

    loop.py LIBRARY STATE_FOLDER
"""
import asyncio
import ctypes
import sys

library, folder = sys.argv[-2:]
seatlock = ctypes.CDLL(library)
NO_EVENT, NOT_ACTIVATED = 3, 6
OPERATIONS = 100


class Event(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
        ("operation", ctypes.c_uint64),
        ("code", ctypes.c_int32),
        ("http_status", ctypes.c_uint32),
        ("available_at", ctypes.c_int64),
        ("message", ctypes.c_char * 512),
        ("values", ctypes.c_char * 480),
    ]


def call(name, *arguments):
    code = getattr(seatlock, name)(*arguments)
    if code != 0:
        sys.exit(f"{name}: {code}")


def events(client):
    event = Event(struct_size=ctypes.sizeof(Event))
    while (code := seatlock.seatlock_client_next_event(client, 0, ctypes.byref(event))) == 0:
        yield event.operation, event.code
    if code != NO_EVENT:
        sys.exit(f"next_event: {code}")


async def ended(client, descriptor, wanted):
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def readable():
        for operation, code in events(client):
            if code == NOT_ACTIVATED:
                wanted.discard(operation)
        if not wanted:
            done.set()

    loop.add_reader(descriptor, readable)
    await asyncio.wait_for(done.wait(), 60)
    loop.remove_reader(descriptor)


options, client, descriptor = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_ssize_t()
call("seatlock_options_new", ctypes.byref(options))
for name, value in [
    ("product", b"com.example.bridge"),
    ("server", b"http://127.0.0.1:9"),
    ("machine_id", b"a-test-machine-of-ours"),
    ("state_folder", folder.encode()),
]:
    call(f"seatlock_options_set_{name}", options, value, None)
call("seatlock_options_add_root_key", options, b"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", None)
call("seatlock_client_open", options, ctypes.byref(client), None)
seatlock.seatlock_options_free(options)
call("seatlock_client_event_handle", client, ctypes.byref(descriptor), None)
for _ in range(OPERATIONS):
    number = ctypes.c_uint64()
    call("seatlock_client_ping", client, 1, ctypes.byref(number), None)
    asyncio.run(ended(client, descriptor.value, {number.value}))
call("seatlock_client_close", client, 5000)
print(f"{OPERATIONS} operations in asyncio's loop")
