//! Compiles examples in documentation as one program, in rustdoc's place.
//!
//! rustdoc runs twice. In the first pass a link to this program takes rustc's place. It keeps what rustdoc
//! gives to rustc, and answers that nothing compiles, so nothing runs. The examples that can be merged are
//! compiled as one program ([`bundle`]). The second pass is the real one. Where rustdoc calls rustc for a
//! merged example, the link puts the finished program in place. For every other example it starts rustc as
//! rustdoc would. So rustdoc names, filters, runs and judges all examples as usual, and each has a process of
//! its own. The result of the second pass is final.
//!
//! The option of rustdoc that makes this possible, `--test-builder-wrapper`, is unstable. Stable rustdoc takes
//! it where `RUSTC_BOOTSTRAP=1` is set. That variable would also let an example use unstable features. So no
//! compiler and no example gets it, and rustdoc itself allows no feature (`-Zallow-features=`). It was tried
//! with Rust 1.90 and 1.95. If rustdoc refuses the options, nothing is collected, and rustdoc runs as usual.

mod bundle;
pub(super) mod kept;

use crate::process::{self, Command};
use crate::say;
use anyhow::{Context as _, Result};
use kept::Kept;
use rust_vmm_ci_core::checks::examples::{Call, Example, is_macro, libraries, may_tell_apart};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The name of the link that collects examples in rustc's place.
pub(super) const COLLECT: &str = "rust-vmm-ci-collect";
/// The name of the link that compiles an example in rustc's place.
pub(super) const BUILD: &str = "rust-vmm-ci-build";
/// The name of the link that starts an example.
pub(super) const START: &str = "rust-vmm-ci-start";

/// How the line begins that says how many examples were merged.
const MERGED: &str = "rust-vmm-ci: examples in documentation compiled as one program: ";

/// The variable that makes unstable options usable with a stable toolchain.
const BOOTSTRAP: &str = "RUSTC_BOOTSTRAP";
/// The file with the merged examples: the program and the number in it, by [`Example::key`].
const BUNDLES: &str = "bundles.json";
/// The file that is made where a call of rustc could not be read. Then nothing is merged.
const UNREADABLE: &str = "unreadable";
/// The file beside a program that must be copied for each example, where a link will not do.
const COPY: &str = "copy";
/// The file in the folder of the shims with the crates that have too few examples to merge, one in each line.
const FEW: &str = "few-examples";
/// The file in the folder of the shims with the crates whose examples are not known, one in each line.
const UNKNOWN: &str = "unknown-examples";

/// The file that is there where a library of the call may pass on procedural macros.
const MACROS: &str = "macros";

/// The program of each merged example, and the example's number in it.
type Bundles = BTreeMap<String, (PathBuf, usize)>;

/// Runs the examples in a crate's documentation. `folder` is the folder of the shims, and `rustdoc` is the
/// call that cargo made.
pub(super) fn run(folder: &Path, rustdoc: &Command) -> Result<i32> {
    let prepared = if may_merge(rustdoc) { prepare(folder, rustdoc) } else { Ok(None) };
    let Some(prepared) = prepared.unwrap_or_else(|error| {
        say::note(format_args!("{error:#}; each example is compiled alone"));
        None
    }) else {
        return process::replace(rustdoc);
    };
    let link = |name: &str| prepared.folder.path().join(name);
    let options = [OsString::from("--test-builder-wrapper"), link(BUILD).into()];
    let runner = [OsString::from("--test-runtool"), link(START).into()];
    let status = process::run_here(&unstable(rustdoc).args(options).args(runner))?;
    let (merged, all) = (prepared.merged, prepared.all);
    if merged > 0 {
        say::line(format_args!("{MERGED}{merged} of {all}"));
        super::tell::merged(folder, merged);
    }
    if merged > 0 && !status.success() {
        say::note(
            "each example ran in a process of its own, but most of them were compiled as one program; to compile \
             an example alone, mark it as `standalone_crate` (rustdoc 1.82 or newer); to compile all alone, set \
             `merge-examples: false`",
        );
    }
    // A rustdoc that a signal has ended has failed too.
    Ok(status.code().unwrap_or(101))
}

/// rustdoc with the options that are unstable.
fn unstable(rustdoc: &Command) -> Command {
    rustdoc.clone().args(["-Zunstable-options", "-Zallow-features="]).env(BOOTSTRAP, "1")
}

