"""A small hand tool, for engineers of plug-ins and for support.

    python -m seatlock --product com.example.bridge --server URL --root-key=KEY status

The token is read from standard input, or asked for, so that no list of processes shows it.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Optional

from . import Client, Code, Options, SeatlockError, State, Text

LICENSED, FAILED, LOCKED = 0, 1, 3


def main(arguments: Optional[list[str]] = None) -> int:
    """Does what the arguments say: 0 licensed, 1 failed, 3 locked; 2 is wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m seatlock", description=__doc__.splitlines()[0])
    parser.add_argument("--product", required=True, metavar="NAME")
    parser.add_argument("--server", required=True, metavar="URL")
    parser.add_argument("--root-key", required=True, metavar="KEY", help='its JWK member "x"')
    parser.add_argument("--state-folder", metavar="FOLDER")
    parser.add_argument("--library", metavar="FILE", help="another one than that of the package")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("status", help="show the license, without asking the server")
    activate = verbs.add_parser("activate", help="take a seat with a token")
    activate.add_argument("--accept-terms", action="store_true", help="I have read and agree")
    activate.add_argument("--remember", action="store_true", help="use the token for future sessions")
    verbs.add_parser("ping", help="renew the license")
    verbs.add_parser("release", help="give the seat back")
    verbs.add_parser("report", help="print the support report")
    given = parser.parse_args(arguments)
    options = Options(
        product=given.product,
        server=given.server,
        root_keys=[given.root_key],
        state_folder=given.state_folder,
        library=given.library,
        host=("python", sys.version.split()[0]),
    )
    try:
        with Client(options) as client:
            return _carry_out(client, given)
    except SeatlockError as error:
        print(error.message, error.remedy, sep="\n", file=sys.stderr)
        return FAILED
    except TimeoutError:
        print("no answer in time; trying again is safe", file=sys.stderr)
        return FAILED


def _carry_out(client: Client, given: argparse.Namespace) -> int:
    if given.verb == "report":
        print(client.report())
        return LICENSED
    if given.verb == "activate":
        token = getpass.getpass("token: ") if sys.stdin.isatty() else sys.stdin.readline()
        client.wait(client.activate(token, terms=given.accept_terms, remember=given.remember))
    elif given.verb == "ping":
        client.wait(client.ping())
    elif given.verb == "release":
        print(client.wait(client.release()).message)
    status = client.status()
    print(f"{State(status.state).name.lower()} ({Code(status.reason).name.lower()})")
    for what in (Text.STATUS, Text.PLAN, Text.ACCOUNT, Text.EMAIL, Text.MACHINE_SHORT):
        text = client.text(what)
        if text:
            print(f"{what.name.lower().replace('_', ' ')}: {text}")
    if not status.licensed:
        print(client.code_remedy(status.reason))
    return LICENSED if status.licensed else LOCKED


if __name__ == "__main__":
    sys.exit(main())
