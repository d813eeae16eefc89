//! What a copy of a known crate needs before it can be measured, each said when it is done.

use std::fs;
use std::path::Path;

/// How many processors one of kvm-ioctls' unit tests asks of KVM, and where it does.
const PROCESSORS_OF_KVM: usize = 4;
const ASKS_FOR_PROCESSORS: (&str, &str) = ("kvm-ioctls/src/ioctls/system.rs", "assert!(nr_vcpus >= 4)");
/// The features of vm-memory that a measure leaves out: 8 sets are left of those of `backend-bitmap`,
/// `backend-mmap` and `xen`, which implies the second, so that some resolve to the same as of all 64.
const LEFT_OUT_OF_VM_MEMORY: &str = r#"["default", "backend-atomic", "iommu", "rawfd"]"#;

/// Prepares a copy; `whole` leaves vm-memory its 64 sets of features. It takes out checks that cannot pass on
/// this machine, and says whether tests can pass. If they cannot, both sides compile the tests and run none.
pub(crate) fn prepare(root: &Path, whole: bool, checks: &mut Vec<String>) -> bool {
    if !whole && manifest_names(root, "vm-memory") {
        let table = "[package.metadata.cargo-all-features]\n";
        let restricted = format!("{table}denylist = {LEFT_OUT_OF_VM_MEMORY}\n");
        replace(&root.join("Cargo.toml"), table, &restricted);
        println!("without the sets that have one of {LEFT_OUT_OF_VM_MEMORY}; `--whole` measures all");
    }
    if manifest_names(&root.join("kvm-ioctls"), "kvm-ioctls") {
        let library = root.join("kvm-bindings/src/lib.rs");
        let text = fs::read_to_string(&library).unwrap();
        fs::write(&library, format!("#![allow(confusable_idents)]\n{text}")).unwrap();
        println!("kvm-bindings allows `confusable_idents`, which is newer than it");
        let (file, assertion) = ASKS_FOR_PROCESSORS;
        let asks = fs::read_to_string(root.join(file)).unwrap().contains(assertion);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        if (asks && processors < PROCESSORS_OF_KVM) || !Path::new("/dev/kvm").exists() {
            checks.retain(|check| check != "coverage");
            println!("tests are compiled and not run: they need KVM with {PROCESSORS_OF_KVM} processors");
            return false;
        }
    }
    true
}

/// Whether the manifest in a folder is the package's.
fn manifest_names(folder: &Path, package: &str) -> bool {
    let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let manifest: toml::Table = toml::from_str(&text).unwrap_or_default();
    manifest.get("package").and_then(|table| table.get("name")?.as_str()) == Some(package)
}

fn replace(file: &Path, what: &str, with: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(what), "{} has no {what}", file.display());
    fs::write(file, text.replacen(what, with, 1)).unwrap();
}
