//! Archives of modules: what is right has Go's hash, what is hostile is told as broken and costs no more than its size.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are code of tests")]

use flate2::{Compress, Compression, Crc, FlushCompress};
use gobeacon_formats::h1;
use gobeacon_formats::zip::{Broken, Buffers, Digests, Failed, Flaw, LARGEST};
use sha2::{Digest as _, Sha256};

const PREFIX: &str = "a.b/c@v1.0.0/";

/// One file as it is to be written, right unless a test says otherwise.
#[derive(Clone)]
struct File {
    name: String,
    content: Vec<u8>,
    deflated: bool,
    described_behind: bool,
    /// What the directory says instead of the truth.
    said_size: Option<u32>,
    said_checksum: Option<u32>,
    said_header: Option<u32>,
    /// What the header says instead of the name.
    local_name: Option<String>,
}

fn file(name: &str, content: &[u8]) -> File {
    File {
        name: format!("{PREFIX}{name}"),
        content: content.to_vec(),
        deflated: true,
        described_behind: false,
        said_size: None,
        said_checksum: None,
        said_header: None,
        local_name: None,
    }
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 1024);
    Compress::new(Compression::best(), false).compress_vec(content, &mut out, FlushCompress::Finish).unwrap();
    out
}

/// Writes an archive.
fn zip(files: &[File]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for file in files {
        let data = if file.deflated { deflate(&file.content) } else { file.content.clone() };
        let mut checksum = Crc::new();
        checksum.update(&file.content);
        let header = out.len() as u32;
        let common = |checksum: u32, compressed: u32, size: u32, name: &str| {
            let mut fields = Vec::new();
            fields.extend_from_slice(&20_u16.to_le_bytes());
            fields.extend_from_slice(&(if file.described_behind { 8_u16 } else { 0 }).to_le_bytes());
            fields.extend_from_slice(&(if file.deflated { 8_u16 } else { 0 }).to_le_bytes());
            fields.extend_from_slice(&[0; 4]);
            for number in [checksum, compressed, size] {
                fields.extend_from_slice(&number.to_le_bytes());
            }
            fields.extend_from_slice(&(name.len() as u16).to_le_bytes());
            fields.extend_from_slice(&0_u16.to_le_bytes());
            fields
        };
        let (sum, length, size) = (checksum.sum(), data.len() as u32, file.content.len() as u32);
        let local = file.local_name.as_deref().unwrap_or(&file.name);
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&if file.described_behind {
            common(0, 0, 0, local)
        } else {
            common(sum, length, size, local)
        });
        out.extend_from_slice(local.as_bytes());
        out.extend_from_slice(&data);
        if file.described_behind {
            out.extend_from_slice(b"PK\x07\x08");
            for number in [sum, length, size] {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
        directory.extend_from_slice(b"PK\x01\x02\x14\x03");
        let (sum, size) = (file.said_checksum.unwrap_or(sum), file.said_size.unwrap_or(size));
        directory.extend_from_slice(&common(sum, length, size, &file.name));
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&file.said_header.unwrap_or(header).to_le_bytes());
        directory.extend_from_slice(file.name.as_bytes());
    }
    let at = out.len() as u32;
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&(files.len() as u16).to_le_bytes());
    out.extend_from_slice(&(files.len() as u16).to_le_bytes());
    out.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out
}

fn read(bytes: &[u8]) -> Result<Digests, Failed> {
    Digests::read(bytes, bytes.len() as u64, PREFIX, &mut Buffers::default())
}

fn flaw(bytes: &[u8]) -> Option<Flaw> {
    match read(bytes) {
        Ok(digests) => digests.damaged.map(|it| it.flaw),
        Err(Failed::Broken(Broken { flaw, .. })) => Some(flaw),
        Err(Failed::Read(error)) => panic!("{error}"),
    }
}

fn some_files() -> Vec<File> {
    let large: Vec<u8> = (0..150_000_u32).flat_map(|it| (it % 251 * it).to_le_bytes()).collect();
    let stored = File { deflated: false, ..file("stored.bin", &large) };
    let behind = File { described_behind: true, ..file("behind.go", b"package c\n") };
    vec![file("go.mod", b"module a.b/c\n"), stored, behind, file("large.bin", &large), file("empty", b"")]
}

