//! What an HTTP request of the go command was for, told from its URL.
//!
//! The go command asks module proxies (`MODULE/@v/VERSION.zip`, `MODULE/@latest`), the checksum database (`/lookup/`,
//! `/tile/`, also through a proxy under `/sumdb/`), and web sites for where a module lives (`?go-get=1`).
//! Sources: `go help goproxy`, golang.org/x/mod/sumdb, cmd/go/internal/vcs.

use gobeacon_formats::module_path::unescape;
use gobeacon_formats::{FailureClass, HttpAnswer};

/// The module by which the go command downloads toolchains.
pub(super) const TOOLCHAIN_MODULE: &str = "golang.org/toolchain";

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// A file of one module version at a proxy.
    Version {
        module: String,
        version: String,
        /// Whether it is the zip: the module itself.
        zip: bool,
    },
    /// The versions of a module, at a proxy.
    Versions { module: String },
    /// The checksum database about one module version.
    Lookup { module: String, version: String },
    /// Anything else of the checksum database. `optional` when a 404 is a plain no: does this proxy mirror it?
    Sumdb { optional: bool },
    /// A web site, about where the module of this import path lives.
    Discovery { path: String },
    /// Something else.
    Other,
}

/// A URL taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) asked: Asked,
    /// Without user info and port.
    pub(super) host: String,
    /// Scheme, host and port, and the path up to what was asked for: parts one proxy from another.
    pub(super) base: String,
}

impl Request {
    /// Reads the URL as `-x` prints it.
    pub(super) fn read(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let authority = authority.rsplit('@').next().unwrap_or("");
        let host = host_of(authority).to_owned();
        let path = decoded(path);
        let (asked, prefix) = asked(&host, &path, query);
        Self { asked, host, base: format!("{scheme}://{authority}/{prefix}") }
    }

    /// The class of failure that an answer is, if it is one.
    pub(super) fn failure(&self, answer: &HttpAnswer) -> Option<FailureClass> {
        Some(match (&self.asked, reason(answer)?) {
            (Asked::Lookup { .. } | Asked::Sumdb { .. }, _) => FailureClass::ChecksumSumdbUnreachable,
            (Asked::Discovery { .. }, FailureClass::ProxyNotFound) => FailureClass::VcsNotFound,
            (Asked::Version { .. } | Asked::Versions { .. } | Asked::Discovery { .. } | Asked::Other, class) => class,
        })
    }
}

/// Why an answer is a failure, if it is one, whoever was asked.
pub(super) fn reason(answer: &HttpAnswer) -> Option<FailureClass> {
    match answer {
        HttpAnswer::Answered { status, .. } => of_status(*status),
        HttpAnswer::Failed { error } => Some(of_error(error)),
    }
}

fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        Some(_) | None => authority,
    }
}

/// What was asked for, and the path in front of it.
fn asked<'a>(host: &str, path: &'a str, query: &str) -> (Asked, &'a str) {
    if query.split('&').any(|part| part == "go-get=1") {
        return (Asked::Discovery { path: format!("{host}/{path}").trim_end_matches('/').to_owned() }, path);
    }
    if let Some((prefix, rest)) = path.split_once("sumdb/") {
        let about = rest.split_once('/').map_or("", |(_, about)| about);
        return (sumdb(about), prefix);
    }
    if let Some((in_front, file)) = path.rsplit_once("/@v/") {
        let (prefix, module) = module_at_end(in_front);
        let (version, extension) = file.rsplit_once('.').unwrap_or((file, ""));
        let asked = match extension {
            "zip" | "info" | "mod" => {
                Asked::Version { module: unescape(module), version: unescape(version), zip: extension == "zip" }
            }
            _ => Asked::Versions { module: unescape(module) },
        };
        return (asked, prefix);
    }
    if let Some(in_front) = path.strip_suffix("/@latest") {
        let (prefix, module) = module_at_end(in_front);
        return (Asked::Versions { module: unescape(module) }, prefix);
    }
    let lookup = path.strip_prefix("lookup/").or_else(|| path.split_once("/lookup/").map(|(_, about)| about));
    if lookup.is_some_and(|about| about.contains('@')) {
        return (sumdb(path.get(path.find("lookup/").unwrap_or(0)..).unwrap_or("")), "");
    }
    if path == "latest" || path.starts_with("tile/") || path.contains("/tile/") {
        return (Asked::Sumdb { optional: false }, "");
    }
    (Asked::Other, path)
}

fn sumdb(about: &str) -> Asked {
    match about.strip_prefix("lookup/").and_then(|lookup| lookup.rsplit_once('@')) {
        Some((module, version)) => Asked::Lookup { module: unescape(module), version: unescape(version) },
        None => Asked::Sumdb { optional: about == "supported" },
    }
}

/// Parts the path of a proxy from the module behind it: a module path begins with a name that has a dot.
fn module_at_end(path: &str) -> (&str, &str) {
    let mut begin = 0;
    for element in path.split('/') {
        if element.contains('.') && !element.starts_with('.') {
            return path.split_at_checked(begin).unwrap_or(("", path));
        }
        begin += element.len() + 1;
    }
    ("", path)
}

