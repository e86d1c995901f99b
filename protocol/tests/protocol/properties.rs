//! Rules that hold for every input: nothing panics, nothing unsound is accepted, what was written
//! is read.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::{collection::vec, option, prelude::*, sample::select};
use ring::signature::Ed25519KeyPair;
use seatlock_protocol::{
    Act, Code, MachineId, Nonce, PublicKey, SigningKey, Token, TokenError, TokenHash, TokenKind, Typ,
    UnixTime,
    api::SeatRequest,
    claims::{
        ClockAction, ClockPolicy, Curve, EntitlementClaim, KeySetClaims, KeyType, LeaseClaims, LeaseKey,
        Licensee, RevokedKey, VerdictClaims,
    },
    jws,
};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const KINDS: [TokenKind; 3] = [TokenKind::Integration, TokenKind::Api, TokenKind::OauthClient];
const SEED: [u8; 32] = [7; 32];

/// CRC-32/ISO-HDLC bit by bit: slow, plain, and not the implementation under test.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn is_token(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |byte: &u8| BASE62.iter().position(|c| c == byte);
    bytes.len() == 40
        && [b"sit_", b"sat_", b"soc_"].iter().any(|kind| bytes.starts_with(*kind))
        && bytes[4..].iter().all(|byte| digit(byte).is_some())
        && bytes[34..].iter().fold(0, |sum, byte| sum * 62 + digit(byte).unwrap() as u64)
            == u64::from(crc32(&bytes[..34]))
}

fn key() -> SigningKey {
    SigningKey::from_seed(&SEED).unwrap()
}

prop_compose! {
    fn token()(kind in select(&KINDS[..]), random in vec(any::<u8>(), 64..512)) -> (TokenKind, Token) {
        let mut random = random.into_iter().cycle();
        let fill = |bytes: &mut [u8]| {
            // Now and then a small number, so that bytes which are thrown away cannot be all there is.
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = if at % 8 == 7 { at as u8 } else { random.next().unwrap_or(0) };
            }
            Ok::<(), ()>(())
        };
        (kind, Token::generate(kind, fill).unwrap())
    }
}

