"""Writes the golden vectors of the seatlock protocol. Uses none of the project's code, only public libraries.

    python3 protocol/vectors/generate.py [FOLDER]

Keys, times and ids are fixed, so that a second run writes the same bytes. What an implementation has to do with
each row is said in `docs/protocol.md`, section 12.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys
import zlib

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
TOKEN_DOMAIN = b"seatlock-token-v1\0"
BODY = "8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE"
MAX_TIME = 2**53 - 1


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# Tokens


def token(kind, body=BODY):
    rest = zlib.crc32(f"{kind}_{body}".encode())
    check = ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        check = BASE62[digit] + check
    return f"{kind}_{body}{check}"


def token_hash(secret):
    return b64(hashlib.sha256(TOKEN_DOMAIN + secret.encode()).digest()[:16])


def tokens():
    sit, sat, soc = token("sit"), token("sat"), token("soc")
    zeros = next(token("sit", BODY[:-4] + f"{n:04d}") for n in range(10000)
                 if token("sit", BODY[:-4] + f"{n:04d}")[34:36] == "00")
    rows = []

    def row(name, pasted, result, wanted="sit", is_token=None):
        rows.append({"name": name, "pasted": pasted, "wanted": wanted, "result": result})
        if result == "ok":
            rows[-1]["token"] = is_token or sit

    row("as made", sit, "ok")
    row("api token where one is wanted", sat, "ok", "sat", sat)
    row("client secret where one is wanted", soc, "ok", "soc", soc)
    row("check padded with zeros", zeros, "ok", is_token=zeros)
    row("body of zeros", token("sit", "0" * 30), "ok", is_token=token("sit", "0" * 30))
    row("body of z", token("sit", "z" * 30), "ok", is_token=token("sit", "z" * 30))
    for name, noisy in [
        ("spaces and line ends around", f"  \t{sit} \r\n"),
        ("wrapped in the middle", f"{sit[:20]}\r\n    {sit[20:]}"),
        ("straight double quotes", f'"{sit}"'),
        ("straight single quotes", f"'{sit}'"),
        ("back quotes", f"`{sit}`"),
        ("curly quotes", f"\u201c{sit}\u201d"),
        ("low and single curly quotes", f"\u201e\u2018{sit}\u2019\u201f"),
        ("guillemets with narrow no-break spaces", f"\u00ab\u202f{sit}\u202f\u00bb"),
        ("no-break and ideographic space", f"\u00a0{sit}\u3000"),
        ("byte order mark", f"\ufeff{sit}"),
        ("zero-width space inside", f"{sit[:7]}\u200b{sit[7:]}"),
        ("zero-width joiners inside the kind", f"s\u200ci\u200dt_{sit[4:]}"),
        ("direction marks", f"\u200e{sit}\u200f"),
        ("word joiner and soft hyphen", f"{sit[:12]}\u2060{sit[12:30]}\u00ad{sit[30:]}"),
        ("line and paragraph separator", f"{sit}\u2028\u2029"),
        ("a space after every character", " ".join(sit)),
        ("isolated by U+2066 and U+2069", f"\u2066{sit}\u2069"),
        ("embedded by U+202A and U+202C", f"\u202a{sit}\u202c"),
        ("Arabic letter mark and variation selector", f"\u061c{sit}\ufe0f"),
        ("invisible separator and vowel separator inside", f"{sit[:7]}\u2063{sit[7:20]}\u180e{sit[20:]}"),
        ("Hangul filler and tag characters", f"\u3164{sit}\U000e0001\U000e007f"),
        ("angle brackets", f"<{sit}>"),
        ("round brackets and a full stop", f"({sit})."),
        ("single angle quotes", f"\u2039{sit}\u203a"),
        ("full-width quotes", f"\uff02{sit}\uff02"),
        ("CJK corner brackets", f"\u300c{sit}\u300d"),
        ("bold in Markdown", f"**{sit}**"),
        ("italic in Markdown", f"_{sit}_"),
        ("escaped in Markdown", f"sit\\_{sit[4:]}"),
        ("quoted in a reply", f"> {sit[:30]}\n> {sit[30:]}"),
        ("soft line end of e-mail", f"{sit[:30]}=\r\n{sit[30:]}"),
        ("a full stop after it", f"{sit}."),
        ("an ideographic full stop after it", f"{sit}\u3002"),
        ("a label before it", f"Token: {sit}"),
        ("a label in another script before it", f"\u4ee4\u724c{sit}"),
        ("in a sentence", f"Your token is {sit}, and it works once. Regards"),
        ("upper case kind", "SIT" + sit[3:]),
        ("as a header", f"Bearer {sit}"),
        ("as an assignment", f"SEATLOCK_TOKEN={sit}"),
        ("as JSON", f'{{"token":"{sit}"}}'),
        ("NUL at the end", f"{sit}\0"),
        ("twice, the same", f"{sit}\n{sit}"),
        ("beside one of another kind", f"api {sat}, seat {sit}"),
        ("beside half a token", f"{sit[:20]}\n\nToken: {sit}"),
    ]:
        row(name, noisy, "ok")
    for wanted in ("sit", "sat", "soc"):
        for given in (sit, sat, soc):
            if given[:3] != wanted:
                row(f"{given[:3]} where {wanted} is wanted", given, f"wrong_kind:{given[:3]}", wanted)
    row("noisy api token where an integration token is wanted", f'"{sat}"\n', "wrong_kind:sat")
    for name, text in [
        ("empty", ""),
        ("only noise", ' "\u200b" \n'),
        ("only the kind", "sit_"),
        ("no check", sit[:34]),
        ("last character missing", sit[:-1]),
        ("first character missing", sit[1:]),
        ("one character more", sit + "0"),
        ("twice", sit + sit),
        ("one character changed", sit.replace("8u", "9u")),
        ("two neighbours swapped", sit.replace("8u", "u8")),
        ("kind changed", "sat" + sit[3:]),
        ("check of another kind", sit[:34] + sat[34:]),
        ("all lower case", sit.lower()),
        ("unknown kind with a true check", token("sxt")),
        ("foreign token of the same length", "ghp" + sit[3:]),
        ("hyphen for underscore", sit.replace("_", "-")),
        ("no underscore", sit.replace("_", "")),
        ("hyphen in the body", sit.replace("8u", "8-")),
        ("Cyrillic look-alike", sit.replace("a", "\u0430")),
        ("full-width digit", sit.replace("8", "\uff18")),
        ("alphabet broken but check true", token("sit", BODY[:-1] + "-")),
        ("body too short but check true", token("sit", BODY[:-1])),
        ("body too long but check true", token("sit", BODY + "x")),
        ("NUL in the middle", f"{sit[:9]}\0{sit[9:]}"),
        ("a sentence", "please send me a token"),
        ("two different ones", f"{sit} {token('sit', '0' * 30)}"),
        ("a letter before it", f"x{sit}"),
        ("a letter after it", f"{sit}x"),
        ("a comma inside", f"{sit[:9]},{sit[9:]}"),
        ("a letter with an accent inside", f"{sit[:9]}\u00e9{sit[9:]}"),
        ("long text", "sit_" * 5000),
    ]:
        row(name, text, "malformed")
    return {"rows": rows}


def hashes():
    peppers = {"zero": bytes(32), "counting": bytes(range(32)), "ones": b"\xff" * 32}
    rows = []
    for name, secret in [("sit", token("sit")), ("sat", token("sat")), ("soc", token("soc")),
                         ("zeros", token("sit", "0" * 30))]:
        for pepper_name, pepper in peppers.items():
            stored = hmac.new(pepper, TOKEN_DOMAIN + secret.encode(), hashlib.sha256).hexdigest()
            rows.append({"name": f"{name}, pepper {pepper_name}", "token": secret, "tkh": token_hash(secret),
                         "pepper_hex": pepper.hex(), "stored_hash_hex": stored})
    return {"rows": rows}


# Machine ids


def machine_id(product, os_tag, os_id):
    key = b"seatlock-machine-v1\0" + product.encode()
    return "m1_" + b64(hmac.new(key, os_tag.encode() + b"\0" + os_id.encode(), hashlib.sha256).digest())


def short_form(mid):
    number = int.from_bytes(unb64(mid[3:])[:5], "big")
    digits = "".join(CROCKFORD[number >> 5 * place & 31] for place in reversed(range(8)))
    return f"{digits[:4]}-{digits[4:]}"


def machines():
    os_id = "0123456789abcdef0123456789abcdef"
    derive = []
    for name, product, os_tag, raw in [
        ("linux", "com.example.bridge", "linux", os_id),
        ("windows", "com.example.bridge", "windows", "4c4c4544-0042-3510-8052-b4c04f564432"),
        ("macos", "com.example.bridge", "macos", "564D9A4B-7E2C-11EE-B962-0242AC120002"),
        ("supplied", "com.example.bridge", "supplied", "render-node-0042"),
        ("another product", "com.example.lattice", "linux", os_id),
        ("empty product and id", "", "", ""),
        ("product of 43 bytes", "p" * 43, "linux", os_id),
        ("product of 44 bytes: the HMAC key fills a block", "p" * 44, "linux", os_id),
        ("product of 45 bytes: the HMAC key is hashed", "p" * 45, "linux", os_id),
        ("product of 500 bytes", "p" * 500, "linux", os_id),
        ("Japanese product", "\u682a\u5f0f\u4f1a\u793e\u30d6\u30ea\u30c3\u30b8", "linux", os_id),
        ("Japanese product longer than a block", "\u30d6\u30ea\u30c3\u30b8" * 8, "linux", os_id),
        ("accent composed", "caf\u00e9", "linux", os_id),
        ("accent decomposed is another product", "cafe\u0301", "linux", os_id),
        ("emoji", "\U0001f9ca.example", "linux", os_id),
        ("product with a space and a slash", "My Plug-in / 2026", "linux", os_id),
        ("non-ASCII id", "com.example.bridge", "supplied", "R\u00f6chling-\u0444\u0435\u0440\u043c\u0430"),
        ("id of 2000 bytes", "com.example.bridge", "supplied", "n" * 2000),
    ]:
        mid = machine_id(product, os_tag, raw)
        derive.append({"name": name, "product": product, "os_tag": os_tag, "os_id": raw, "id": mid,
                       "short": short_form(mid)})
    shorts = []
    for name, first in [("zeros", b"\0" * 5), ("ones", b"\xff" * 5), ("lowest bit", b"\0\0\0\0\1"),
                        ("highest bit", b"\x80\0\0\0\0"), ("mixed", bytes.fromhex("0123456789"))]:
        mid = "m1_" + b64(first + bytes(27))
        shorts.append({"name": name, "id": mid, "short": short_form(mid)})
    good = machine_id("com.example.bridge", "linux", os_id)
    parse = [{"name": name, "text": text, "ok": ok} for name, text, ok in [
        ("whole", good, True),
        ("all zero", "m1_" + "A" * 43, True),
        ("empty", "", False),
        ("only the version", "m1_", False),
        ("one character short", good[:-1], False),
        ("one character long", good + "A", False),
        ("version 2", "m2" + good[2:], False),
        ("upper case version", "M1" + good[2:], False),
        ("no version", good[3:], False),
        ("padded", good + "=", False),
        ("standard alphabet", good.replace("_uD", "/uD"), False),
        ("unused bits set", good[:-1] + "B", False),
        ("space before", " " + good, False),
        ("line end after", good + "\n", False),
        ("31 bytes", "m1_" + b64(bytes(31)), False),
        ("33 bytes", "m1_" + b64(bytes(33)), False),
        ("non-ASCII", good[:-1] + "\u00e9", False),
    ]]
    return {"derive": derive, "short": shorts, "parse": parse}


# Nonces and times


def values():
    good = b64(bytes(range(240, 256)))
    nonces = [{"name": name, "text": text, "ok": ok} for name, text, ok in [
        ("sixteen bytes", good, True),
        ("all zero", "A" * 22, True),
        ("empty", "", False),
        ("15 bytes", b64(bytes(15)), False),
        ("17 bytes", b64(bytes(17)), False),
        ("padded", good + "==", False),
        ("standard alphabet", base64.b64encode(bytes(range(240, 256))).decode().rstrip("="), False),
        ("unused bits set", "A" * 21 + "B", False),
        ("space inside", good[:10] + " " + good[11:], False),
        ("line end after", good + "\n", False),
        ("hexadecimal", "00" * 16, False),
        ("non-ASCII", good[:-1] + "\u00e9", False),
    ]]
    times = [{"name": name, "json": text, "ok": ok} for name, text, ok in [
        ("zero", "0", True),
        ("now", "1795305600", True),
        ("largest", "9007199254740991", True),
        ("one too large", "9007199254740992", False),
        ("64 bits", "18446744073709551615", False),
        ("more than 64 bits", "18446744073709551616", False),
        ("negative", "-1", False),
        ("negative zero", "-0", False),
        ("fraction", "1.5", False),
        ("fraction of zero", "1.0", False),
        ("exponent", "1e9", False),
        ("text", '"1795305600"', False),
        ("ISO date", '"2026-11-22T00:00:00Z"', False),
        ("null", "null", False),
        ("true", "true", False),
        ("list", "[1]", False),
    ]]
    return {"nonces": nonces, "times": times}


# Ed25519, RFC 8032: just enough arithmetic for the hostile keys and signatures that no library will make

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * SQRT_M1 % P
    if x * x % P != square:
        return None
    return P - x if x % 2 != sign else x


def add(a, b):
    product = D * a[0] * b[0] * a[1] * b[1]
    return ((a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, P) % P,
            (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P) % P)


def multiply(count, point):
    total = (0, 1)
    while count:
        if count & 1:
            total = add(total, point)
        point, count = add(point, point), count >> 1
    return total


def encode_point(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def torsion():
    """The eight points of low order: L times a point leaves only its part in the small subgroup."""
    for y in range(2, 100):
        x = recover_x(y, 0)
        if x is not None:
            point = multiply(L, (x, y))
            if multiply(4, point) != (0, 1):
                return [multiply(n, point) for n in range(8)]
    raise AssertionError("no generator of the small subgroup")


# Keys


class Key:
    def __init__(self, seed):
        self.seed = seed
        self.private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self.private.public_key().public_bytes_raw()
        self.x = b64(self.public)
        self.kid = thumbprint(self.x)


def thumbprint(x):
    return b64(hashlib.sha256(compact({"crv": "Ed25519", "kty": "OKP", "x": x}).encode()).digest())


LEASE_KEY = Key(bytes(range(32)))
SECOND_KEY = Key(bytes(range(32, 64)))
ROOT_KEY = Key(bytes(range(64, 96)))
STRANGER = Key(bytes(range(96, 128)))
RFC_8037_SEED = unb64("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")


def low_order_encodings():
    """Every 32 bytes that decode to a point of low order, with the two values at and above the prime."""
    ys = sorted({point[1] for point in torsion()} | {P, P + 1})
    return [(y | sign << 255).to_bytes(32, "little") for y in ys for sign in (0, 1)]


def keys():
    rows = [{"name": name, "d": b64(key.seed), "x": key.x, "kid": key.kid, "result": "ok"} for name, key in [
        ("counting from 0", LEASE_KEY), ("counting from 32", SECOND_KEY), ("counting from 64", ROOT_KEY),
        ("RFC 8037, appendix A", Key(RFC_8037_SEED))]]
    x = LEASE_KEY.x
    for name, text in [
        ("empty", ""),
        ("31 bytes", b64(bytes(31))),
        ("33 bytes", b64(bytes(33))),
        ("padded", x + "="),
        ("standard alphabet", base64.b64encode(LEASE_KEY.public).decode().rstrip("=")),
        ("unused bits set", x[:-1] + chr(ord(x[-1]) + 1)),
        ("line end after", x + "\n"),
        ("PEM", LEASE_KEY.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()),
    ]:
        # A key whose standard form has no special character would be a good key in both alphabets.
        assert name != "standard alphabet" or "+" in text or "/" in text
        rows.append({"name": name, "x": text, "result": "malformed"})
    for encoding in low_order_encodings():
        rows.append({"name": f"low order {encoding.hex()}", "x": b64(encoding), "result": "low_order"})
    return {"rows": rows}


# Signed objects

SEAT = "6f2d7c1e-5b0a-4c39-9d57-2f6f8f6b9a10"
JTI = "0d9a4c57-8d0e-4f7e-8f0e-3a8c5b1d2e4f"
IAT = 1795305600
MID = machine_id("com.example.bridge", "linux", "0123456789abcdef0123456789abcdef")
TKH = token_hash(token("sit"))
NONCE = b64(bytes(range(16)))


def lease(**changes):
    claims = {"iss": "licenses.example.com", "aud": "com.example.bridge", "sub": SEAT, "jti": JTI, "iat": IAT,
              "exp": IAT + 7 * 86400, "ver": 1, "epoch": 7, "mid": MID, "tkh": TKH, "nonce": NONCE, "plan": "pro",
              "ent": {"cad": {}}, "lic": {"account": "Studio", "email": "ada@studio.example"}, "renew": 21600,
              "warn": 172800, "clk": {"tol": 93600, "act": "freeze"}, "ks": 3}
    return {**claims, **changes}


def verdict(**changes):
    claims = {"iss": "licenses.example.com", "aud": "com.example.bridge", "iat": IAT, "nonce": NONCE, "mid": MID,
              "tkh": TKH, "ver": 1, "code": "token_unknown", "act": "keep"}
    return {**claims, **changes, "ks": 3}


def full_verdict():
    return verdict(code="seat_in_use_elsewhere", act="drop", sub=SEAT, epoch=8, avail=IAT + 3600,
                   params={"date": "2026-11-20", "machine": "YBWE-SEZM", "time": "2026-11-22 01:00 UTC"})


def key_entry(key, **changes):
    return {"kid": key.kid, "kty": "OKP", "crv": "Ed25519", "x": key.x, "nbf": IAT - 86400,
            "exp": IAT + 90 * 86400, **changes}


def keyset(**changes):
    claims = {"iss": "licenses.example.com", "seq": 3, "iat": IAT, "keys": [key_entry(LEASE_KEY)],
              "revoked": [{"kid": SECOND_KEY.kid, "since": IAT - 3600}]}
    return {**claims, **changes}


def audit(**changes):
    claims = {"iss": "licenses.example.com", "iat": IAT, "rows": 1204, "head": hashlib.sha256(b"entry 1204").hexdigest()}
    return {**claims, **changes}


def without(claims, name):
    return {key: value for key, value in claims.items() if key != name}


def head(typ="lease", key=LEASE_KEY, **changes):
    return {"alg": "EdDSA", "typ": f"seat-{typ}+jwt", "kid": key.kid, **changes}


def to_bytes(part):
    if isinstance(part, bytes):
        return part
    return (part if isinstance(part, str) else compact(part)).encode()


def sign(header, claims, key=LEASE_KEY):
    signed = f"{b64(to_bytes(header))}.{b64(to_bytes(claims))}"
    return f"{signed}.{b64(key.private.sign(signed.encode()))}"


def parts(jws):
    signed, signature = jws.rsplit(".", 1)
    return signed, unb64(signature)


def with_s_not_reduced(jws):
    """The same signature with S + L, which a verifier that skips the check of RFC 8032, section 5.1.7, accepts."""
    signed, signature = parts(jws)
    s = int.from_bytes(signature[32:], "little") + L
    return f"{signed}.{b64(signature[:32] + s.to_bytes(32, 'little'))}"


def forged_for_low_order(public, signature):
    """A lease that RFC 8032's equation accepts although nobody holds a key: epochs are tried until it fits."""
    y = int.from_bytes(public, "little") & (2**255 - 1)
    point = (recover_x(y, public[31] >> 7), y)
    for number in range(1000):
        header = compact({"alg": "EdDSA", "typ": "seat-lease+jwt", "kid": thumbprint(b64(public))})
        signed = f"{b64(header.encode())}.{b64(compact(lease(epoch=number)).encode())}"
        digest = hashlib.sha512(signature[:32] + public + signed.encode()).digest()
        times = int.from_bytes(digest, "little") % L
        negative = (-point[0] % P, point[1])
        if encode_point(multiply(times, negative)) == signature[:32]:
            return f"{signed}.{b64(signature)}"
    raise AssertionError("no message fits")


