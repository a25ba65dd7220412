//! The one place of this crate that knows which operating system it runs on.
//!
//! What a file *is* comes from here: device, inode and birth time. Linux has all three through `statx`; elsewhere
//! the standard library says what it can.
//!
//! Invariant: nothing else in the crate is conditional on the operating system.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use gobeacon_formats::Timestamp;
use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};

use crate::inventory::Space;

/// What a file is, whatever its name. The same inode number with another birth time is another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// Nanoseconds since the Unix epoch; `None` where the file system does not keep it.
    pub(crate) born: Option<i64>,
}

impl Key {
    /// What it is, in 16 bytes: the same over restarts and renames. `of` says what for, `more` tells apart what has one
    /// key.
    pub(crate) fn id(self, of: &[u8], more: &[u8]) -> [u8; 16] {
        let mut hash = Sha256::new_with_prefix(of);
        hash.update(self.device.to_le_bytes());
        hash.update(self.inode.to_le_bytes());
        // a birth in 1970 is not the same as none
        hash.update([u8::from(self.born.is_some())]);
        hash.update(self.born.unwrap_or_default().to_le_bytes());
        hash.update(more);
        let whole: [u8; 32] = hash.finalize().into();
        let mut short = [0; 16];
        short.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
        short
    }
}

/// What kind of thing a path leads to, symbolic links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// A pipe, a socket, a device: never opened.
    Other,
}

/// What the file system says of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stat {
    pub(crate) key: Key,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    /// When its content changed last; whoever owns it may set it to any time.
    pub(crate) modified: Timestamp,
    /// When anything about it changed last, its content, mode or times. Nobody can set it.
    pub(crate) changed: Timestamp,
    /// How many names it has; 0 once it is deleted.
    pub(crate) names: u64,
}

/// Opens a file for reading. Never waits, not for the writer of a pipe either. Where the system has a way to, the file
/// system does not note that it was read: `cache prune` takes what was read for used.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    match rustix::fs::open(path, flags | UNNOTED, Mode::empty()) {
        // only the owner may ask for it
        Err(rustix::io::Errno::PERM) => Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?)),
        opened => Ok(File::from(opened?)),
    }
}

/// Reads from `offset` without moving anything.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match rustix::io::pread(file, &mut *buffer, offset) {
            Err(rustix::io::Errno::INTR) => {}
            read => return Ok(read?),
        }
    }
}

/// Reads from `offset` until the buffer is full or the file ends. Gives how much there was.
pub(crate) fn fill_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match read_at(file, rest, offset + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// Where the next written byte of a file is, from `offset` on, as far as the file system knows what it left out. `None`:
/// nowhere.
pub(crate) fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset)) {
        Ok(at) => Ok(Some(at)),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// When the content of a file changed last.
pub(crate) fn modified(metadata: &Metadata) -> Timestamp {
    metadata.modified().map_or(Timestamp::from_nanos(0), timestamp)
}

/// When a file was read last, as far as the file system notes that.
pub(crate) fn read_at_time(metadata: &Metadata) -> Option<Timestamp> {
    metadata.accessed().ok().map(timestamp)
}

/// The time of the clock on the wall.
pub fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}

/// How much room there is on the file system of a path.
pub(crate) fn space(path: &Path) -> io::Result<Space> {
    let found = rustix::fs::statvfs(path)?;
    Ok(Space {
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        notes_reads: !found.f_flag.intersects(NOTES_NO_READS),
    })
}

/// How many files this process may have open; `None` when there is no limit.
pub(crate) fn most_open_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// Whether the error says that this process, or the machine, has no file descriptor left.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
        .iter()
        .any(|it| error.raw_os_error() == Some(it.raw_os_error()))
}

/// Where programs keep their settings below the home folder (os.UserConfigDir of Go).
pub const CONFIG_FOLDER: &str = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".config" };
/// Where programs keep their caches below the home folder (os.UserCacheDir of Go).
pub(crate) const CACHE_FOLDER: &str = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };

/// Which inodes somebody holds a lock on, as far as it can be told without taking one. `None` where this process does
/// not see the locks of all others: outside of the first process namespace, and where there is no /proc.
pub(crate) fn locked_inodes() -> Option<std::collections::HashSet<u64>> {
    // the inode number of the first process namespace is fixed (include/uapi/linux/nsfs.h: PID_NS_INIT_INO)
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    if namespace.as_os_str() != "pid:[4026531836]" {
        return None;
    }
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // `1: FLOCK  ADVISORY  WRITE 708 08:01:1234 0 EOF`; one that waits has `->` behind its number
    let inode = |line: &str| line.split_whitespace().find_map(|word| word.splitn(3, ':').nth(2)?.parse().ok());
    Some(locks.lines().filter_map(inode).collect())
}

/// The time by which file systems stamp files: that of the last tick of the clock.
pub(crate) fn file_time() -> Timestamp {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::RealtimeCoarse;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Realtime;
    let now = rustix::time::clock_gettime(clock);
    Timestamp::from_nanos(now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec))
}

pub(crate) use inotify::Inotify;
use system::{NOTES_NO_READS, UNNOTED};
pub(crate) use system::{stat, stat_open};

