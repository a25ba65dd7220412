//! The recorded streams and their labels, out of `testdata/corpus`.

use std::fmt;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

/// What one version of the go command wrote to one stream in one case.
#[derive(Clone)]
pub(crate) struct Stream {
    pub(crate) version: String,
    pub(crate) case: String,
    pub(crate) is_stderr: bool,
    pub(crate) bytes: Vec<u8>,
    /// Another version of the go command wrote the same in this case.
    pub(crate) is_repeated: bool,
    /// The events of a perfect parser.
    pub(crate) want: Vec<Value>,
}

impl Stream {
    /// A stream that is in no recording.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let (version, case) = ("made".into(), "up".into());
        Self { version, case, is_stderr: false, bytes: bytes.to_vec(), is_repeated: false, want: Vec::new() }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.version, self.case, if self.is_stderr { "stderr" } else { "stdout" })
    }
}

/// Every stream of every version.
pub(crate) fn streams() -> impl Iterator<Item = Stream> {
    static STREAMS: LazyLock<Vec<Stream>> = LazyLock::new(read);
    STREAMS.iter().cloned()
}

/// The streams that hold something, each once.
pub(crate) fn distinct() -> impl Iterator<Item = Stream> {
    streams().filter(|stream| !stream.is_repeated && !stream.bytes.is_empty())
}

fn read() -> Vec<Stream> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/corpus");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut streams = Vec::new();
    for file in files {
        let case = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let content: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for recording in content["recordings"].as_array().unwrap() {
            for (n, version) in recording["go"].as_array().unwrap().iter().enumerate() {
                let is_repeated = n > 0;
                let version = version.as_str().unwrap().to_owned();
                let label = content["labels"].get(&version).unwrap_or(&content["labels"]["default"]);
                for (name, is_stderr) in [("stdout", false), ("stderr", true)] {
                    let bytes = recording[name].as_str().unwrap().as_bytes().to_vec();
                    let want = label[name].as_array().cloned().unwrap_or_default();
                    streams.push(Stream {
                        version: version.clone(),
                        case: case.clone(),
                        is_stderr,
                        bytes,
                        is_repeated,
                        want,
                    });
                }
            }
        }
    }
    streams
}
