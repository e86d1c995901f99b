"""Compares the protocol crate with PyJWT and `cryptography`, in both directions.

    pip install -r protocol/tests/requirements.txt
    python3 protocol/tests/cross_check.py

1. The committed vectors are what `vectors/generate.py` writes, and a second implementation, below, agrees with each row.
2. What PyJWT signs, the crate accepts; what the crate signs, PyJWT verifies; both through `examples/jws.rs`.
"""

import sys

try:
    import jwt
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
except ModuleNotFoundError as missing:
    package = {"jwt": "PyJWT"}.get(missing.name.split(".")[0], missing.name.split(".")[0])
    sys.exit(f"missing package {package}: pip install -r protocol/tests/requirements.txt")

import base64
import binascii
import hashlib
import hmac
import json
import pathlib
import random
import re
import subprocess
import tempfile
import unittest
import uuid
import zlib

PROTOCOL = pathlib.Path(__file__).resolve().parent.parent
VECTORS = PROTOCOL / "vectors"
TYPES = ("lease", "verdict", "keyset", "audit")
COUNTS = {}


def count(what, number=1):
    COUNTS[what] = COUNTS.get(what, 0) + number


def vectors(name):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


# A second implementation of the rules of docs/protocol.md, written from that page


class Refused(Exception):
    """Why, in the words of the vectors."""


