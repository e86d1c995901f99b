use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use std::collections::{BTreeMap, HashSet};
use std::{fmt, marker::PhantomData};

/// Reads a JSON object, refusing one that names a member twice.
///
/// Parsers disagree on which of two equal members counts (RFC 8259, section 4); a signed text must
/// mean one thing. Anything but an object is refused here because serde would take an array of a
/// struct's values for the struct.
///
/// # Errors
/// What is wrong, and where.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(serde::de::Error::custom("not an object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    UniqueMembers.deserialize(&mut deserializer)?;
    deserializer.end()?;
    serde_json::from_slice(bytes)
}

/// Reads a struct from an object, and not from an array of its values, which serde would take too.
///
/// # Errors
/// What is wrong, and where.
pub(crate) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(json: D) -> Result<T, D::Error> {
    Object::deserialize(json).map(|Object(read)| read)
}

/// As [`object`], for each item of an array.
///
/// # Errors
/// As [`object`].
pub(crate) fn objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(json: D) -> Result<Vec<T>, D::Error> {
    Vec::deserialize(json).map(|read| read.into_iter().map(|Object(item)| item).collect())
}

/// As [`object`], for each member of an object.
///
/// # Errors
/// As [`object`].
pub(crate) fn objects_by_name<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    json: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    BTreeMap::deserialize(json)
        .map(|read| read.into_iter().map(|(name, Object(member))| (name, member)).collect())
}

/// Reads a name of an enumeration from a text, and not from an object with one member, which serde
/// would take too.
///
/// # Errors
/// What is wrong, and where.
pub(crate) fn name<'de, T: Deserialize<'de>, D: Deserializer<'de>>(json: D) -> Result<T, D::Error> {
    T::deserialize(String::deserialize(json)?.into_deserializer())
}

struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(Members(PhantomData))
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Object)
    }
}

/// Walks a value of any shape and keeps nothing of it.
struct UniqueMembers;

impl<'de> DeserializeSeed<'de> for UniqueMembers {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueMembers {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate members")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(UniqueMembers)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value_seed(UniqueMembers)?;
            if !seen.insert(name) {
                return Err(serde::de::Error::custom("duplicate member"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_members_are_refused_at_any_depth() {
        for (json, accepted) in [
            (r#"{"a":1,"b":[{"a":2}]}"#, true),
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"a":{"b":[1,{"c":1,"c":2}]}}"#, false),
            (r#"{"a":1,"\u0061":1}"#, false),
            (r#"{"a":1} x"#, false),
            (" \n{}", true),
            ("[]", false),
            ("\"a\"", false),
            ("", false),
        ] {
            assert_eq!(from_slice::<serde_json::Value>(json.as_bytes()).is_ok(), accepted, "{json}");
        }
    }
}
