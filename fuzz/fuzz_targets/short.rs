//! All targets in one program, which is linked once: `SLUICE_FUZZ_TARGET` names the one to run.
#![no_main]

use std::sync::LazyLock;

static HOLDS: LazyLock<sluice_fuzz::Property> = LazyLock::new(|| {
    let name = std::env::var("SLUICE_FUZZ_TARGET").expect("SLUICE_FUZZ_TARGET names a target");
    let named = sluice_fuzz::TARGETS.iter().find(|row| row.0 == name);
    named.expect("one of the targets of fuzz/src/lib.rs").1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (*HOLDS)(data));