prop_compose! {
    fn time()(seconds in prop_oneof![0..1i64 << 53, Just(0), Just((1i64 << 53) - 1)]) -> UnixTime {
        UnixTime::new(seconds).unwrap()
    }
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn machine() -> impl Strategy<Value = MachineId> {
    ("\\PC{0,80}", "[a-z]{0,9}", "\\PC{0,80}")
        .prop_map(|(product, os, id)| MachineId::derive(&product, &os, &id))
}

fn entitlements() -> impl Strategy<Value = BTreeMap<String, EntitlementClaim>> {
    let entitlement = (option::of(any::<i64>()), option::of(time()));
    let entitlement = entitlement.prop_map(|(value, until)| EntitlementClaim { value, until });
    proptest::collection::btree_map(any::<String>(), entitlement, 0..4)
}

fn licensee() -> impl Strategy<Value = Licensee> {
    let texts = (any::<String>(), any::<String>(), option::of(any::<String>()));
    (texts, option::of(time()), option::of(time())).prop_map(
        |((account, email, terms), ends, updates_until)| Licensee {
            account,
            email,
            ends,
            updates_until,
            terms,
        },
    )
}

fn lease() -> impl Strategy<Value = LeaseClaims> {
    let names = (any::<String>(), any::<String>(), any::<String>(), entitlements(), licensee());
    let ids = (uuid(), uuid(), machine(), any::<[u8; 16]>(), any::<[u8; 16]>());
    let numbers = (any::<u32>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    let act = select(&[ClockAction::Freeze, ClockAction::Lock][..]);
    (names, ids, time(), time(), numbers, act).prop_map(|(names, ids, iat, exp, numbers, act)| {
        let (iss, aud, plan, ent, lic) = names;
        let (sub, jti, mid, tkh, nonce) = ids;
        let (ver, epoch, renew, warn, tol, ks) = numbers;
        let own = ent.keys().map(|name| (name.clone(), epoch.into())).collect();
        let data = Some(own).filter(|_| ver % 2 == 0);
        let (tkh, nonce, clk) = (TokenHash::new(tkh), Nonce::new(nonce), ClockPolicy { tol, act });
        LeaseClaims {
            iss,
            aud,
            sub,
            jti,
            iat,
            exp,
            ver,
            epoch,
            mid,
            tkh,
            nonce,
            plan,
            ent,
            lic,
            data,
            renew,
            warn,
            clk,
            ks,
            rnh: None,
        }
    })
}

fn verdict() -> impl Strategy<Value = VerdictClaims> {
    let codes: Vec<Code> = Code::TABLE.iter().map(|row| row.code).collect();
    let said = (select(codes), select(&[Act::Drop, Act::Keep][..]));
    let maybe = (option::of(uuid()), option::of(any::<u64>()), option::of(time()));
    let params = proptest::collection::btree_map(any::<String>(), any::<String>(), 0..4);
    (lease(), said, maybe, params).prop_map(|(like, (code, act), (sub, epoch, avail), params)| {
        let LeaseClaims { iss, aud, iat, nonce, mid, tkh, ver, ks, .. } = like;
        VerdictClaims { iss, aud, iat, nonce, mid, tkh, ver, code, act, sub, epoch, avail, params, ks }
    })
}

fn key_set() -> impl Strategy<Value = KeySetClaims> {
    let key = (any::<[u8; 32]>(), time(), time()).prop_map(|(seed, nbf, exp)| {
        let signer = SigningKey::from_seed(&seed).unwrap();
        let (kty, crv) = (KeyType::OctetKeyPair, Curve::Ed25519);
        LeaseKey { kid: signer.kid().to_owned(), kty, crv, x: signer.public(), nbf, exp }
    });
    let revoked = (any::<String>(), time()).prop_map(|(kid, since)| RevokedKey { kid, since });
    (any::<String>(), any::<u64>(), time(), vec(key, 0..4), vec(revoked, 0..4))
        .prop_map(|(iss, seq, iat, keys, revoked)| KeySetClaims { iss, seq, iat, keys, revoked })
}

/// What the crate must read again, and what no other key, type or changed character may pass for.
fn round_trip<T>(typ: Typ, claims: &T, changes: &[(usize, char)]) -> Result<(), TestCaseError>
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = jws::sign(typ, &key(), claims).unwrap();
    prop_assume!(text.len() <= jws::MAX_LEN);
    let trusted = |kid: &str| (kid == key().kid()).then(|| key().public());
    let verified = jws::verify::<T>(&text, typ, trusted).unwrap();
    prop_assert_eq!(&verified.claims, claims);
    prop_assert!(verified.kid == key().kid());

    let stranger = SigningKey::from_seed(&[8; 32]).unwrap().public();
    prop_assert!(jws::verify::<T>(&text, typ, |_| Some(stranger)).is_err());
    for other in [Typ::Lease, Typ::Verdict, Typ::KeySet].into_iter().filter(|other| *other != typ) {
        prop_assert!(jws::verify::<Value>(&text, other, |_| Some(key().public())).is_err());
    }
    let mut characters: Vec<char> = text.chars().collect();
    for (at, character) in changes {
        let at = at % characters.len();
        characters[at] = *character;
    }
    let changed: String = characters.into_iter().collect();
    prop_assert_eq!(jws::verify::<T>(&changed, typ, |_| Some(key().public())).is_ok(), changed == text);
    Ok(())
}

fn changes() -> impl Strategy<Value = Vec<(usize, char)>> {
    let character =
        prop_oneof![3 => "[A-Za-z0-9_.-]".prop_map(|c| c.chars().next().unwrap()), 1 => any::<char>()];
    vec((any::<usize>(), character), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_text_as_a_token(bytes in vec(any::<u8>(), 0..200), kind in select(&KINDS[..])) {
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(token) = Token::parse(&text, kind) {
            prop_assert!(is_token(token.expose_secret()));
        }
    }

    #[test]
    fn any_text_like_a_token(
        text in "[ \"]?(sit|sat|soc|xyz)_[0-9A-Za-z]{33,37}[é-]?\n?",
        kind in select(&KINDS[..]),
    ) {
        let cleaned = text.replace([' ', '"', '\n'], "");
        let sound = !matches!(Token::parse(&text, kind), Err(TokenError::Malformed));
        prop_assert_eq!(sound, is_token(&cleaned));
    }

    #[test]
    fn a_token_survives_noise_and_passes_for_its_own_kind_only(
        (kind, token) in token(),
        noise in vec((0usize..=40, "[\\s\"'`\u{200b}\u{feff}\u{ad}\u{201c}\u{bb}\u{2060}]{1,3}"), 0..6),
    ) {
        let mut text = token.expose_secret().to_owned();
        prop_assert!(is_token(&text));
        let mut noise = noise;
        noise.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        for (at, characters) in noise {
            text.insert_str(at, &characters);
        }
        for wanted in KINDS {
            let expected = if wanted == kind { Ok(token.clone()) } else { Err(TokenError::WrongKind(kind)) };
            prop_assert_eq!(Token::parse(&text, wanted), expected);
        }
    }

    #[test]
    fn a_token_with_one_or_two_characters_changed_is_refused(
        (kind, token) in token(),
        changes in vec((0usize..40, any::<u8>(), any::<char>(), prop::bool::weighted(0.8)), 1..3),
    ) {
        let mut characters: Vec<char> = token.expose_secret().chars().collect();
        for (at, index, other, likely) in changes {
            characters[at] = if likely { char::from(BASE62[usize::from(index) % 62]) } else { other };
        }
        let changed: String = characters.iter().collect();
        // The letter case of what it begins with says nothing.
        characters.iter_mut().take("sit_".len()).for_each(|c| c.make_ascii_lowercase());
        prop_assume!(!characters.iter().copied().eq(token.expose_secret().chars()));
        prop_assert_eq!(Token::parse(&changed, kind), Err(TokenError::Malformed));
    }

    #[test]
    fn any_text_as_a_machine_id(
        text in prop_oneof![any::<String>(), "m1_[A-Za-z0-9_+/=-]{40,46}", "m1_[A-Za-z0-9_-]{43}"],
    ) {
        if let Ok(id) = text.parse::<MachineId>() {
            let bytes = URL_SAFE_NO_PAD.decode(&text[3..]).unwrap();
            prop_assert_eq!(bytes.len(), 32);
            prop_assert_eq!(&text, &format!("m1_{}", URL_SAFE_NO_PAD.encode(bytes)));
            prop_assert_eq!(id.as_str(), text);
        }
    }

    #[test]
    fn every_machine_id_is_read_again(id in machine()) {
        prop_assert_eq!(id.as_str().len(), MachineId::LEN);
        prop_assert_eq!(id.to_string().parse(), Ok(id.clone()));
        let short = id.short();
        let digit = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase() && !"ILOU".contains(c);
        let shaped = short.chars().enumerate().all(|(at, c)| if at == 4 { c == '-' } else { digit(c) });
        prop_assert!(shaped, "{}", short);
        prop_assert_eq!(short.len(), 9);
    }

    #[test]
    fn a_short_form_leads_to_the_ids_that_have_it(id in machine(), heard in any::<u64>()) {
        let short = id.short();
        // As somebody may write it down: letters for digits, small letters, without the dash.
        let as_heard: String = short
            .char_indices()
            .filter(|(at, c)| *c != '-' || heard >> at & 1 == 0)
            .map(|(at, c)| match (c, heard >> (at + 16) & 3) {
                ('0', 1) => 'o',
                ('0', 2) => 'O',
                ('1', 1) => 'l',
                ('1', 2) => 'I',
                (c, 3) => c.to_ascii_lowercase(),
                (c, _) => c,
            })
            .collect();
        for text in [&short, &as_heard] {
            let prefix = MachineId::prefix_of_short(text).unwrap();
            prop_assert!(id.as_str().starts_with(&prefix), "{} of {} gives {}", text, id, prefix);
        }
    }

    #[test]
    fn any_text_as_a_short_form(text in prop_oneof![any::<String>(), "[0-9A-Za-z-]{6,10}", "[0-9a-hjkmnp-tv-z]{8}"]) {
        let prefix = MachineId::prefix_of_short(&text);
        let digits: Vec<char> = text.chars().filter(|c| *c != '-').collect();
        let fits = digits.len() == 8 && digits.iter().all(|c| c.is_ascii_alphanumeric() && !"uU".contains(*c));
        prop_assert_eq!(prefix.is_some(), fits);
        prop_assert!(prefix.is_none_or(|prefix| prefix.starts_with("m1_") && prefix.len() == 9));
    }

    #[test]
    fn any_text_as_a_nonce(
        text in prop_oneof![any::<String>(), "[A-Za-z0-9_+/=-]{20,24}", "[A-Za-z0-9_-]{21}[AQgw]"],
    ) {
        match text.parse::<Nonce>() {
            Ok(nonce) => prop_assert_eq!(nonce.to_string(), text),
            Err(_) => prop_assert!(URL_SAFE_NO_PAD.decode(&text).map_or(true, |bytes| bytes.len() != 16)),
        }
    }

    #[test]
    fn a_nonce_is_read_again(bytes in any::<[u8; 16]>()) {
        let nonce = Nonce::new(bytes);
        prop_assert_eq!(nonce.to_string().parse(), Ok(nonce));
    }

    #[test]
    fn time_stays_in_bounds(
        number in prop_oneof![any::<i64>(), -2i64..2, (1i64 << 53) - 2..(1 << 53) + 2],
        a in time(),
        b in time(),
        seconds in any::<u64>(),
    ) {
        let inside = (0..1i64 << 53).contains(&number);
        prop_assert_eq!(UnixTime::new(number).is_some(), inside);
        prop_assert_eq!(serde_json::from_str::<UnixTime>(&number.to_string()).is_ok(), inside);
        let (wide_a, wide_b, wide) = (i128::from(a.seconds()), i128::from(b.seconds()), i128::from(seconds));
        let max = i128::from(UnixTime::MAX.seconds());
        prop_assert_eq!(i128::from(a.plus(seconds).seconds()), (wide_a + wide).min(max));
        prop_assert_eq!(i128::from(a.minus(seconds).seconds()), (wide_a - wide).max(0));
        prop_assert_eq!(i128::from(a.since(b)), (wide_a - wide_b).max(0));
    }

    #[test]
    fn any_text_as_a_time(
        text in prop_oneof![any::<String>(), "-?[0-9]{1,20}(\\.[0-9]{1,3})?(e[+-]?[0-9]{1,4})?"],
    ) {
        if let Ok(time) = serde_json::from_str::<UnixTime>(&text) {
            prop_assert_eq!(time.seconds().to_string(), text.trim());
        }
    }

    #[test]
    fn nobody_signs_by_chance(
        text in prop_oneof![any::<String>(), "[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{86}"],
    ) {
        prop_assert!(jws::verify::<Value>(&text, Typ::Lease, |_| Some(key().public())).is_err());
    }

    /// A trusted key that signs nonsense: no panic, and never a header that is not the exact one.
    #[test]
    fn any_signed_bytes(
        header in prop_oneof![
            vec(any::<u8>(), 0..100),
            "\\{(\"(alg|typ|kid|crit)\":(\"(EdDSA|seat-lease\\+jwt|k)\"|null|\\{\\}|1),?){0,5}\\}"
                .prop_map(String::into_bytes),
            Just(br#"{"alg":"EdDSA","typ":"seat-lease+jwt","kid":"k"}"#.to_vec()),
        ],
        claims in prop_oneof![
            vec(any::<u8>(), 0..100),
            "[\\[\\]{}:,\"a0-9 ]{0,40}".prop_map(String::into_bytes),
            Just(br#"{"a":1}"#.to_vec()),
        ],
    ) {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(&claims));
        let signer = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
        let text = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signer.sign(signed.as_bytes())));
        if let Ok(verified) = jws::verify::<Value>(&text, Typ::Lease, |_| Some(key().public())) {
            prop_assert!(verified.claims.is_object());
            let header: BTreeMap<String, String> = serde_json::from_slice(&header).unwrap();
            prop_assert_eq!(header.keys().collect::<Vec<_>>(), ["alg", "kid", "typ"]);
            prop_assert_eq!(&header["typ"], "seat-lease+jwt");
        }
    }

    #[test]
    fn any_bytes_as_keys_and_requests(bytes in vec(any::<u8>(), 0..64), raw in any::<[u8; 32]>()) {
        let text = String::from_utf8_lossy(&bytes);
        prop_assert!(PublicKey::from_jwk_x(&text).map_or(true, |key| key.jwk_x() == text));
        let again = |key: PublicKey| PublicKey::from_jwk_x(&key.jwk_x()) == Ok(key);
        prop_assert!(PublicKey::from_bytes(raw).map_or(true, again));
        prop_assert_eq!(SigningKey::from_seed(&bytes).is_ok(), bytes.len() == 32);
        prop_assert!(serde_json::from_slice::<SeatRequest>(&bytes).is_err());
    }

    #[test]
    fn leases_are_read_again(claims in lease(), changes in changes()) {
        round_trip(Typ::Lease, &claims, &changes)?;
    }

    #[test]
    fn verdicts_are_read_again(claims in verdict(), changes in changes()) {
        round_trip(Typ::Verdict, &claims, &changes)?;
    }

    #[test]
    fn key_sets_are_read_again(claims in key_set(), changes in changes()) {
        round_trip(Typ::KeySet, &claims, &changes)?;
    }

    #[test]
    fn texts_of_codes_hold_no_blank(at in any::<prop::sample::Index>(), value in option::of("[^{}]{0,20}")) {
        let row = at.get(Code::TABLE);
        let text = row.code.text(|_| value.as_deref());
        prop_assert!(!text.is_empty() && !text.contains(['{', '}']), "{}", text);
    }
}

/// CRC-32 finds every changed character and every swap of neighbours: a rule, not a chance.
#[test]
fn every_single_change_and_every_swap_is_refused() {
    let text = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
    for at in 0..text.len() {
        for byte in (0..128).filter(|byte| *byte != text.as_bytes()[at]) {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = byte;
            let changed = String::from_utf8(changed).unwrap();
            // The letters of the kind mean the same in capitals.
            let (kind, secret) = text.split_at(4);
            let same = changed.strip_suffix(secret).is_some_and(|other| other.eq_ignore_ascii_case(kind));
            let found = Token::parse(&changed, TokenKind::Integration).map(drop);
            assert_eq!(found, if same { Ok(()) } else { Err(TokenError::Malformed) }, "{changed}");
        }
        let mut swapped = text.as_bytes().to_vec();
        swapped.swap(at, (at + 1).min(text.len() - 1));
        let swapped = String::from_utf8(swapped).unwrap();
        assert_eq!(Token::parse(&swapped, TokenKind::Integration).is_ok(), swapped == text, "{swapped}");
    }
}

/// Nesting is bounded before the stack is.
#[test]
fn deep_nesting_is_refused() {
    let signer = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    let header = format!(r#"{{"alg":"EdDSA","typ":"seat-lease+jwt","kid":"{}"}}"#, key().kid());
    for (depth, accepted) in [(100, true), (1000, false), (2900, false)] {
        let claims = format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(claims));
        let text = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signer.sign(signed.as_bytes())));
        assert!(text.len() <= jws::MAX_LEN);
        assert_eq!(
            jws::verify::<Value>(&text, Typ::Lease, |_| Some(key().public())).is_ok(),
            accepted,
            "{depth}"
        );
    }
}
