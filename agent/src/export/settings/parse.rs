//! The values of the standard variables: lists, truth values, times, endpoints. Text in, values out.
//!
//! Invariant: an error says what is wrong and what to write instead, and never repeats the value, which may be secret.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};

use super::{Compression, Protocol};

/// What is wrong with a value and what to do; the caller knows its name.
pub(super) type Wrong = &'static str;

/// `grpc` or `http/protobuf`.
pub(super) fn protocol(text: &str) -> Result<Protocol, Wrong> {
    match text {
        "grpc" => Ok(Protocol::Grpc),
        "http/protobuf" => Ok(Protocol::HttpProtobuf),
        "http/json" => Err("http/json is not spoken: write grpc or http/protobuf"),
        _ => Err("is not a protocol: write grpc or http/protobuf"),
    }
}

/// `gzip` or `none`.
pub(super) fn compression(text: &str) -> Result<Compression, Wrong> {
    match text {
        "gzip" => Ok(Compression::Gzip),
        "none" => Ok(Compression::None),
        _ => Err("is not a compression: write gzip or none"),
    }
}

/// Milliseconds, as the OTLP specification has it.
pub(super) fn timeout(text: &str) -> Result<Duration, Wrong> {
    match text.parse::<u32>() {
        Ok(0) => Err("is 0: write a number of milliseconds greater than 0, such as 10000"),
        Ok(milliseconds) => Ok(Duration::from_millis(milliseconds.into())),
        Err(_) => Err("is not a number of milliseconds: write a whole number, such as 10000"),
    }
}

/// Only `true`, in any case, is true: the rule of OpenTelemetry for all its truth values.
pub(super) fn truth(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

/// `key=value,key=value` with percent-encoded values, as of W3C Baggage, in the order written.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>, Wrong> {
    let mut pairs = Vec::new();
    for member in text.split(',').map(str::trim).filter(|member| !member.is_empty()) {
        let Some((key, value)) = member.split_once('=') else {
            return Err("has a member without `=`: write key=value,key=value with values percent-encoded");
        };
        let (key, value) = (percent_decoded(key.trim())?, percent_decoded(value.trim())?);
        if key.is_empty() {
            return Err("has a member without a key: write key=value,key=value");
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// The same, for headers.
pub(super) fn headers(text: &str) -> Result<BTreeMap<String, String>, Wrong> {
    pairs(text)?.into_iter().map(|(name, value)| header(&name, &value)).collect()
}

/// One header; its name comes back in lower case.
pub(super) fn header(name: &str, value: &str) -> Result<(String, String), Wrong> {
    let name = header_name(name)?;
    if HeaderValue::from_str(value).is_err() {
        return Err("has a header whose value holds control characters: check for a line end in it");
    }
    Ok((name, value.to_owned()))
}

/// The name of a header in lower case.
pub(super) fn header_name(name: &str) -> Result<String, Wrong> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| "has a header whose name is not one: write letters, digits and - only")?;
    if name.as_str().starts_with("grpc-") || matches!(name.as_str(), "te" | "content-type" | "content-length" | "host")
    {
        return Err("sets a header that the protocol sets itself: remove it");
    }
    Ok(name.as_str().to_owned())
}

/// The scheme, host and port of a gRPC endpoint, and user info. Without a scheme it is TLS, unless `insecure`.
pub(super) fn grpc_endpoint(text: &str, insecure: bool) -> Result<Url, Wrong> {
    let scheme = if insecure { "http" } else { "https" };
    let url = if text.contains("://") { text.parse() } else { format!("{scheme}://{text}").parse() };
    let url: Url = url.map_err(|_| NOT_A_URL)?;
    check(&url)?;
    if !matches!(url.path(), "" | "/") || url.query().is_some() {
        return Err("has a path, which gRPC does not use: remove it, or set the protocol to http/protobuf");
    }
    Ok(url)
}

/// The URL of an OTLP/HTTP signal. `append` is the signal's path below a base URL; `None` takes the URL as it is.
pub(super) fn http_endpoint(text: &str, append: Option<&str>) -> Result<Url, Wrong> {
    if !text.contains("://") {
        return Err("has no scheme: write http:// or https:// before the host");
    }
    let mut url: Url = text.parse().map_err(|_| NOT_A_URL)?;
    check(&url)?;
    if let Some(path) = append {
        let path = format!("{}/{path}", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(url)
}

const NOT_A_URL: Wrong = "is not a URL: write it as http://host:port";

fn check(url: &Url) -> Result<(), Wrong> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("has a scheme that is not known: write http:// or https://");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("has no host: write it as http://host:port");
    }
    if url.fragment().is_some() {
        return Err("has a fragment: remove # and what follows");
    }
    Ok(())
}

/// Takes user info out of a URL: what it is as the value of the header `authorization`.
pub(super) fn take_user_info(url: &mut Url) -> Result<Option<String>, Wrong> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let user = percent_decoded(url.username())?;
    let password = percent_decoded(url.password().unwrap_or_default())?;
    // neither fails on a URL that has a host
    let _ = (url.set_username(""), url.set_password(None));
    Ok(Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))))
}

fn percent_decoded(text: &str) -> Result<String, Wrong> {
    const ENCODING: Wrong = "is not percent-encoded well: write % as %25, and other bytes as UTF-8";
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first == b'%' {
            let digits = rest.split_at_checked(2).and_then(|(two, tail)| {
                rest = tail;
                u8::from_str_radix(std::str::from_utf8(two).ok().filter(|two| !two.starts_with('+'))?, 16).ok()
            });
            bytes.push(digits.ok_or(ENCODING)?);
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).map_err(|_| ENCODING)
}
