//! gobeacon: tells why Go builds are slow, why they fail, and whether what is built is what it should be.

#[expect(dead_code, reason = "the house is being built: the loop that calls this lands next")]
mod builds;

fn main() {}