/// Undoes percent-encoding; what is none stays.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or(&[]);
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The class of an HTTP status, if it is a failure.
pub(super) fn of_status(status: u16) -> Option<FailureClass> {
    Some(match status {
        0..400 => return None,
        400 => FailureClass::ProxyBadRequest,
        401 => FailureClass::ProxyUnauthorized,
        403 => FailureClass::ProxyForbidden,
        404 | 410 => FailureClass::ProxyNotFound,
        407 => FailureClass::ProxyAuthRequired,
        429 => FailureClass::ProxyRateLimited,
        500.. => FailureClass::ProxyServerError,
        402 | 405 | 406 | 408 | 409 | 411..=428 | 430..=499 => FailureClass::Unknown,
    })
}

/// What parts of an error text tell its class; the first that fits.
const ERRORS: &[(&str, FailureClass)] = &[
    ("Proxy Authentication Required", FailureClass::ProxyAuthRequired),
    ("proxyconnect", FailureClass::NetworkProxy),
    ("TLS handshake timeout", FailureClass::NetworkTimeout),
    ("i/o timeout", FailureClass::NetworkTimeout),
    ("deadline exceeded", FailureClass::NetworkTimeout),
    ("connection refused", FailureClass::NetworkRefused),
    ("no such host", FailureClass::NetworkDns),
    ("server misbehaving", FailureClass::NetworkDns),
    ("x509", FailureClass::NetworkTls),
    ("tls:", FailureClass::NetworkTls),
    ("reset by peer", FailureClass::NetworkReset),
    ("unreachable", FailureClass::NetworkReset),
    ("EOF", FailureClass::NetworkReset),
    ("redirect", FailureClass::ProxyRedirect),
];

/// The class of a network error's text.
pub(super) fn of_error(error: &str) -> FailureClass {
    ERRORS.iter().find(|(part, _)| error.contains(part)).map_or(FailureClass::Unknown, |(_, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(module: &str, version: &str, zip: bool) -> Asked {
        Asked::Version { module: module.to_owned(), version: version.to_owned(), zip }
    }

    #[test]
    fn a_proxy_is_asked_for_files_of_a_version() {
        let request = Request::read("https://u:p@proxy.example:8443/go/github.com/%21burnt%21sushi/toml/@v/v1.0.0.zip");
        assert_eq!(request.asked, version("github.com/BurntSushi/toml", "v1.0.0", true));
        assert_eq!(request.host, "proxy.example");
        assert_eq!(request.base, "https://proxy.example:8443/go/");
        let incompatible = Request::read("http://p/example.com/lib/@v/v2.0.0%2Bincompatible.mod");
        assert_eq!(incompatible.asked, version("example.com/lib", "v2.0.0+incompatible", false));
    }

    #[test]
    fn lists_lookups_and_discovery_are_told_apart() {
        let versions = Asked::Versions { module: "example.com/lib".to_owned() };
        assert_eq!(Request::read("http://p/example.com/lib/@v/list").asked, versions);
        assert_eq!(Request::read("http://p/example.com/lib/@latest").asked, versions);
        let lookup = Asked::Lookup { module: "example.com/lib".to_owned(), version: "v1.0.0".to_owned() };
        assert_eq!(Request::read("https://sum.golang.org/lookup/example.com/lib@v1.0.0").asked, lookup);
        assert_eq!(Request::read("http://p/sumdb/sum.golang.org/lookup/example.com/lib@v1.0.0").asked, lookup);
        assert_eq!(Request::read("http://p/sumdb/sum.golang.org/supported").asked, Asked::Sumdb { optional: true });
        assert_eq!(Request::read("https://sum.golang.org/tile/8/0/x").asked, Asked::Sumdb { optional: false });
        assert_eq!(
            Request::read("https://corp.example/lib?go-get=1").asked,
            Asked::Discovery { path: "corp.example/lib".to_owned() }
        );
        assert_eq!(Request::read("nonsense").asked, Asked::Other);
    }

    #[test]
    fn a_failed_answer_has_a_class_and_a_good_one_none() {
        let request = Request::read("http://p/example.com/lib/@v/list");
        let answered = |status| HttpAnswer::Answered { status, duration_seconds: 0.1 };
        assert_eq!(request.failure(&answered(200)), None);
        assert_eq!(request.failure(&answered(410)), Some(FailureClass::ProxyNotFound));
        assert_eq!(request.failure(&answered(502)), Some(FailureClass::ProxyServerError));
        let failed = HttpAnswer::Failed { error: "dial tcp 127.0.0.1:1: connect: connection refused".to_owned() };
        assert_eq!(request.failure(&failed), Some(FailureClass::NetworkRefused));
        let sumdb = Request::read("https://sum.golang.org/latest");
        assert_eq!(sumdb.failure(&answered(503)), Some(FailureClass::ChecksumSumdbUnreachable));
        let site = Request::read("https://corp.example/lib?go-get=1");
        assert_eq!(site.failure(&answered(404)), Some(FailureClass::VcsNotFound));
    }
}