/// Whether the call is an ordinary one. Nobody else may have chosen how examples are compiled or started.
/// From edition 2024 on, rustdoc merges examples itself.
fn may_merge(rustdoc: &Command) -> bool {
    const OTHERS: &[&str] = &[
        "-Z",
        "--test-builder",
        "--test-runtool",
        "--persist-doctests",
        "--no-run",
        "--remap-path-prefix",
        "--doctest-",
        "@",
    ];
    let words: Option<Vec<&str>> = rustdoc.args.iter().map(|word| word.to_str()).collect();
    let Some(words) = words else { return false };
    let edition =
        |word: &&str| ["2018", "2021"].iter().any(|edition| *word == format!("--edition={edition}"));
    words.iter().any(edition)
        && !words.iter().any(|word| OTHERS.iter().any(|other| word.starts_with(other)))
        && std::env::var_os(BOOTSTRAP).is_none()
}

/// What the second pass needs.
struct Prepared {
    folder: TempDir,
    merged: usize,
    all: usize,
}

/// The first pass, and the programs. None if nothing can be merged or kept.
fn prepare(shims: &Path, rustdoc: &Command) -> Result<Option<Prepared>> {
    let name = name_of_crate(rustdoc);
    let noted = |file: &str| {
        fs::read_to_string(shims.join(file)).is_ok_and(|text| text.lines().any(|line| line == name))
    };
    if noted(UNKNOWN) || may_tell_apart(sources(rustdoc).iter().map(String::as_str)) {
        return Ok(None);
    }
    let keeps = Kept::of(shims).is_some();
    if noted(FEW) && !keeps {
        return Ok(None);
    }
    let folder =
        tempfile::Builder::new().prefix("examples-").tempdir_in(shims).context("merging examples")?;
    for name in [COLLECT, BUILD, START] {
        super::super::instrument::link(&shims.join(super::shim::RUSTDOC), &folder.path().join(name))
            .context("merging examples")?;
    }
    if keeps && may_pass_on_macros(rustdoc) {
        fs::write(folder.path().join(MACROS), "").context("merging examples")?;
    }
    let (mut bundles, mut all) = (Bundles::new(), 0);
    if !noted(FEW) {
        let examples = first_pass(folder.path(), rustdoc)?;
        all = examples.len();
        if all == 0 {
            note(shims, UNKNOWN, &name)?;
            return Ok(None);
        }
        bundles = bundle::make(shims, folder.path(), examples)?;
        if bundles.is_empty() {
            note(shims, FEW, &name)?;
        }
    }
    let merged = bundles.len();
    fs::write(folder.path().join(BUNDLES), serde_json::to_vec(&bundles)?).context("merging examples")?;
    Ok((merged > 0 || keeps).then_some(Prepared { folder, merged, all }))
}

/// Whether a library of the call uses procedural macros: it may export them as its own. They are in a folder of the call,
/// beside all that was ever compiled there.
fn may_pass_on_macros(rustdoc: &Command) -> bool {
    let words: Vec<String> = rustdoc.args.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let folders = words
        .iter()
        .filter_map(|word| word.strip_prefix("-Ldependency=").or(word.strip_prefix("dependency=")));
    let entries = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().filter_map(Result::ok);
    let files = entries.map(|entry| entry.path().to_string_lossy().into_owned());
    let macros: Vec<String> = files.filter(|file| is_macro(file)).collect();
    libraries(&words).any(|library| macros.iter().any(|file| bundle::names(library, file)))
}

/// Adds the name of a crate to a file in the folder of the shims.
fn note(shims: &Path, file: &str, name: &str) -> Result<()> {
    let before = fs::read_to_string(shims.join(file)).unwrap_or_default();
    fs::write(shims.join(file), before + name + "\n").context("merging examples")
}

/// All examples. There are none if rustdoc refuses the options, or calls rustc in an unknown way.
fn first_pass(folder: &Path, rustdoc: &Command) -> Result<Vec<Example>> {
    let wrapper = [OsString::from("--test-builder-wrapper"), folder.join(COLLECT).into()];
    process::run_into(&unstable(rustdoc).args(wrapper), &folder.join("first-pass"))?;
    if folder.join(UNREADABLE).exists() { Ok(Vec::new()) } else { collected(folder) }
}

