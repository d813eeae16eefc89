//! Which environment variables can change what a check finds. A report has their names, so that a person who
//! repeats the check learns what differs.

use super::secrets::is_secret;

/// The beginnings of the names: of cargo, rustc, rustup, and of libraries for tests.
const PREFIXES: [&str; 5] = ["CARGO_", "RUST", "PROPTEST_", "QUICKCHECK_", "PKG_CONFIG"];
/// Whole names: of C compilers, the linker, Miri, and the ones that name the base of a change.
const NAMES: [&str; 16] = [
    "AR",
    "BASE_BRANCH",
    "CC",
    "CFLAGS",
    "CPPFLAGS",
    "CXX",
    "CXXFLAGS",
    "LDFLAGS",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "LIBCLANG_PATH",
    "LLVM_PROFILE_FILE",
    "MIRIFLAGS",
    "REMOTE",
    "SOURCE_DATE_EPOCH",
    "TZ",
];
/// Variables with such a beginning that change no result. They say where files are or how output looks, or cargo
/// sets them for the programs that it starts (The Cargo Book, "Environment Variables").
const HARMLESS: [&str; 11] = [
    "CARGO_BIN_",
    "CARGO_CRATE_NAME",
    "CARGO_HOME",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_TARGET_DIR",
    "CARGO_TARGET_TMPDIR",
    "CARGO_TERM_",
    "RUSTUP_HOME",
    "RUST_VMM_CI_",
];

/// Whether an environment variable of this name can change what a check finds. A secret never counts.
pub fn variable_matters(name: &str) -> bool {
    let begins = |all: &[&str]| all.iter().any(|prefix| name.starts_with(prefix));
    (begins(&PREFIXES) || NAMES.contains(&name)) && !begins(&HARMLESS) && !is_secret(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_a_build_matters_and_a_secret_or_a_place_does_not() {
        for name in ["RUSTFLAGS", "RUST_TEST_THREADS", "CARGO_PROFILE_DEV_DEBUG", "CC", "PROPTEST_CASES"] {
            assert!(variable_matters(name), "{name}");
        }
        for name in ["CARGO_REGISTRY_TOKEN", "CARGO_HOME", "CARGO_PKG_NAME", "RUST_VMM_CI_BINARY", "HOME"] {
            assert!(!variable_matters(name), "{name}");
        }
    }
}
