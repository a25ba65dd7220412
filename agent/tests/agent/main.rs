//! The real agent on real files: what its pages say, how it ends, what it costs.

mod ending;
mod hostile;
#[path = "../support/otlp_receiver.rs"]
mod otlp_receiver;
mod pages;
mod program;
