"""A host in Python that watches a client from asyncio's loop: no wake function, no timer, no thread.

    loop.py LIBRARY STATE_FOLDER
"""
import asyncio
import ctypes
import pathlib
import struct
import sys

library, folder = sys.argv[-2:]
seatlock = ctypes.CDLL(library)
OPERATIONS = 100

# Sizes, offsets and numbers as the header has them.
LEDGER = (pathlib.Path(__file__).parents[2] / "include/ABI.txt").read_text("utf-8")
ROWS = [line.split() for line in LEDGER.splitlines() if not line.startswith("#")]
ABI = {name: int(value) for kind, name, value, _ in ROWS if kind in ("struct", "member", "enumerator")}


def call(name, *arguments):
    code = getattr(seatlock, name)(*arguments)
    if code != 0:
        sys.exit(f"{name}: {code}")


def events(client):
    event = ctypes.create_string_buffer(ABI["seatlock_event"])
    struct.pack_into("=I", event, ABI["seatlock_event.struct_size"], len(event))
    while (code := seatlock.seatlock_client_next_event(client, 0, event)) == 0:
        (operation,) = struct.unpack_from("=Q", event, ABI["seatlock_event.operation"])
        yield operation, *struct.unpack_from("=i", event, ABI["seatlock_event.code"])
    if code != ABI["SEATLOCK_NO_EVENT"]:
        sys.exit(f"next_event: {code}")


async def ended(client, descriptor, wanted):
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def readable():
        for operation, code in events(client):
            if code == ABI["SEATLOCK_NOT_ACTIVATED"]:
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