#[cfg(target_os = "linux")]
mod inotify;
#[cfg(not(target_os = "linux"))]
#[path = "os/no_inotify.rs"]
mod inotify;

/// A directory that is watched, as the kernel numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Watch(i32);

/// What is to be told of a directory. Nothing by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    /// Names that come: files, directories, links.
    pub(crate) created: bool,
    /// Files whose content or length changes: one for each write.
    pub(crate) modified: bool,
    /// Files that were open for writing and are closed.
    pub(crate) written: bool,
    /// Files that were open for reading only and are closed. The kernel makes one record of two equal ones in a row
    /// that nobody has read yet, so it is asked for what opens files too, which is told to nobody: two that read the
    /// same file are told twice unless both had it open at the same time.
    pub(crate) read: bool,
    /// Names that are renamed, out of the directory or into it.
    pub(crate) moved: bool,
    /// Names that are removed.
    pub(crate) deleted: bool,
    /// The directory itself is removed or renamed.
    pub(crate) gone: bool,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    Created,
    Modified,
    Written,
    Read,
    MovedFrom,
    MovedTo,
    Deleted,
    /// The watched directory was removed or renamed.
    Gone,
    /// The watch is no more: it was ended, or its directory or file system is gone.
    Unwatched,
    /// The queue was full, and some of what happened is not told.
    Overflow,
}

/// One thing that happened in a watched directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notice<'a> {
    /// Of no meaning for an overflow.
    pub(crate) watch: Watch,
    /// The name within the directory; empty for what happened to the directory itself.
    pub(crate) name: &'a OsStr,
    pub(crate) happened: Happened,
    pub(crate) is_dir: bool,
}

#[cfg(target_os = "linux")]
mod system {
    use super::{File, Key, Kind, OFlags, Path, Stat, Timestamp, io};
    use rustix::fs::{AtFlags, CWD, FileType, StatVfsMountFlags, Statx, StatxFlags, StatxTimestamp, statx};

    /// O_NOATIME.
    pub(super) const UNNOTED: OFlags = OFlags::NOATIME;
    /// The mount option noatime.
    pub(super) const NOTES_NO_READS: StatVfsMountFlags = StatVfsMountFlags::NOATIME;

    const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

    /// Follows symbolic links.
    pub(crate) fn stat(path: &Path) -> io::Result<Stat> {
        Ok(made_of(&statx(CWD, path, AtFlags::empty(), WANTED)?))
    }

    pub(crate) fn stat_open(file: &File) -> io::Result<Stat> {
        Ok(made_of(&statx(file, c"", AtFlags::EMPTY_PATH, WANTED)?))
    }

    fn made_of(from: &Statx) -> Stat {
        let has_birth = StatxFlags::from_bits_retain(from.stx_mask).contains(StatxFlags::BTIME);
        let device = (u64::from(from.stx_dev_major) << 32) | u64::from(from.stx_dev_minor);
        Stat {
            key: Key { device, inode: from.stx_ino, born: has_birth.then(|| nanos(from.stx_btime)) },
            kind: match FileType::from_raw_mode(from.stx_mode.into()) {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Directory,
                FileType::Symlink
                | FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice
                | FileType::Unknown => Kind::Other,
            },
            size: from.stx_size,
            modified: Timestamp::from_nanos(nanos(from.stx_mtime)),
            changed: Timestamp::from_nanos(nanos(from.stx_ctime)),
            names: from.stx_nlink.into(),
        }
    }

    fn nanos(time: StatxTimestamp) -> i64 {
        time.tv_sec.saturating_mul(1_000_000_000).saturating_add(i64::from(time.tv_nsec))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{File, Key, Kind, OFlags, Path, Stat, Timestamp, io};
    use rustix::fs::StatVfsMountFlags;
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;
    use std::time::SystemTime;

    /// There is no such flag here.
    pub(super) const UNNOTED: OFlags = OFlags::empty();
    /// statvfs does not say it here.
    pub(super) const NOTES_NO_READS: StatVfsMountFlags = StatVfsMountFlags::empty();

    /// Follows symbolic links.
    pub(crate) fn stat(path: &Path) -> io::Result<Stat> {
        std::fs::metadata(path).map(|it| made_of(&it))
    }

    pub(crate) fn stat_open(file: &File) -> io::Result<Stat> {
        file.metadata().map(|it| made_of(&it))
    }

    fn made_of(from: &Metadata) -> Stat {
        let born = from.created().ok().and_then(|it| it.duration_since(SystemTime::UNIX_EPOCH).ok());
        let kind = match (from.is_file(), from.is_dir()) {
            (true, _) => Kind::File,
            (false, true) => Kind::Directory,
            (false, false) => Kind::Other,
        };
        let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        Stat {
            key: Key {
                device: from.dev(),
                inode: from.ino(),
                born: born.and_then(|it| i64::try_from(it.as_nanos()).ok()),
            },
            kind,
            size: from.size(),
            modified: Timestamp::from_nanos(nanos(from.mtime(), from.mtime_nsec())),
            changed: Timestamp::from_nanos(nanos(from.ctime(), from.ctime_nsec())),
            names: from.nlink(),
        }
    }
}
