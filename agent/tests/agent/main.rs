//! The real agent on real files: what its pages say, how it ends, what it costs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "all of it is tests"
)]

#[path = "../support/authority.rs"]
mod authority;
mod ending;
mod hostile;
mod integrity;
mod leaving;
mod limits;
mod lives;
#[path = "../../../collectors/tests/integrity/modules.rs"]
mod modules;
#[path = "../support/otlp_receiver.rs"]
mod otlp_receiver;
mod outage;
mod pages;
mod program;
mod proxies;
#[path = "../support/proxy.rs"]
mod proxy;
mod reload;
mod rotation;
mod shutdown;
mod surviving;
mod traps;
mod worst;