def decode(text, reason):
    """Unpadded base64url with the unused bits zero: exactly one text for each value."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise Refused(reason)
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
    except binascii.Error:
        raise Refused(reason) from None
    if encode(data) != text:
        raise Refused(reason)
    return data


def encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


# Default_Ignorable_Code_Point of Unicode, which Python's own tables leave out.
INVISIBLE = [(0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
             (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
             (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)]
MARKS = [(0x2018, 0x201F), (0x2032, 0x203A), (0x301D, 0x301F), (0x2329, 0x232A), (0x3008, 0x3011), (0x3014, 0x301B)]
NOISE = set("\"'`\u00b4\u00ab\u00bb\uff02\uff07<>()[]{}\uff08\uff09\uff1c\uff1e*~|\\=")
NOISE |= set("\u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000\t\n\v\f\r ") | {chr(c) for c in range(0x2000, 0x200B)}
NOISE |= {chr(c) for start, end in INVISIBLE + MARKS for c in range(start, end + 1)}
BETWEEN = f"[{re.escape(''.join(sorted(NOISE)))}]*"
PASTED = re.compile("(?<![0-9A-Za-z])(?=(" + BETWEEN.join(["[Ss]", "(?:[Ii]", "[Tt]|[Aa]", "[Tt]|[Oo]", "[Cc])", "_"]
                    + ["[0-9A-Za-z]"] * 36) + ")(?![0-9A-Za-z]))")


def read_token(pasted, wanted):
    found = set()
    for text in PASTED.findall(pasted):
        text = "".join(c for c in text if c not in NOISE)
        text = text[:4].lower() + text[4:]
        check = 0
        for c in text[34:]:
            check = check * 62 + "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".index(c)
        if check == zlib.crc32(text[:34].encode()):
            found.add(text)
    fitting = [text for text in found if text[:3] == wanted]
    if len(fitting) == 1:
        return fitting[0]
    if fitting or not found:
        raise Refused("malformed")
    raise Refused(f"wrong_kind:{sorted(found)[0][:3]}")


def pairs_once(pairs):
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError("member twice")
    for text in names + [value for _, value in pairs if isinstance(value, str)]:
        text.encode()  # half a surrogate pair has no UTF-8 form
    return dict(pairs)


def read_object(data, reason):
    def refuse(_):
        raise ValueError("not JSON")

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=pairs_once, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise Refused(reason) from None
    if not isinstance(value, dict):
        raise Refused(reason)
    return value


def whole(bits):
    return lambda value: type(value) is int and 0 <= value < 2**bits


def text(value):
    return isinstance(value, str)


def raw(length):
    def check(value):
        try:
            return text(value) and len(decode(value, "")) == length
        except Refused:
            return False
    return check


def one_of(*words):
    return lambda value: text(value) and value in words


def flag(value):
    return type(value) is bool


def listed(check):
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


def machine(value):
    return text(value) and value.startswith("m1_") and raw(32)(value[3:])


def identifier(value):
    return text(value) and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) is not None


def maybe(check):
    return lambda value: value is None or check(value)


def shape(required, optional=None):
    """Required members have to be there; unknown ones are allowed."""
    def check(value):
        return (isinstance(value, dict) and all(name in value and rule(value[name]) for name, rule in required.items())
                and all(rule(value[name]) for name, rule in (optional or {}).items() if name in value))
    return check


def words(value):
    return isinstance(value, dict) and all(text(word) for word in value.values())


def signed(value):
    return type(value) is int and -2**63 <= value < 2**63


def by_name(check):
    return lambda value: isinstance(value, dict) and all(check(item) for item in value.values())


def public_key(value):
    return raw(32)(value) and not low_order(decode(value, ""))


TIME = whole(53)
COUNT = whole(64)
CODES = re.findall(r"^\| \d+ \| `(\w+)` \|", (PROTOCOL.parent / "docs/protocol.md").read_text("utf-8"), re.MULTILINE)
KEY = shape({"kid": text, "kty": one_of("OKP"), "crv": one_of("Ed25519"), "x": public_key, "nbf": TIME, "exp": TIME})
CLAIMS = {
    "lease": shape({"iss": text, "aud": text, "sub": identifier, "jti": identifier, "iat": TIME, "exp": TIME,
                    "ver": whole(32), "epoch": COUNT, "mid": machine, "tkh": raw(16), "nonce": raw(16), "plan": text,
                    "ent": by_name(shape({}, {"value": maybe(signed), "until": maybe(TIME)})),
                    "lic": shape({"account": text, "email": text}, 
                                 {"ends": maybe(TIME), "updates_until": maybe(TIME), "terms": maybe(text)}),
                    "renew": COUNT, "warn": COUNT, "clk": shape({"tol": COUNT, "act": one_of("freeze", "lock")}),
                    "ks": COUNT}, {"data": maybe(shape({}))}),
    "verdict": shape({"iss": text, "aud": text, "iat": TIME, "nonce": raw(16), "mid": machine, "tkh": raw(16),
                      "ver": whole(32), "code": one_of(*CODES), "act": one_of("drop", "keep"), "ks": COUNT},
                     {"sub": maybe(identifier), "epoch": maybe(COUNT), "avail": maybe(TIME), "params": words}),
    "keyset": shape({"iss": text, "seq": COUNT, "iat": TIME, "keys": listed(KEY)},
                    {"revoked": listed(shape({"kid": text, "since": TIME}))}),
    "audit": shape({"iss": text, "iat": TIME, "rows": COUNT, "head": text}, {"cut": flag}),
}



def known(claims):
    """Without what is ignored: unknown members of the parts of a lease, and null for nothing."""
    def part(value, *names):
        return {name: value[name] for name in names if value.get(name) is not None}

    if "ent" not in claims:
        return claims
    return {**claims, "ent": {name: part(value, "value", "until") for name, value in claims["ent"].items()},
            "lic": part(claims["lic"], "account", "email", "ends", "updates_until", "terms"),
            "clk": part(claims["clk"], "tol", "act")}


P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493


def low_order(encoded):
    """Whether eight times the point is the neutral one. With y alone: doubling needs no sign of x."""
    y = int.from_bytes(encoded, "little") % 2**255 % P
    d = -121665 * pow(121666, -1, P) % P
    for _ in range(3):
        xx = (y * y - 1) * pow(d * y * y + 1, -1, P) % P  # x squared, from the curve's equation
        y = (y * y + xx) * pow(2 + xx - y * y, -1, P) % P
    return y == 1


def read_jws(jws, typ, trusted):
    """Claims of a good object; `trusted` maps the kid of each pinned key to its x."""
    if any(low_order(decode(x, "key")) for x in trusted.values()):
        raise Refused("key")
    if len(jws.encode()) > 8192:
        raise Refused("too_long")
    split = jws.split(".")
    if len(split) != 3:
        raise Refused("not_compact")
    header, claims, signature = (decode(part, "not_compact") for part in split)
    header = read_object(header, "header")
    if (set(header) != {"alg", "typ", "kid"} or header["alg"] not in ("EdDSA", "Ed25519")
            or header["typ"] != f"seat-{typ}+jwt" or not text(header["kid"])):
        raise Refused("header")
    if header["kid"] not in trusted:
        raise Refused("unknown_key")
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= L:
        raise Refused("signature")
    try:
        key = Ed25519PublicKey.from_public_bytes(decode(trusted[header["kid"]], "key"))
        key.verify(signature, jws.rpartition(".")[0].encode())
    except InvalidSignature:
        raise Refused("signature") from None
    claims = read_object(claims, "claims")
    if not CLAIMS[typ](claims):
        raise Refused("claims")
    return claims


class Vectors(unittest.TestCase):
    def each(self, file, rows, check):
        for row in rows:
            with self.subTest(file=file, row=row["name"]):
                check(row)
                count(f"rows of {file}")

    def outcome(self, work, *arguments):
        try:
            return "ok", work(*arguments)
        except Refused as reason:
            return str(reason), None

    def test_generate_writes_the_committed_files(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-B", VECTORS / "generate.py", folder], check=True)
            written = {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}
        committed = {path.name: path.read_bytes() for path in VECTORS.glob("*.json")}
        self.assertEqual(sorted(written), sorted(committed))
        for name in committed:
            self.assertTrue(written[name] == committed[name], f"{name} is not what generate.py writes")
            count("files reproduced")

    def test_tokens(self):
        def check(row):
            result, token = self.outcome(read_token, row["pasted"], row["wanted"])
            self.assertEqual(result, row["result"])
            self.assertEqual(token, row.get("token"))
        self.each("tokens.json", vectors("tokens.json")["rows"], check)

    def test_hashes(self):
        def check(row):
            message = b"seatlock-token-v1\0" + row["token"].encode()
            stored = hmac.digest(bytes.fromhex(row["pepper_hex"]), message, "sha256")
            self.assertEqual(stored.hex(), row["stored_hash_hex"])
            self.assertEqual(encode(hashlib.sha256(message).digest()[:16]), row["tkh"])
        self.each("hashes.json", vectors("hashes.json")["rows"], check)

    def test_machines(self):
        def short(mid):
            bits = "".join(f"{byte:08b}" for byte in decode(mid[3:], "")[:5])
            digits = ["0123456789ABCDEFGHJKMNPQRSTVWXYZ"[int(bits[at:at + 5], 2)] for at in range(0, 40, 5)]
            return "".join(digits[:4] + ["-"] + digits[4:])

        def derive(row):
            key = b"seatlock-machine-v1\0" + row["product"].encode()
            mac = hmac.digest(key, f"{row['os_tag']}\0{row['os_id']}".encode(), "sha256")
            self.assertEqual("m1_" + encode(mac), row["id"])
            self.assertEqual(short(row["id"]), row["short"])

        document = vectors("machines.json")
        self.each("machines.json", document["derive"], derive)
        self.each("machines.json", document["short"], lambda row: self.assertEqual(short(row["id"]), row["short"]))
        self.each("machines.json", document["parse"], lambda row: self.assertEqual(machine(row["text"]), row["ok"]))

    def test_values(self):
        def time(row):
            # Python reads -0 as the integer 0; as text it is no whole number of seconds.
            good = row["json"] != "-0" and TIME(json.loads(row["json"]))
            self.assertEqual(good, row["ok"])
        document = vectors("values.json")
        self.each("values.json", document["nonces"], lambda row: self.assertEqual(raw(16)(row["text"]), row["ok"]))
        self.each("values.json", document["times"], time)

    def test_keys(self):
        def check(row):
            if not raw(32)(row["x"]):
                return self.assertEqual("malformed", row["result"])
            if low_order(decode(row["x"], "")):
                return self.assertEqual("low_order", row["result"])
            self.assertEqual("ok", row["result"])
            seed = Ed25519PrivateKey.from_private_bytes(decode(row["d"], ""))
            self.assertEqual(encode(seed.public_key().public_bytes_raw()), row["x"])
            canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{row["x"]}"}}'
            self.assertEqual(encode(hashlib.sha256(canonical.encode()).digest()), row["kid"])
        self.each("keys.json", vectors("keys.json")["rows"], check)

    def test_signed_objects(self):
        document = vectors("jws.json")

        def check(row):
            trusted = {document["keys"][name]["kid"]: document["keys"][name]["x"] for name in row["trusted"]}
            result, claims = self.outcome(read_jws, row["jws"], row["typ"], trusted)
            self.assertEqual(result, row["result"])
            if result == "ok":
                claims = known(claims)
                for name, value in row["claims"].items():
                    self.assertEqual(claims.get(name, [] if name == "revoked" else None), value)
                self.verified_by_pyjwt(row, trusted)
            if result == "key":
                # The guard is not idle: a library that takes any key believes this object.
                key = Ed25519PublicKey.from_public_bytes(decode(next(iter(trusted.values())), ""))
                signed, _, signature = row["jws"].rpartition(".")
                key.verify(decode(signature, ""), signed.encode())
        self.each("jws.json", document["rows"], check)

    def verified_by_pyjwt(self, row, trusted):
        header = jwt.get_unverified_header(row["jws"])
        if header["alg"] == "EdDSA":  # PyJWT does not know the name of RFC 9864
            key = Ed25519PublicKey.from_public_bytes(decode(trusted[header["kid"]], ""))
            pyjwt_verify(row["jws"], key)
            count("objects of the vectors that PyJWT verifies")

    def test_bodies(self):
        # The bodies are plain JSON; what is compared here is that nothing signed in them is stale.
        document = vectors("jws.json")
        signed = {(row["typ"], row["jws"]): row["result"] for row in document["rows"]}

        def check(row):
            if row["reads_as"] is None:
                return
            body = json.loads(row["json"])
            for name in ("lease", "verdict", "keyset"):
                for place in (body, body.get("have") or {}):
                    if place.get(name) is not None:
                        self.assertEqual(signed[name, place[name]], "ok")
                        count("signed objects in bodies")
            for name, value in body.items():
                if isinstance(value, dict):  # a member that is null is absent
                    value = {inner: text for inner, text in value.items() if text is not None}
                if name == "renewal" and not isinstance(value, str | None):
                    value = ""  # the server's are texts: anything else is somebody else's secret
                if value is not None and name not in ("client", "future"):
                    self.assertEqual(row["reads_as"][name], value)
        self.each("bodies.json", vectors("bodies.json")["rows"], check)


def pyjwt_verify(jws, key):
    """Signature only: dates and names are the client's rules, and optional claims may be null."""
    off = {f"verify_{name}": False for name in ("exp", "iat", "nbf", "aud", "sub", "jti")}
    return jwt.decode(jws, key, algorithms=["EdDSA"], options=off)