fn name_of_crate(rustdoc: &Command) -> String {
    let position = rustdoc.args.iter().position(|word| word == "--crate-name");
    let name = position.and_then(|position| rustdoc.args.get(position + 1));
    name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The Rust sources beside and below the crate's root file.
fn sources(rustdoc: &Command) -> Vec<String> {
    let root =
        rustdoc.args.iter().map(Path::new).find(|word| word.extension().is_some_and(|end| end == "rs"));
    let Some(folder) = root.and_then(Path::parent) else { return Vec::new() };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    files
        .filter(|file| file.file_type().is_file() && file.path().extension().is_some_and(|end| end == "rs"))
        .filter_map(|file| fs::read(file.path()).ok())
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .collect()
}

/// The examples that the first pass has left in the folder.
fn collected(folder: &Path) -> Result<Vec<Example>> {
    let mut examples = Vec::new();
    for entry in fs::read_dir(folder)?.filter_map(Result::ok) {
        if entry.path().extension().is_some_and(|end| end == "example") {
            let example: Example = serde_json::from_slice(&fs::read(entry.path())?)?;
            examples.push(example);
        }
    }
    // A folder lists its entries in no particular order.
    examples.sort_by_key(Example::key);
    Ok(examples)
}

/// Keeps a call of rustc in the folder, and says that it failed.
pub(super) fn collect(folder: &Path, words: &[OsString]) -> Result<i32> {
    match read_call(words) {
        Some(call) if call.from_input => {
            let example = read_example(call)?;
            fs::write(folder.join(example.key() + ".example"), serde_json::to_vec(&example)?)?;
        }
        // What rustdoc merges itself. It does so in the second pass too.
        Some(_) => {}
        None => fs::write(folder.join(UNREADABLE), "")?,
    }
    Ok(1)
}

/// Compiles what rustdoc has rustc compile: puts a merged example's program in place, or calls rustc.
pub(super) fn build(folder: &Path, words: &[OsString]) -> Result<i32> {
    let call = read_call(words).context("rustdoc called the compiler in an unknown way")?;
    let rustc = Command::new(&call.compiler).args(call.plain_args());
    // A runner has no example in it, and rustdoc sets the variable for it.
    let rustc = if call.makes_rustdocs_runner() { rustc } else { rustc.env_remove(BOOTSTRAP) };
    if !call.from_input {
        return process::replace(&rustc);
    }
    let (output, only_checks) = (call.output.clone(), call.only_checks());
    let example = read_example(call)?;
    let bundles: Bundles = serde_json::from_slice(&fs::read(folder.join(BUNDLES))?)?;
    match (bundles.get(&example.key()), output) {
        (Some(_), Some(_)) if only_checks => Ok(0),
        (Some((program, number)), Some(output)) => {
            // Each example has a path of its own, by which the program finds its number.
            let copy = program.with_file_name(COPY).exists();
            if copy || fs::hard_link(program, &output).is_err() {
                fs::copy(program, &output).context("placing an example's program")?;
            }
            fs::write(output + ".example", number.to_string()).context("placing an example's program")?;
            Ok(0)
        }
        (_, output) => alone(folder, &rustc, &example, output.filter(|_| !only_checks).as_deref()),
    }
}

/// Compiles an example as rustdoc would, or takes the program that was kept. `output` is the program; none if
/// rustdoc only wants to know whether the example compiles.
fn alone(folder: &Path, rustc: &Command, example: &Example, output: Option<&str>) -> Result<i32> {
    let at = |end: &str| folder.join(example.key() + end);
    let source = at(".rs");
    fs::write(&source, &example.source).context("keeping an example's source")?;
    let kept = folder.parent().and_then(Kept::of).zip(output.map(Path::new));
    let line = example.line.to_string();
    let texts = [&*example.source, &example.file, &line];
    let key = kept::key(std::slice::from_ref(example), folder.join(MACROS).exists(), &example.args, texts);
    let (Some((kept, program)), Some(key)) = (kept, key) else {
        return process::replace_reading(rustc, &source);
    };
    if let Some(said) = kept.take(&key, program) {
        say::pass_on_error(&said);
        return Ok(0);
    }
    let rustc = kept::listing(rustc.clone(), &at(".list"));
    let status = process::run_reading_into(&rustc, &source, &at(".said"))?;
    let said = fs::read(at(".said")).context("reading what the compiler said")?;
    say::pass_on_error(&said);
    if status.success() && kept::has_read_only(&at(".list"), 0)? {
        kept.put(&key, program, &said);
    }
    Ok(status.code().unwrap_or(101))
}

/// Starts an example without the variable that only rustdoc is meant to see.
pub(super) fn start(words: &[OsString]) -> Result<i32> {
    let (program, words) = words.split_first().context("no example was named")?;
    process::replace(&Command::new(program).args(words.iter().cloned()).env_remove(BOOTSTRAP))
}

fn read_call(words: &[OsString]) -> Option<Call> {
    let words: Option<Vec<String>> = words.iter().map(|word| Some(word.to_str()?.to_owned())).collect();
    Call::read(&words?, |file| fs::read_to_string(file).ok())
}

/// The example of a call, from standard input and from the variables that rustdoc sets for rustc.
fn read_example(call: Call) -> Result<Example> {
    let mut source = String::new();
    std::io::stdin().read_to_string(&mut source).context("reading an example")?;
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let line = variable("UNSTABLE_RUSTDOC_TEST_LINE").parse().unwrap_or(i64::MAX / 2);
    let file = variable("UNSTABLE_RUSTDOC_TEST_PATH");
    Ok(Example { compiler: call.compiler, args: call.args, source, file, line })
}
