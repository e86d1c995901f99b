"""A real mail server on loopback that shows what it got, for `cargo xtask ci mail`.

    python3 server.py CERTIFICATE.pem KEY.pem

The first line of its output is a JSON object with its ports: `plain` (no TLS, no password), `starttls` and `tls` (both with a
password). Each line that follows is a message as Python's e-mail package reads it. The recipient's name says what
happens: `unknown` is refused, `quotes` is refused in words that repeat the message, `sleeps` is never answered, and
`forgets` gets its message, but the sender is never told.
"""

import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

USER, PASSWORD = b"licenses", b"open sesame/%?#@"
FOR_EVER = 3600


def show(found):
    print(json.dumps(found), flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "unknown":
            return "550 5.1.1 nobody of that name"
        if name == "sleeps":
            await asyncio.sleep(FOR_EVER)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        show({
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "tls": session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None,
            "user": session.auth_data.decode() if session.authenticated else None,
            "headers": [[name, str(value)] for name, value in message.items()],
            "types": [part.get_content_type() for part in message.walk()],
            "plain": message.get_body(("plain",)).get_content(),
            "html": message.get_body(("html",)).get_content(),
            "defects": [repr(defect) for part in message.walk() for defect in part.defects]
            + [repr(defect) for value in message.values() for defect in value.defects],
            "attached": len(list(message.iter_attachments())),
            "raw": envelope.content.decode("ascii"),
        })
        name = envelope.rcpt_tos[0].split("@")[0]
        if name == "quotes":
            plain = message.get_body(("plain",)).get_content()
            secret = plain.partition("of the seat:")[2].split()[0]
            return f"554 5.7.1 not this: {secret}"
        if name == "forgets":
            await asyncio.sleep(FOR_EVER)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, login):
    known = (login.login, login.password) == (USER, PASSWORD)
    return AuthResult(success=known, handled=False, auth_data=login.login)


async def main(certificate, key):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    password = {"authenticator": authenticate, "auth_required": True}
    loop = asyncio.get_running_loop()

    async def listen(context=None, **options):
        made = lambda: SMTP(Handler(), hostname="mail.test", loop=loop, **options)
        server = await loop.create_server(made, "127.0.0.1", 0, ssl=context)
        return server.sockets[0].getsockname()[1]

    show({
        "plain": await listen(),
        "starttls": await listen(tls_context=tls, require_starttls=True, **password),
        "tls": await listen(context=tls, auth_require_tls=False, **password),
    })
    # Who started this holds the other end, and lets go of it in the end, come what may.
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    # Handshakes that fail are what is tried here.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    asyncio.new_event_loop().run_until_complete(main(*sys.argv[1:]))
