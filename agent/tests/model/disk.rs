//! A small file system that can be full, where this process may make one.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A tmpfs of some MiB. It is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one over a folder, which is made. Says why it cannot.
    pub(crate) fn mount(at: &Path, megabytes: u64) -> Result<Self, String> {
        std::fs::create_dir_all(at).unwrap();
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "gobeacon-model"]).arg(at).output();
        match mount {
            Ok(output) if output.status.success() => Ok(Self { at: at.to_owned() }),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Leaves no byte free.
    pub(crate) fn fill(&self) {
        let filler = self.at.join("filler");
        let mut size = 1 << 20;
        while size >= 1 << 10 {
            let old = std::fs::read(&filler).unwrap_or_default();
            let more = [old, vec![b'x'; size]].concat();
            if std::fs::write(&filler, more).is_err() {
                size /= 2;
            }
        }
    }

    /// Gives the room back.
    pub(crate) fn free(&self) {
        let _ = std::fs::remove_file(self.at.join("filler"));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // lazily: whoever still has a file open there is about to end
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
    }
}