#[test]
fn an_archive_has_the_hash_of_its_files_in_the_order_of_their_names() {
    let mut files = some_files();
    let bytes = zip(&files);
    let digests = read(&bytes).unwrap();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let expected: Vec<(String, [u8; 32])> =
        files.iter().map(|it| (it.name.clone(), Sha256::digest(&it.content).into())).collect();
    assert_eq!(digests.h1(), h1::of_files(expected.iter().map(|(name, digest)| (name.as_bytes(), digest))));
    assert_eq!(digests.content_bytes, files.iter().map(|it| it.content.len() as u64).sum::<u64>());
    assert_eq!(digests.damaged, None);
}

#[test]
fn what_stands_before_an_archive_changes_nothing_as_in_go() {
    let bytes = zip(&some_files());
    let moved = [&b"#!/bin/sh\n"[..], &bytes].concat();
    assert_eq!(read(&moved).unwrap().h1(), read(&bytes).unwrap().h1());
}

#[test]
fn every_single_changed_byte_changes_the_hash_or_is_told_unless_no_reader_looks_at_it() {
    let bytes = zip(&some_files()[..1]);
    let right = read(&bytes).unwrap().h1();
    let mut unnoticed = 0;
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        if flaw(&changed).is_none() && read(&changed).unwrap().h1() == right {
            unnoticed += 1;
        }
    }
    // times, versions, disk numbers, attributes, and what the header repeats of the directory
    assert!(unnoticed < 60, "{unnoticed} of {}", bytes.len());
}

#[test]
fn every_cut_archive_is_told() {
    let bytes = zip(&some_files()[..1]);
    for length in 0..bytes.len() {
        assert!(flaw(&bytes[..length]).is_some(), "{length}");
    }
}

#[test]
fn hostile_archives_are_told_as_what_they_are() {
    let go_mod = file("go.mod", b"module a.b/c\n");
    let other = file("x", b"x");
    let named = |name: &str| File { name: name.to_owned(), ..go_mod.clone() };
    let bomb = File { said_size: Some(1 << 10), ..file("bomb", &vec![0; 10 << 20]) };
    let most = u32::try_from(LARGEST).unwrap();
    let cases = [
        (Flaw::WrongSize, vec![bomb]),
        (Flaw::WrongSize, vec![File { said_size: Some(14), ..go_mod.clone() }]),
        (Flaw::WrongChecksum, vec![File { said_checksum: Some(1), ..go_mod.clone() }]),
        (
            Flaw::TooLarge,
            vec![File { said_size: Some(most), ..go_mod.clone() }, File { said_size: Some(1), ..other.clone() }],
        ),
        (Flaw::Overlap, vec![go_mod.clone(), File { said_header: Some(0), ..other.clone() }]),
        (Flaw::Duplicate, vec![go_mod.clone(), go_mod.clone()]),
        (Flaw::BadHeader, vec![File { local_name: Some(format!("{PREFIX}go.sum")), ..go_mod.clone() }]),
        (Flaw::BadName, vec![named("a.b/c@v1.0.1/go.mod")]),
        (Flaw::BadName, vec![named(&format!("{PREFIX}../x"))]),
        (Flaw::BadName, vec![named(&format!("{PREFIX}a//x"))]),
        (Flaw::BadName, vec![named(&format!("{PREFIX}a\\x"))]),
        (Flaw::BadName, vec![named(&format!("{PREFIX}a\nx"))]),
        (Flaw::BadName, vec![named("/etc/passwd")]),
    ];
    for (expected, files) in cases {
        let names: Vec<_> = files.iter().map(|it| &it.name).collect();
        assert_eq!(flaw(&zip(&files)), Some(expected), "{names:?}");
    }
    assert_eq!(flaw(b""), Some(Flaw::NoDirectory));
    assert_eq!(flaw(&[b'P'; 70_000]), Some(Flaw::NoDirectory));
}

#[test]
fn a_file_that_is_read_though_its_checksum_is_wrong_still_has_a_hash() {
    let right = zip(&[file("go.mod", b"module a.b/c\n")]);
    let wrong = zip(&[File { said_checksum: Some(1), ..file("go.mod", b"module a.b/c\n") }]);
    let digests = read(&wrong).unwrap();
    assert_eq!(digests.h1(), read(&right).unwrap().h1());
    assert_eq!(digests.damaged.unwrap().entry.unwrap(), format!("{PREFIX}go.mod"));
}