def of_length(length):
    """A good lease of exactly so many bytes, by white space in the header and an unknown claim."""
    for spaces in range(4):
        header = compact(head()) + " " * spaces
        extra = (length - len(sign(header, lease(x="")))) * 3 // 4 - 3
        for more in range(6):
            jws = sign(header, lease(x="x" * (extra + more)))
            if len(jws) == length:
                return jws
    raise AssertionError(f"no object of {length} bytes")


def hs256(secret):
    signed = f"{b64(to_bytes(head(alg='HS256')))}.{b64(to_bytes(lease()))}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def accepted_objects(row):
    def ok(name, jws, claims, typ="lease", trusted=("lease",), ours=False):
        row(name, jws, "ok", typ, trusted, claims=claims, written_by="us" if ours else "other")

    second = SECOND_KEY
    ok("lease as we write it", sign(head(), lease()), lease(), ours=True)
    # Of the secret "A" * 54.
    named = lease(rnh=b64(hashlib.sha256(b"seatlock-renewal-hash-v1\0" + b"A" * 54).digest()[:16]))
    ok("lease that names its renewal secret", sign(head(), named), named, ours=True)
    ok("verdict as we write it", sign(head("verdict"), verdict()), verdict(), "verdict", ours=True)
    ok("verdict with everything", sign(head("verdict"), full_verdict()), full_verdict(), "verdict", ours=True)
    ok("key set as we write it", sign(head("keyset", ROOT_KEY), keyset(), ROOT_KEY), keyset(), "keyset",
       ("root",), ours=True)
    ok("key set without revoked", sign(head("keyset", ROOT_KEY), without(keyset(), "revoked"), ROOT_KEY),
       keyset(revoked=[]), "keyset", ("root",))
    ok("checkpoint as we write it", sign(head("audit"), audit()), audit(), "audit", ours=True)
    ok("checkpoint of entries that were removed", sign(head("audit"), audit(cut=True)), audit(cut=True), "audit", ours=True)
    ok("checkpoint that says that nothing was removed", sign(head("audit"), audit(cut=False)), audit(), "audit")
    ok("checkpoint of an empty trail", sign(head("audit"), audit(rows=0, head="0" * 64)), audit(rows=0, head="0" * 64),
       "audit", ours=True)
    for typ, claims, key, name in [("lease", lease(), LEASE_KEY, "lease"),
                                   ("verdict", full_verdict(), LEASE_KEY, "lease"),
                                   ("audit", audit(cut=True), LEASE_KEY, "lease"),
                                   ("keyset", keyset(), ROOT_KEY, "root")]:
        header = {"typ": f"seat-{typ}+jwt", "kid": key.kid}
        jws = jwt.encode(claims, key.private, algorithm="EdDSA", headers=header)
        ok(f"{typ} by PyJWT", jws, claims, typ, (name,))
    ok("alg Ed25519", sign(head(alg="Ed25519"), lease()), lease())
    ok("header in another order with white space",
       sign(json.dumps(dict(reversed(head().items())), indent=2), lease()), lease())
    ok("claims in another order with white space",
       sign(head(), json.dumps(dict(reversed(lease().items())), indent=2)), lease())
    escaped = compact(head()).replace("seat-lease", "seat\\u002dlease")
    ok("escaped characters in the header", sign(escaped, lease()), lease())
    ok("second of two keys", sign(head(key=second), lease(), second), lease(), trusted=("lease", "second"),
       ours=True)
    ok("unknown claim is ignored", sign(head(), lease(future={"a": [1, None]})), lease())
    ok("non-ASCII plan", sign(head(), lease(plan="Studio \u682a\U0001f9ca")), lease(plan="Studio \u682a\U0001f9ca"),
       ours=True)
    ok("non-ASCII plan, escaped", sign(head(), json.dumps(lease(plan="\u682a\U0001f9ca"))),
       lease(plan="\u682a\U0001f9ca"))
    longest = lease(iat=0, exp=MAX_TIME)
    ok("largest and smallest time", sign(head(), longest), longest, ours=True)
    ok("no entitlements, lock", sign(head(), lease(ent={}, clk={"tol": 0, "act": "lock"})),
       lease(ent={}, clk={"tol": 0, "act": "lock"}), ours=True)
    # Names in the order in which the crate writes them.
    limits = {"cad": {}, "export.max": {"value": 25, "until": IAT + 30 * 86400}, "least": {"value": -2**63},
              "most": {"value": 2**63 - 1}, "trial": {"until": MAX_TIME}}
    ok("entitlements with values and ends", sign(head(), lease(ent=limits)), lease(ent=limits), ours=True)
    dated = {"account": "", "email": "Ren\u00e9e", "ends": IAT + 90 * 86400, "updates_until": IAT + 30 * 86400,
             "terms": "2026-01"}
    ok("license with ends", sign(head(), lease(lic=dated)), lease(lic=dated), ours=True)
    own = {"b": [1, -1, True, None, {"n": ""}], "rack": "\u682a"}
    before_renew = lambda claims: {**{name: claims[name] for name in list(claims)[:14]}, "data": own,
                                   **{name: claims[name] for name in list(claims)[14:]}}
    ok("the vendor's own data", sign(head(), before_renew(lease())), lease(data=own), ours=True)
    ok("the vendor's own data, none of it", sign(head(), lease(data=None)), lease())
    ok("unknown members below are ignored",
       sign(head(), lease(ent={"cad": {"future": 1}}, lic={**lease()["lic"], "future": [{}]},
                          clk={"tol": 93600, "act": "freeze", "future": None})), lease())
    ok("optional members of entitlement and license null",
       sign(head(), lease(ent={"cad": {"value": None, "until": None}},
                          lic={**lease()["lic"], "ends": None, "updates_until": None, "terms": None})), lease())
    ok("optional members null", sign(head("verdict"), verdict(sub=None, epoch=None, avail=None)), verdict(),
       "verdict")
    ok("exactly 8192 bytes", of_length(8192), lease())


