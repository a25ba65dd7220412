//! gobeacon: tells why Go builds are slow, why they fail, and whether what is built is what it should be.

#[expect(dead_code, reason = "the house is being built: the modules that make spans land next")]
mod builds {
    pub(crate) mod build;
}

fn main() {}
