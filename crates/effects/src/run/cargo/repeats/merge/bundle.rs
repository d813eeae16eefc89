//! Compiles the programs that hold many examples.

use super::kept::{self, Kept};
use super::{Bundles, MACROS};
use crate::process::{self, Command};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::checks::examples::{
    Example, NO_EXAMPLE, blamed, groups, main_file, module_file, shows_its_module,
};
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

/// How often a bundle is compiled without the examples that rustc has refused. rustc names those with wrong
/// names first, and those with wrong types only where all names are right.
const ATTEMPTS: usize = 4;

/// The file in the folder of the shims with the examples that could not be merged, one in each line.
const APART: &str = "examples-apart";

/// Compiles those of the examples that can be merged. What cannot be compiled or linked is left out: rustdoc
/// compiles it alone, and says what is wrong.
pub(super) fn make(shims: &Path, folder: &Path, examples: Vec<Example>) -> Result<Bundles> {
    let mut apart = fs::read_to_string(shims.join(APART)).unwrap_or_default();
    let known: BTreeSet<&str> = apart.lines().collect();
    let mut documentation: HashMap<String, String> = HashMap::new();
    let mut fit = Vec::new();
    for example in examples {
        let text = documentation.entry(example.file.clone()).or_insert_with(|| {
            let text = fs::read(&example.file).unwrap_or_default();
            String::from_utf8_lossy(&text).into_owned()
        });
        if !known.contains(example.key_without_args().as_str()) && example.may_merge(text) {
            fit.push(example);
        }
    }
    let kept = Kept::of(shims);
    let mut bundles = Bundles::new();
    let mut refused = Vec::new();
    for (number, group) in groups(fit, links).into_iter().enumerate() {
        let folder = folder.join(format!("bundle-{number}"));
        for (key, example) in compile(kept.as_ref(), &folder, group, &mut refused)? {
            bundles.insert(key, example);
        }
    }
    for example in refused {
        apart.push_str(&example.key_without_args());
        apart.push('\n');
    }
    fs::write(shims.join(APART), apart).context("merging examples")?;
    Ok(bundles)
}

/// Whether a library always has another one linked.
fn links(library: &str, other: &str) -> bool {
    other.ends_with(".rlib") && names(library, other)
}

/// Whether a library uses another one. rustc keeps a hash in the name of each library's file (`libNAME-HASH.rlib`), and
/// writes the hashes of all that a library uses into its file (seen with Rust 1.95).
pub(super) fn names(library: &str, other: &str) -> bool {
    let name = other.rsplit_once('.').and_then(|(name, _)| name.rsplit_once('-'));
    let Some((_, hash)) = name else { return false };
    let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash
        && fs::read(library).is_ok_and(|bytes| {
            bytes.split(|byte| *byte == b'-').any(|part| part.starts_with(hash.as_bytes()))
        })
}

/// Compiles a group of examples in a folder. Those that must be compiled alone are added to `refused`.
fn compile(
    kept: Option<&Kept>,
    folder: &Path,
    mut group: Vec<Example>,
    refused: &mut Vec<Example>,
) -> Result<Bundles> {
    let root = folder.to_str().context("the folder for examples is not UTF-8")?.to_owned();
    for _ in 0..ATTEMPTS {
        // A bundle with one example saves nothing.
        if group.len() < 2 {
            break;
        }
        let (succeeded, said) = attempt(kept, folder, &root, &group)?;
        let program = folder.join("program");
        let blamed = blamed(&said, &group);
        if succeeded {
            // Alone, an example shows its warnings where it fails. Warnings that cannot be assigned may be
            // anyone's.
            let Some(mut alone) = blamed else { break };
            alone.extend(shows_its_module(&fs::read(&program).unwrap_or_default()));
            if !may_link(folder, &program, group.len())? {
                fs::write(folder.join(super::COPY), "").context("merging examples")?;
            }
            let mut bundles = Bundles::new();
            for (number, example) in group.into_iter().enumerate() {
                if alone.contains(&number) {
                    refused.push(example);
                } else {
                    bundles.insert(example.key(), (program.clone(), number));
                }
            }
            return Ok(bundles);
        }
        let Some(blamed) = blamed.filter(|blamed| !blamed.is_empty()) else { break };
        let mut rest = Vec::new();
        for (number, example) in group.into_iter().enumerate() {
            if blamed.contains(&number) { refused.push(example) } else { rest.push(example) }
        }
        group = rest;
    }
    refused.append(&mut group);
    Ok(Bundles::new())
}

