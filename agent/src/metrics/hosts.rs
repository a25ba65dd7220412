//! Which hosts have their own label value: the first few, and then no more.
//!
//! A log can name a million hosts. The names that were seen first keep their series; whatever comes later is
//! [`OTHER`]. The default module proxy has its place from the start, so that noise cannot push it out.

/// Most hosts with their own name.
pub(super) const MOST: usize = 8;
/// A download that only a log line without a host tells of.
pub(super) const UNKNOWN: &str = "unknown";
/// All hosts beyond the first ones, and what is no host name.
pub(super) const OTHER: &str = "__other__";
/// The values that are there from the start.
pub(super) const AT_START: [&str; 2] = [UNKNOWN, DEFAULT_PROXY];

const DEFAULT_PROXY: &str = "proxy.golang.org";
/// The longest name that DNS knows.
const LONGEST: usize = 253;

/// The allow-list; it fills up and never changes again.
#[derive(Debug)]
pub(super) struct Hosts(Vec<String>);

impl Default for Hosts {
    fn default() -> Self {
        Self(vec![DEFAULT_PROXY.to_owned()])
    }
}

impl Hosts {
    /// The value of the label for `host`.
    pub(super) fn label(&mut self, host: Option<&str>) -> String {
        let Some(host) = host.filter(|host| !host.is_empty()) else { return UNKNOWN.to_owned() };
        let host = host.to_ascii_lowercase();
        if self.0.contains(&host) {
            return host;
        }
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
        if self.0.len() < MOST && host.len() <= LONGEST && host.bytes().all(is_name) {
            self.0.push(host.clone());
            return host;
        }
        OTHER.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hosts_keep_their_names_and_the_default_proxy_always_does() {
        let mut hosts = Hosts::default();
        let labels: Vec<_> = (0..1000).map(|n| hosts.label(Some(&format!("h{n}.example")))).collect();
        assert_eq!(labels.iter().filter(|label| *label != OTHER).count(), MOST - 1);
        assert_eq!(labels[0], "h0.example");
        assert_eq!(hosts.label(Some("H0.EXAMPLE")), "h0.example");
        assert_eq!(hosts.label(Some("proxy.golang.org")), "proxy.golang.org");
        assert_eq!(hosts.label(None), UNKNOWN);
        assert_eq!(hosts.0.len(), MOST);
    }

    #[test]
    fn what_is_no_host_name_takes_no_place() {
        let mut hosts = Hosts::default();
        for bad in ["a b", "a\"b", "x\ny", &"a".repeat(254), "ü.example"] {
            assert_eq!(hosts.label(Some(bad)), OTHER, "{bad}");
        }
        assert_eq!(hosts.0.len(), 1);
        assert_eq!(hosts.label(Some("[::1]")), "[::1]");
    }
}