def ours(verb, typ, tasks):
    """The crate's answers to `tasks`, one JSON document in each line."""
    lines = "".join(json.dumps(task) + "\n" for task in tasks)
    command = ["cargo", "run", "-q", "--example", "jws", "--", verb, typ]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, encoding="utf-8", cwd=PROTOCOL)
    answers = [json.loads(line) for line in done.stdout.split("\n")[:-1]]
    if len(answers) != len(tasks):
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return answers


class BothDirections(unittest.TestCase):
    ROUNDS = 50

    def setUp(self):
        self.random = random.Random(2026)  # fixed, so that a failure can be repeated

    def key(self):
        seed = self.random.randbytes(32)
        private = Ed25519PrivateKey.from_private_bytes(seed)
        x = encode(private.public_key().public_bytes_raw())
        kid = encode(hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest())
        return seed, private, x, kid

    def claims(self, typ):
        pick = self.random
        time, number = pick.randrange(2**53), pick.randrange(2**64)
        words = pick.choice(["pro", "", "Studio \u682a\U0001f9ca", "a\"b\\c\n\u2028", "x" * 300])
        common = {"iss": "licenses.example.com", "iat": time}
        if typ == "keyset":
            entry = {"kty": "OKP", "crv": "Ed25519", "nbf": 0, "exp": time}
            return {**common, "seq": number, "revoked": [{"kid": words, "since": time}],
                    "keys": [{**entry, "kid": kid, "x": x} for _, _, x, kid in (self.key() for _ in range(pick.randrange(5)))]}
        if typ == "audit":
            return {**common, "rows": number, "head": pick.randbytes(32).hex(), **pick.choice([{}, {"cut": True}])}
        common |= {"aud": words, "nonce": encode(pick.randbytes(16)), "mid": "m1_" + encode(pick.randbytes(32)),
                   "tkh": encode(pick.randbytes(16)), "ver": 1, "ks": number}
        seat = {"sub": str(uuid.UUID(bytes=pick.randbytes(16))), "epoch": number}
        if typ == "lease":
            return {**common, **seat, "jti": str(uuid.UUID(bytes=pick.randbytes(16))), "exp": time, "plan": words,
                    "ent": {words: pick.choice([{}, {"value": pick.randrange(-2**63, 2**63)}, {"until": time}])},
                    "lic": {"account": words, "email": words,
                            **pick.choice([{}, {"ends": time, "updates_until": 0}, {"terms": words}])},
                    **pick.choice([{}, {"data": {words: [number, words, None, {}]}}]), "renew": number, "warn": number,
                    "clk": {"tol": number, "act": pick.choice(["freeze", "lock"])}}
        return {**common, **pick.choice([{}, seat, {**seat, "avail": time, "params": {"n": words}}]),
                "code": pick.choice(CODES), "act": pick.choice(["drop", "keep"])}

    def test_the_crate_accepts_what_pyjwt_signs(self):
        for typ in TYPES:
            made, tasks = [], []
            for _ in range(self.ROUNDS):
                _, private, x, kid = self.key()
                claims = self.claims(typ)
                header = {"typ": f"seat-{typ}+jwt", "kid": kid}
                tasks.append({"keys": [x], "jws": jwt.encode(claims, private, algorithm="EdDSA", headers=header)})
                made.append({"claims": claims, "kid": kid})
            for expected, answer in zip(made, ours("verify", typ, tasks), strict=True):
                self.assertEqual(answer, expected)
                count(f"{typ}s signed by PyJWT, accepted by the crate")

    def test_the_crate_refuses_what_pyjwt_signs_with_another_key(self):
        _, private, _, _ = self.key()
        _, _, x, kid = self.key()
        header = {"typ": "seat-lease+jwt", "kid": kid}
        jws = jwt.encode(self.claims("lease"), private, algorithm="EdDSA", headers=header)
        self.assertEqual(ours("verify", "lease", [{"keys": [x], "jws": jws}]),
                         [{"error": "the signature does not verify"}])
        count("forgeries refused by the crate")

    def test_pyjwt_verifies_what_the_crate_signs(self):
        for typ in TYPES:
            made = [(self.key(), self.claims(typ)) for _ in range(self.ROUNDS)]
            tasks = [{"d": encode(seed), "claims": claims} for (seed, _, _, _), claims in made]
            for ((_, private, x, kid), claims), answer in zip(made, ours("sign", typ, tasks), strict=True):
                self.assertEqual((answer["x"], answer["kid"]), (x, kid))
                header = jwt.get_unverified_header(answer["jws"])
                self.assertEqual(header, {"alg": "EdDSA", "typ": f"seat-{typ}+jwt", "kid": kid})
                self.assertEqual(pyjwt_verify(answer["jws"], private.public_key()), claims)
                with self.assertRaises(jwt.InvalidSignatureError):
                    pyjwt_verify(answer["jws"], self.key()[1].public_key())
                count(f"{typ}s signed by the crate, verified by PyJWT")


if __name__ == "__main__":
    program = unittest.main(exit=False)
    for what, number in sorted(COUNTS.items()):
        print(f"{number:6} {what}")
    sys.exit(not program.result.wasSuccessful())