def refused_headers(row):
    def no(name, header, result="header"):
        row(name, sign(header, lease()), result)

    public_pem = LEASE_KEY.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    unsigned = f"{b64(to_bytes(head(alg='none')))}.{b64(to_bytes(lease()))}."
    row("alg none without signature", unsigned, "header")
    no("alg none with a good signature", head(alg="none"))
    no("alg None", head(alg="None"))
    row("HS256 with the public key as secret", hs256(LEASE_KEY.public), "header")
    row("HS256 with the public key's PEM as secret", hs256(public_pem), "header")
    row("HS256 with the public key's x as secret", hs256(LEASE_KEY.x.encode()), "header")
    for alg in ("ES256", "RS256", "Ed448", "eddsa", "ed25519", "EdDSA ", ""):
        no(f"alg {alg!r}", head(alg=alg))
    no("alg null", head(alg=None))
    no("alg list", head(alg=["EdDSA"]))
    no("alg object", head(alg={"EdDSA": None}))
    no("alg missing", without(head(), "alg"))
    no("typ missing", without(head(), "typ"))
    for typ in ("JWT", "", "seat-lease", "SEAT-LEASE+JWT", "application/seat-lease+jwt", "seat-verdict+jwt",
                "seat-keyset+jwt", "seat-audit+jwt", "seat-lease+jwt "):
        no(f"typ {typ!r} for a lease", head() | {"typ": typ})
    no("kid missing", without(head(), "kid"))
    no("kid null", head() | {"kid": None})
    no("kid number", head() | {"kid": 1})
    for kid in ("../../../etc/passwd", "/dev/null", "https://evil.example/key", "' OR 1=1 --", "", STRANGER.kid,
                LEASE_KEY.kid + " ", LEASE_KEY.kid.lower()):
        no(f"kid {kid!r}", head() | {"kid": kid}, "unknown_key")
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": STRANGER.x}
    row("embedded jwk of the signer", sign(head(key=STRANGER) | {"jwk": jwk}, lease(), STRANGER), "header")
    row("embedded jwk under a trusted kid", sign(head() | {"jwk": jwk}, lease(), STRANGER), "header")
    for name, value in [("jwk", jwk), ("jku", "https://evil.example/jwks"), ("x5u", "https://evil.example/x5u"),
                        ("x5c", ["MIIB"]), ("x5t", "AAAA"), ("crit", ["b64"]), ("crit", ["exp"]), ("crit", []),
                        ("b64", False), ("b64", True), ("zip", "DEF"), ("cty", "JWT"), ("exp", IAT), ("x", "")]:
        no(f"header member {name} {compact(value)[:24]}", head() | {name: value})
    text = compact(head())
    no("alg twice", text.replace("{", '{"alg":"none",', 1))
    no("alg twice, the second none", text.replace("}", ',"alg":"none"}'))
    no("kid twice", text.replace("{", '{"kid":"x",', 1))
    no("typ twice with an escape", text.replace("{", '{"t\\u0079p":"JWT",', 1))
    no("trailing data after the header", text + "{}")
    no("trailing comma in the header", text.replace("}", ",}"))
    no("comment in the header", text.replace("{", "{/**/", 1))
    no("byte order mark before the header", "\ufeff" + text)
    no("NUL after the header", text + "\0")
    no("header is a list of the values", list(head().values()))
    no("header is a string", compact(text))
    no("header is null", "null")
    no("header is empty", "")
    no("header is not UTF-8", text.encode().replace(b"EdDSA", b"EdDS\xff"))
    no("header is UTF-16", text.encode("utf-16"))


