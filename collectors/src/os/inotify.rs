//! The kernel's own notification of what happens in directories, with the kinds that `notify` does not pass on.
//!
//! `notify` does not ask for CLOSE_NOWRITE, which is what a hit of the build cache looks like. Here each watch names
//! the kinds it wants, so the kernel queues nothing else. The queue of the kernel is bounded
//! (fs.inotify.max_queued_events, 16,384 by default): who reads it must wait for nothing else meanwhile.
//!
//! Invariant: an overflow is told as an event of its own, never passed over.

use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::{Happened, Kinds, Notice, Watch};

/// Room for some hundreds of events in one read.
const BUFFER_BYTES: usize = 64 << 10;

/// One inotify instance, of which a user may have a few (fs.inotify.max_user_instances, 128 by default).
#[derive(Debug)]
pub(crate) struct Inotify {
    queue: OwnedFd,
}

impl Inotify {
    /// # Errors
    /// EMFILE: the user has no instance left, or the process no descriptor.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { queue: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)? })
    }

    /// Watches one directory, not what is below it. Watching one again replaces the kinds. Symbolic links are
    /// followed.
    ///
    /// # Errors
    /// ENOSPC: the user has no watch left (fs.inotify.max_user_watches); ENOENT, ENOTDIR, EACCES as usual.
    pub(crate) fn watch(&self, dir: &Path, kinds: Kinds) -> io::Result<Watch> {
        let wanted = [
            (kinds.created, WatchFlags::CREATE),
            (kinds.modified, WatchFlags::MODIFY),
            (kinds.written, WatchFlags::CLOSE_WRITE),
            (kinds.read, WatchFlags::CLOSE_NOWRITE | WatchFlags::OPEN),
            (kinds.moved, WatchFlags::MOVE),
            (kinds.deleted, WatchFlags::DELETE),
            (kinds.gone, WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF),
        ];
        let flags = wanted.iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, flag)| *flag);
        let flags = flags.fold(WatchFlags::ONLYDIR | WatchFlags::EXCL_UNLINK, WatchFlags::union);
        Ok(Watch(inotify::add_watch(&self.queue, dir, flags)?))
    }

    /// Ends a watch. The kernel may have done so before: that is no error.
    pub(crate) fn unwatch(&self, watch: Watch) {
        // EINVAL: it was gone with its directory
        let _ = inotify::remove_watch(&self.queue, watch.0);
    }

    /// Waits until something happened, for at most `timeout`, and gives out all that is queued, in order.
    ///
    /// # Errors
    /// The queue cannot be read: the instance is of no use any more.
    pub(crate) fn read(&self, timeout: Duration, mut each: impl FnMut(Notice<'_>)) -> io::Result<()> {
        let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match poll(&mut [PollFd::new(&self.queue, PollFlags::IN)], Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        let mut events = Reader::new(&self.queue, &mut buffer);
        loop {
            match events.next() {
                Ok(event) => {
                    let name = event.file_name().map_or(OsStr::new(""), |name| OsStr::from_bytes(name.to_bytes()));
                    for happened in kinds_of(event.events()) {
                        let is_dir = event.events().contains(ReadFlags::ISDIR);
                        each(Notice { watch: Watch(event.wd()), name, happened, is_dir });
                    }
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn kinds_of(flags: ReadFlags) -> impl Iterator<Item = Happened> {
    const ALL: [(ReadFlags, Happened); 11] = [
        (ReadFlags::CREATE, Happened::Created),
        (ReadFlags::MODIFY, Happened::Modified),
        (ReadFlags::CLOSE_WRITE, Happened::Written),
        (ReadFlags::CLOSE_NOWRITE, Happened::Read),
        (ReadFlags::MOVED_FROM, Happened::MovedFrom),
        (ReadFlags::MOVED_TO, Happened::MovedTo),
        (ReadFlags::DELETE, Happened::Deleted),
        (ReadFlags::DELETE_SELF, Happened::Gone),
        (ReadFlags::MOVE_SELF, Happened::Gone),
        (ReadFlags::IGNORED, Happened::Unwatched),
        (ReadFlags::QUEUE_OVERFLOW, Happened::Overflow),
    ];
    ALL.into_iter().filter(move |(flag, _)| flags.intersects(*flag)).map(|(_, happened)| happened)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn noticed(inotify: &Inotify, wanted: usize) -> Vec<(Happened, String)> {
        let mut all = Vec::new();
        while all.len() < wanted {
            let before = all.len();
            inotify.read(SOON, |it| all.push((it.happened, it.name.to_string_lossy().into_owned()))).unwrap();
            assert!(all.len() > before, "nothing more came: {all:?}");
        }
        all
    }

    #[test]
    fn a_read_and_a_write_of_a_file_are_told_apart_and_nothing_unwanted_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let inotify = Inotify::new().unwrap();
        let kinds = Kinds { read: true, written: true, ..Kinds::default() };
        let watch = inotify.watch(dir.path(), kinds).unwrap();
        std::fs::write(dir.path().join("a"), b"x").unwrap();
        std::fs::read(dir.path().join("a")).unwrap();
        let expected = [(Happened::Written, "a".to_owned()), (Happened::Read, "a".to_owned())];
        assert_eq!(noticed(&inotify, 2), expected);
        inotify.unwatch(watch);
        assert_eq!(noticed(&inotify, 1), [(Happened::Unwatched, String::new())]);
        inotify.unwatch(watch);
    }

    #[test]
    fn each_read_of_one_file_is_told_however_late_the_queue_is_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), b"x").unwrap();
        let inotify = Inotify::new().unwrap();
        inotify.watch(dir.path(), Kinds { read: true, ..Kinds::default() }).unwrap();
        for _ in 0..50 {
            std::fs::read(dir.path().join("a")).unwrap();
        }
        assert_eq!(noticed(&inotify, 50), vec![(Happened::Read, "a".to_owned()); 50]);
    }

    #[test]
    fn a_rename_and_the_end_of_the_directory_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        let inotify = Inotify::new().unwrap();
        let kinds = Kinds { created: true, moved: true, deleted: true, gone: true, ..Kinds::default() };
        inotify.watch(&inside, kinds).unwrap();
        std::fs::write(inside.join("a"), b"x").unwrap();
        std::fs::rename(inside.join("a"), inside.join("b")).unwrap();
        std::fs::remove_file(inside.join("b")).unwrap();
        std::fs::remove_dir(&inside).unwrap();
        let all: Vec<_> = noticed(&inotify, 6).into_iter().map(|(happened, _)| happened).collect();
        let expected = [
            Happened::Created,
            Happened::MovedFrom,
            Happened::MovedTo,
            Happened::Deleted,
            Happened::Gone,
            Happened::Unwatched,
        ];
        assert_eq!(all, expected);
    }
}
