//! Archives that come out the same however often they are made: members in order, nobody's name,
//! one date.

use anyhow::{Result, bail};
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc, GzBuilder};
use std::collections::BTreeMap;
use std::io::Write as _;

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// What is in it.
    File(Vec<u8>),
    Link(String),
}

pub type Members = BTreeMap<String, Member>;

/// A `.tar.gz`, all members below one folder. `date` is in Unix seconds.
///
/// # Errors
/// A path is too long.
pub fn tar_gz(folder: &str, members: &Members, date: u64) -> Result<Vec<u8>> {
    let packed = GzBuilder::new().write(Vec::new(), Compression::default());
    let mut tar = tar::Builder::new(packed);
    for (path, member) in members {
        let path = format!("{folder}/{path}");
        let mut header = tar::Header::new_gnu();
        header.set_mtime(date);
        header.set_uid(0);
        header.set_gid(0);
        match member {
            Member::File(bytes) => {
                header.set_mode(0o644);
                header.set_size(u64::try_from(bytes.len())?);
                tar.append_data(&mut header, path, &**bytes)?;
            }
            Member::Link(to) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                tar.append_link(&mut header, path, to)?;
            }
        }
    }
    Ok(tar.into_inner()?.finish()?)
}

/// A `.zip`, dated at the beginning of its calendar.
///
/// # Errors
/// A member is a link, which Windows does not unpack, or has 4 GiB.
pub fn zip(folder: &str, members: &Members) -> Result<Vec<u8>> {
    /// Version 2.0 is what unpacks it, deflated, 1 January 1980.
    const FORM: [u16; 5] = [20, 0, 8, 0, 1 << 5 | 1];
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for (path, member) in members {
        let Member::File(bytes) = member else { bail!("{path} is a link") };
        let path = format!("{folder}/{path}");
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
        packer.write_all(bytes)?;
        let packed = packer.finish()?;
        let mut sum = Crc::new();
        sum.update(bytes);
        let mut entry = words(&FORM);
        for number in [sum.sum(), u32::try_from(packed.len())?, u32::try_from(bytes.len())?] {
            entry.extend(number.to_le_bytes());
        }
        entry.extend(words(&[u16::try_from(path.len())?, 0]));
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&entry);
        directory.extend(words(&[0, 0, 0, 0, 0]));
        directory.extend(u32::try_from(zip.len())?.to_le_bytes());
        directory.extend(path.as_bytes());
        zip.extend(b"PK\x03\x04");
        zip.extend(entry);
        zip.extend(path.as_bytes());
        zip.extend(packed);
    }
    let (start, count) = (u32::try_from(zip.len())?, u16::try_from(members.len())?);
    zip.extend(&directory);
    zip.extend(b"PK\x05\x06");
    zip.extend(words(&[0, 0, count, count]));
    zip.extend(u32::try_from(directory.len())?.to_le_bytes());
    zip.extend(start.to_le_bytes());
    zip.extend(words(&[0]));
    Ok(zip)
}

fn words(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn members() -> Members {
        let file = |text: &str| Member::File(text.as_bytes().to_vec());
        [("lib/b.so.1", file("library")), ("a.txt", file("text"))]
            .map(|(path, member)| (path.to_owned(), member))
            .into()
    }

    #[test]
    fn a_tar_is_sorted_and_always_the_same() {
        let mut members = members();
        members.insert("lib/b.so".to_owned(), Member::Link("b.so.1".to_owned()));
        let packed = tar_gz("x-1", &members, 5).unwrap();
        assert_eq!(packed, tar_gz("x-1", &members, 5).unwrap());
        assert_ne!(packed, tar_gz("x-1", &members, 6).unwrap());
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&*packed));
        let read = tar.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let link = entry.link_name().unwrap().map(|link| link.display().to_string());
            (
                entry.path().unwrap().display().to_string(),
                link.unwrap_or(text),
                entry.header().mtime().unwrap(),
            )
        });
        let wanted = [("x-1/a.txt", "text"), ("x-1/lib/b.so", "b.so.1"), ("x-1/lib/b.so.1", "library")];
        let wanted = wanted.map(|(path, text)| (path.to_owned(), text.to_owned(), 5));
        assert_eq!(read.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn a_zip_is_sorted_and_always_the_same() {
        let packed = zip("x-1", &members()).unwrap();
        assert_eq!(packed, zip("x-1", &members()).unwrap());
        let at = |text: &[u8]| packed.windows(text.len()).position(|window| window == text);
        let (first, second) = (at(b"x-1/a.txt"), at(b"x-1/lib/b.so.1"));
        assert!(first < second && first.is_some() && packed.ends_with(&[0, 0]));
        let linked = [("a".to_owned(), Member::Link("b".to_owned()))].into();
        assert!(zip("x-1", &linked).is_err());
    }
}