def refused_forms(row):
    # A signature whose standard form differs from the URL-safe one.
    candidates = (sign(head(), lease(epoch=n)) for n in range(7, 99))
    good = next(jws for jws in candidates if set("-_") & set(jws.rsplit(".", 1)[1]))
    header, claims, signature = good.split(".")
    signed, raw = parts(good)
    row("signed by a stranger under a trusted kid", sign(head(), lease(), STRANGER), "signature")
    row("signed by the other trusted key", sign(head(), lease(), SECOND_KEY), "signature",
        trusted=("lease", "second"))
    row("S not reduced", with_s_not_reduced(good), "signature")
    row("claims changed", f"{header}.{b64(to_bytes(lease(epoch=100)))}.{signature}", "signature")
    row("signature of another lease", f"{signed}.{sign(head(), lease(epoch=100)).rsplit('.', 1)[1]}", "signature")
    row("signature over the decoded parts",
        f"{signed}.{b64(LEASE_KEY.private.sign(b'.'.join(unb64(part) for part in (header, claims))))}", "signature")
    row("signature over the claims alone", f"{signed}.{b64(LEASE_KEY.private.sign(claims.encode()))}", "signature")
    for name, value in [("empty", b""), ("all zero", bytes(64)), ("63 bytes", raw[:63]), ("65 bytes", raw + b"\0"),
                        ("128 bytes", raw * 2), ("first bit changed", bytes([raw[0] ^ 1]) + raw[1:]),
                        ("last bit changed", raw[:63] + bytes([raw[63] ^ 0x80])),
                        ("S and R swapped", raw[32:] + raw[:32]), ("S zero", raw[:32] + bytes(32)),
                        ("S equal to the order", raw[:32] + L.to_bytes(32, "little")),
                        ("hexadecimal", raw.hex().encode())]:
        row(f"signature {name}", f"{signed}.{b64(value)}", "signature")
    last = signature[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for name, text in [
        ("empty text", ""),
        ("one part", header),
        ("two parts", signed),
        ("four parts", good + ".AAAA"),
        ("five parts, as JWE", f"{good}.AAAA.AAAA"),
        ("JSON serialization", compact({"protected": header, "payload": claims, "signature": signature})),
        ("signature padded", good + "=="),
        ("header padded", f"{header}=.{claims}.{signature}"),
        ("signature with unused bits set", good[:-1] + alphabet[alphabet.index(last) + 1]),
        ("standard alphabet", f"{signed}.{base64.b64encode(raw).decode().rstrip('=')}"),
        ("line end after", good + "\n"),
        ("space before", " " + good),
        ("line end inside", good[:100] + "\n" + good[100:]),
        ("NUL after", good + "\0"),
        ("byte order mark before", "\ufeff" + good),
        ("non-ASCII inside", good[:-1] + "\u00e9"),
        ("quoted", f'"{good}"'),
        ("as a header", f"Bearer {good}"),
    ]:
        row(name, text, "not_compact")
    row("only dots", "..", "header")
    row("8193 bytes", of_length(8193), "too_long")
    row("64 KiB of A", "A" * 65536, "too_long")
    root = ("root",)
    row("lease under the key set's typ", sign(head("keyset", ROOT_KEY), lease(), ROOT_KEY), "claims", "keyset", root)
    row("key set given as a lease", sign(head("keyset"), keyset()), "header")
    row("verdict given as a lease", sign(head("verdict"), verdict()), "header")
    row("lease given as a verdict", sign(head(), lease()), "header", "verdict")
    row("lease given as a key set", sign(head(), lease()), "header", "keyset")
    row("checkpoint given as a verdict", sign(head("audit"), audit()), "header", "verdict")
    row("lease given as a checkpoint", sign(head(), lease()), "header", "audit")
    row("lease under the checkpoint's typ", sign(head("audit"), lease()), "claims", "audit")
    row("checkpoint signed by a stranger under a trusted kid", sign(head("audit"), audit(), STRANGER), "signature", "audit")
    for name, y_and_sign, forged in [("zero key, all-zero signature", bytes(32), bytes(64)),
                                     ("identity key, signature of the identity", (1).to_bytes(32, "little"),
                                      (1).to_bytes(32, "little") + bytes(32))]:
        row(name, forged_for_low_order(y_and_sign, forged), "key", trusted=(f"low order {y_and_sign[0]}",))


def refused_claims(row):
    def no(name, claims, typ="lease"):
        key, trusted = (ROOT_KEY, ("root",)) if typ == "keyset" else (LEASE_KEY, ("lease",))
        row(name, sign(head(typ, key), claims, key), "claims", typ, trusted)

    for typ, claims, optional in [("lease", lease(), ()), ("verdict", verdict(), ()),
                                  ("keyset", keyset(), ("revoked",)), ("audit", audit(cut=True), ("cut",))]:
        for name in claims:
            if name not in optional:
                no(f"{typ} without {name}", without(claims, name), typ)
            if claims[name] is not True:
                no(f"{typ} with {name} true", {**claims, name: True}, typ)
    text = compact(lease())
    for name in ("iat", "exp"):
        for label, value in [("-1", "-1"), ("2^53", str(2**53)), ("2^63", str(2**63)), ("2^64", str(2**64)),
                             ("1.5", "1.5"), ("1.0", "1.0"), ("1e9", "1e9"), ("text", '"1795305600"'),
                             ("an ISO date", '"2026-11-22T00:00:00Z"'), ("null", "null"), ("NaN", "NaN"), ("leading zero", "01")]:
            no(f"lease {name} {label}", text.replace(f'"{name}":{lease()[name]}', f'"{name}":{value}'))
    no("verdict iat 2^53", verdict(iat=2**53), "verdict")
    no("verdict avail 2^53", verdict(avail=2**53), "verdict")
    no("key set iat -1", keyset(iat=-1), "keyset")
    no("key nbf -1", keyset(keys=[key_entry(LEASE_KEY, nbf=-1)]), "keyset")
    no("key exp 2^53", keyset(keys=[key_entry(LEASE_KEY, exp=2**53)]), "keyset")
    no("revoked since 2^53", keyset(revoked=[{"kid": "x", "since": 2**53}]), "keyset")
    no("revoked a list of its values", keyset(revoked=[["x", IAT]]), "keyset")
    no("key a list of its values", keyset(keys=[list(key_entry(LEASE_KEY).values())]), "keyset")
    no("key kty an object", keyset(keys=[key_entry(LEASE_KEY, kty={"OKP": None})]), "keyset")
    for name, value in [("epoch", -1), ("epoch", 2**64), ("epoch", "7"), ("epoch", 7.0), ("renew", -1), ("warn", -1),
                        ("ks", -1), ("ver", "1"), ("ver", -1), ("ver", 2**32), ("ent", "cad"), ("ent", ["cad"]),
                        ("ent", {"cad": True}), ("ent", {"cad": None}), ("ent", {"cad": {"value": "25"}}),
                        ("ent", {"cad": {"value": 2.5}}), ("ent", {"cad": {"value": 2**63}}),
                        ("ent", {"cad": {"value": -2**63 - 1}}), ("ent", {"cad": {"until": -1}}),
                        ("ent", {"cad": {"until": "2027-01-01"}}), ("lic", "Studio"), ("lic", {"account": "Studio"}),
                        ("lic", {"email": ""}), ("lic", {"account": 1, "email": ""}),
                        ("lic", {"account": "", "email": "", "ends": -1}),
                        ("lic", {"account": "", "email": "", "updates_until": 2**53}), ("data", []), ("data", "{}"),
                        ("data", 1), ("plan", None), ("aud", ["com.example.bridge"]), ("iss", 1),
                        ("sub", "seat"), ("sub", ""), ("jti", "1"), ("mid", ""), ("mid", MID[:-1]),
                        ("mid", "m2" + MID[2:]), ("tkh", b64(bytes(15))), ("tkh", b64(bytes(17))), ("tkh", TKH + "=="),
                        ("nonce", ""), ("nonce", NONCE + "=="), ("nonce", b64(bytes(17))),
                        ("clk", {"tol": 1}), ("clk", {"act": "freeze"}), ("clk", {"tol": -1, "act": "freeze"}),
                        ("lic", {"account": "", "email": "", "terms": 1}), ("lic", ["Studio", "ada@studio.example"]),
                        ("ent", {"cad": []}), ("ent", {"cad": [25, IAT]}), ("clk", [1, "freeze"]),
                        ("clk", {"tol": 1, "act": {"freeze": None}}), ("clk", {"tol": 1, "act": "explode"}), ("clk", {"tol": 1, "act": "Freeze"})]:
        no(f"lease {name} {compact(value)}", lease(**{name: value}))
    for name, value in [("code", "made_up"), ("code", 13), ("code", "TOKEN_UNKNOWN"), ("act", "destroy"),
                        ("act", "DROP"), ("act", ""), ("act", {"drop": None}), ("sub", "x"), ("epoch", -1), ("params", {"n": 1}),
                        ("params", ["n"])]:
        no(f"verdict {name} {compact(value)}", verdict(**{name: value}), "verdict")
    for name, value in [("kty", "EC"), ("crv", "X25519"), ("crv", "P-256"), ("x", LEASE_KEY.x + "="), ("x", ""),
                        ("x", b64(bytes(32))), ("x", b64((1).to_bytes(32, "little")))]:
        no(f"key {name} {value}", keyset(keys=[key_entry(LEASE_KEY, **{name: value})]), "keyset")
    for name, value in [("iat", -1), ("rows", -1), ("rows", 2**64), ("rows", "1204"), ("head", 0),
                        ("cut", 1), ("cut", "true"), ("cut", None)]:
        no(f"checkpoint {name} {compact(value)}", audit(**{name: value}), "audit")
    no("cut twice", compact(audit(cut=True)).replace("{", '{"cut":false,', 1), "audit")
    no("key without x", keyset(keys=[without(key_entry(LEASE_KEY), "x")]), "keyset")
    no("key set seq -1", keyset(seq=-1), "keyset")
    no("exp twice", text.replace("{", '{"exp":1,', 1))
    no("exp twice, equal", text.replace("{", f'{{"exp":{lease()["exp"]},', 1))
    no("exp twice with an escape", text.replace("{", '{"\\u0065xp":1,', 1))
    no("unknown claim twice", text.replace("{", '{"x":1,"x":1,', 1))
    no("entitlement twice", text.replace('"cad":{}', '"cad":{},"cad":{}'))
    no("member twice in the vendor's data", text.replace("{", '{"data":{"a":{"b":1,"b":2}},', 1))
    no("member twice below", text.replace('"clk":{', '"clk":{"tol":0,'))
    no("member twice in a list below", text.replace("{", '{"x":[{"a":1,"a":1}],', 1))
    no("code twice", compact(verdict()).replace("{", '{"code":"token_revoked",', 1), "verdict")
    no("trailing object", text + "{}")
    no("trailing bracket", text + "]")
    no("trailing NUL", text + "\0")
    no("trailing comma", text[:-1] + ",}")
    no("cut short", text[:-1])
    no("byte order mark before the claims", "\ufeff" + text)
    no("claims are a list of the values", list(lease().values()))
    no("claims are a string", compact(text))
    no("claims are null", "null")
    no("claims are empty", "")
    no("claims are not UTF-8", text.encode().replace(b'"pro"', b'"\xff"'))
    no("half a surrogate pair", text.replace('"pro"', '"\\ud83e"'))
    no("control character in a string", text.replace('"pro"', '"\n"'))


def signed_objects():
    rows = []

    def row(name, jws, result, typ="lease", trusted=("lease",), **more):
        rows.append({"name": name, "typ": typ, "trusted": list(trusted), "jws": jws, "result": result, **more})

    accepted_objects(row)
    refused_headers(row)
    refused_forms(row)
    refused_claims(row)
    named = {name: {"kid": key.kid, "x": key.x, "d": b64(key.seed)}
             for name, key in [("lease", LEASE_KEY), ("second", SECOND_KEY), ("root", ROOT_KEY)]}
    for first in (0, 1):
        x = b64(bytes([first]) + bytes(31))
        named[f"low order {first}"] = {"kid": thumbprint(x), "x": x}
    return {"keys": named, "rows": rows}


# Requests and answers


def bodies():
    jws = sign(head(), lease())
    verdict_jws = sign(head("verdict"), full_verdict())
    keyset_jws = sign(head("keyset", ROOT_KEY), keyset(), ROOT_KEY)
    install = "3b0f7d52-9f1f-4c9e-8a75-0f8d5c1f6b21"
    request = {"nonce": NONCE, "product": "com.example.bridge", "machine": {"id": MID, "source": "os"},
               "install_id": install, "intent": "launch", "have": {"jti": JTI, "epoch": 7, "lease": jws},
               "renewal": "c2VjcmV0",
               "ks": 3, "client": {"lib": "0.1.0", "host": "blender", "host_version": "5.0", "os": "linux",
                                   "arch": "x86_64"},
               "plugin": {"version": "2.4.1", "released": IAT - 86400},
               "offline": {"last_used_at": IAT - 7200, "launches": 12},
               "clock": {"wall": IAT, "anomaly": "rollback"}, "terms": "2026-01"}
    least = {"nonce": NONCE, "product": "p", "machine": {"id": MID, "source": "supplied"}, "install_id": install,
             "client": {"lib": "0.1.0"}, "clock": {"wall": IAT}}
    least_read = {**least, "intent": "renew", "ks": 0,
                  "client": {"lib": "0.1.0", "host": "", "host_version": "", "os": "", "arch": ""}}
    seat = {"id": SEAT, "lock_status": "in_use", "machine_short": short_form(MID), "last_used_at": IAT}
    answer = {"lease": jws, "renewal": "bmV4dA", "seat": seat, "keyset": keyset_jws}
    problem = {"type": "https://licenses.example.com/problems/seat_in_use_elsewhere", "title": "seat in use elsewhere",
               "status": 409, "detail": "In use on YBWE-SEZM since 2026-11-20.",
               "instance": f"urn:uuid:{install}", "code": "seat_in_use_elsewhere",
               "params": {"machine": "YBWE-SEZM", "date": "2026-11-20"}, "help": "Release the seat.",
               "verdict": verdict_jws, "keyset": keyset_jws}
    rows = []

    def row(kind, name, text, reads_as=None):
        rows.append({"kind": kind, "name": name, "json": text if isinstance(text, str) else compact(text),
                     "reads_as": reads_as})

    row("request", "request with everything", request, request)
    row("request", "request with the least", least, least_read)
    row("request", "request with null for nothing", {**least, "have": None, "renewal": None, "offline": None,
                                                     "plugin": None, "terms": None}, least_read)
    row("request", "request of a plug-in that says nothing of itself",
        {**least, "plugin": {"version": None, "released": None}}, {**least_read, "plugin": {}})
    row("request", "request of a machine whose lease was taken away", {**least, "have": {"jti": None, "epoch": 7}},
        {**least_read, "have": {"epoch": 7}})
    row("request", "request of a machine that shows no lease", {**least, "have": {"jti": JTI, "epoch": 7, "lease": None}},
        {**least_read, "have": {"jti": JTI, "epoch": 7}})
    # It is no secret of the server, and no reason to refuse the rest.
    row("request", "request with an odd renewal secret", {**least, "renewal": 7}, {**least_read, "renewal": ""})
    row("request", "request with an unknown member", {**least, "future": [1]}, least_read)
    for name in ("nonce", "product", "machine", "install_id", "client", "clock"):
        row("request", f"request without {name}", without(least, name))
    for name, value in [("nonce", "AA"), ("intent", "LAUNCH"), ("intent", "bind"), ("install_id", "x"), ("ks", -1),
                        ("ks", "3"), ("machine", {"id": MID, "source": "guess"}), ("machine", {"id": "m1_x", "source": "os"}),
                        ("clock", {"wall": "2026-11-22T09:00:00Z"}), ("clock", {"wall": -1}),
                        ("offline", {"last_used_at": "2026-11-20T08:00:00Z", "launches": 12}),
                        ("client", {"host": "blender"}), ("plugin", "2.4.1"), ("plugin", {"version": 2}),
                        ("plugin", {"released": "2026-11-20"}), ("plugin", {"released": -1}), ("have", {"jti": JTI}), ("have", {"epoch": 7, "lease": 7}),
                        ("have", {"epoch": 7, "lease": [jws]})]:
        row("request", f"request with {name} {compact(value)}", {**least, name: value})
    row("request", "request naming a member twice", compact(least).replace("{", '{"product":"q",', 1))
    row("lease_answer", "lease answer with a key set", answer, answer)
    row("lease_answer", "lease answer without", without(answer, "keyset"), without(answer, "keyset"))
    row("lease_answer", "lease answer without a lease", without(answer, "lease"))
    row("verdict_answer", "verdict answer with a key set", {"verdict": verdict_jws, "keyset": keyset_jws},
        {"verdict": verdict_jws, "keyset": keyset_jws})
    row("verdict_answer", "verdict answer without", {"verdict": verdict_jws}, {"verdict": verdict_jws})
    row("verdict_answer", "lease answer given as verdict answer", answer)
    row("problem", "problem with everything", problem, problem)
    bare = {name: problem[name] for name in ("type", "title", "status", "detail", "code")}
    row("problem", "problem with the least", bare, bare)
    row("problem", "problem with an unknown code", {**bare, "code": "made_up"})
    row("problem", "problem without code", without(bare, "code"))
    place = {"issuer": "licenses.example.com", "endpoints": {"activate": "/v1/seat/activate"},
             "documentation": "https://licenses.example.com/docs", "support": "mailto:support@example.com"}
    row("discovery", "discovery with everything", place, place)
    row("discovery", "discovery with the least", without(without(place, "documentation"), "support"),
        without(without(place, "documentation"), "support"))
    row("discovery", "discovery without issuer", without(place, "issuer"))
    return {"rows": rows}


FILES = {"tokens.json": tokens, "hashes.json": hashes, "machines.json": machines, "values.json": values,
         "keys.json": keys, "jws.json": signed_objects, "bodies.json": bodies}


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for name, make in FILES.items():
        text = json.dumps(make(), indent=1, ensure_ascii=True) + "\n"
        (folder / name).write_text(text, encoding="ascii", newline="\n")


if __name__ == "__main__":
    main()