/// Whether a program with a second name knows by which name it was started. Some kernels tell it the first.
fn may_link(folder: &Path, program: &Path, examples: usize) -> Result<bool> {
    let probe = folder.join("probe");
    if !program.is_file() || fs::hard_link(program, &probe).is_err() {
        return Ok(false);
    }
    fs::write(folder.join("probe.example"), examples.to_string()).context("merging examples")?;
    let status = process::run_into(&Command::new(probe), &folder.join("probe.said"))?;
    Ok(status.code() == Some(NO_EXAMPLE.into()))
}

/// Compiles a bundle once, or takes the kept result of the same call. Returns whether that succeeded, and what
/// rustc said. A call that failed is not kept: the cause may have been the machine.
fn attempt(kept: Option<&Kept>, folder: &Path, root: &str, group: &[Example]) -> Result<(bool, Vec<u8>)> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir(folder).context("merging examples")?;
    let Some(first) = group.first() else { return Ok((false, Vec::new())) };
    let has_macros = folder.parent().is_none_or(|folder| folder.join(MACROS).exists());
    let (args, main) = (without_format(&first.args), main_file(group));
    let modules: Vec<(String, String)> = (0..).zip(group).map(|(number, e)| module_file(number, e)).collect();
    let texts = modules.iter().flat_map(|(file, text)| [file.as_str(), text]).chain([main.as_str()]);
    let shown = group.iter().map(|example| example.file.as_str());
    let kept = kept.and_then(|kept| Some((kept, kept::key(group, has_macros, &args, texts.chain(shown))?)));
    let program = folder.join("program");
    if let Some(said) = kept.as_ref().and_then(|(kept, key)| kept.take(key, &program)) {
        return Ok((true, said));
    }
    let mut rustc = Command::new(&first.compiler).args(args);
    for ((number, example), (file, text)) in group.iter().enumerate().zip(&modules) {
        fs::create_dir(folder.join(number.to_string())).context("merging examples")?;
        fs::write(folder.join(file), text).context("merging examples")?;
        rustc = rustc.arg(example.shown_as(number, root));
    }
    let source = folder.join("main.rs");
    fs::write(&source, main).context("merging examples")?;
    let rustc = rustc.args(["--crate-name=rust_out", "--error-format=json", "-o"]).arg(&program).arg(&source);
    let (said, list) = (folder.join("said"), folder.join("list"));
    let rustc = if kept.is_some() { kept::listing(rustc, &list) } else { rustc };
    let succeeded = process::run_into(&rustc, &said)?.success();
    let said = fs::read(said).context("merging examples")?;
    if let Some((kept, key)) = kept.filter(|_| succeeded)
        && kept::has_read_only(&list, 1 + group.len())?
    {
        kept.put(&key, &program, &said);
    }
    Ok((succeeded, said))
}

/// The arguments without those that choose how rustc shows its messages.
fn without_format(args: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--color" | "--error-format" => {
                args.next();
            }
            _ if ["--color=", "--error-format=", "--diagnostic-width="]
                .iter()
                .any(|o| arg.starts_with(o)) => {}
            _ => kept.push(arg.clone()),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_with_the_hash_of_another_links_it() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("liba-00112233445566aa.rlib");
        fs::write(&library, b"\xff-0123456789abcde-0123456789abcdef\0").unwrap();
        let links = |other: &str| links(library.to_str().unwrap(), other);
        assert!(links("/t/libb-0123456789abcdef.rlib"));
        for other in [
            "/t/libb-fedcba9876543210.rlib",
            "/t/libb.rlib",
            "/t/libb-0123456789abcdef.so",
            "/t/libb-.rlib",
            "",
        ] {
            assert!(!links(other), "{other}");
        }
        assert!(!super::links("/t/absent-0.rlib", "/t/libb-0123456789abcdef.rlib"));
    }
}
