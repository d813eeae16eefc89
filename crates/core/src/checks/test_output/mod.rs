//! Turns the output of `cargo test` for people into findings.
//!
//! Only cargo's exit status decides the verdict, because a test may print anything, even the messages of
//! libtest and cargo. The output only says which tests to look at if the status is not 0, and where.
//!
//! The output is divided into parts, one for each program that ran. On Linux this program's shim marks the
//! beginning of each program ([`TestOutput::begins`]), and no test can print that mark. On other systems the
//! lines of cargo and libtest divide the output.

mod errors;
mod excerpt;
mod libtest;
mod panics;
#[cfg(test)]
mod tests;

use crate::report::{Finding, Findings, Place, Test, Tests};
use errors::Errors;
pub use excerpt::Excerpt;
use libtest::Libtest;
pub use libtest::place_in_name;
use panics::Panics;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The most failed tests of one program that are listed. Further ones are only counted.
pub const MOST_FAILURES: usize = 500;
/// The most bytes of one test's output that a finding keeps.
pub const MOST_OUTPUT: usize = 8 << 10;
/// The most programs that are kept apart.
const MOST_PROGRAMS: usize = 5000;
/// The beginning of the name that [`TestOutput::begins`] receives for the examples in the documentation of a
/// crate.
pub const DOC: &str = "doc:";

/// The package of each test program. The key is the program's file name, or for examples [`DOC`] and the
/// crate's name.
pub type Packages = HashMap<String, String>;

/// Reads the output of one `cargo test`.
#[derive(Debug)]
pub struct TestOutput {
    /// Whether marks divide the output.
    is_marked: bool,
    outs: Vec<Part<Libtest>>,
    errors: Vec<Part<Errors>>,
    /// The targets that failed, from cargo's list at its end. If there are several lists, the last one
    /// counts.
    targets: Option<BTreeSet<String>>,
    in_targets: bool,
    announced: Option<u64>,
}

/// What was read from one stream of one program.
#[derive(Debug, Default)]
struct Part<T> {
    /// The program's path, or [`DOC`] and the name of a crate.
    program: Option<String>,
    read: T,
}

impl Default for TestOutput {
    fn default() -> Self {
        Self {
            is_marked: false,
            outs: vec![Part::default()],
            errors: vec![Part::default()],
            targets: None,
            in_targets: false,
            announced: None,
        }
    }
}

impl TestOutput {
    /// Records that from here on, a stream has the output of another program.
    pub fn begins(&mut self, program: &str, standard_error: bool) {
        if !self.is_marked {
            // Everything that was divided without marks before may be wrong.
            *self = Self { is_marked: true, announced: self.announced, ..Self::default() };
        }
        let program = Some(program.to_owned());
        if standard_error {
            add(&mut self.errors, Part { program, read: Errors::default() });
        } else {
            add(&mut self.outs, Part { program, read: Libtest::default() });
        }
    }

    /// How many tests the programs say that they run; none if no program says it.
    pub fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// Reads a line of standard output or standard error.
    pub fn read(&mut self, line: &[u8], standard_error: bool) {
        if standard_error {
            let text = String::from_utf8_lossy(line);
            let text = anstream::adapter::strip_str(&text).to_string();
            return self.read_error(text.trim_end());
        }
        if let Some(count) = count_of_tests(line) {
            self.announced = Some(self.announced.unwrap_or_default().saturating_add(count));
        }
        if !self.is_marked
            && line.starts_with(b"running ")
            && self.outs.last().is_some_and(|part| part.read.ends_before(line))
        {
            add(&mut self.outs, Part::default());
        }
        if let Some(part) = self.outs.last_mut() {
            part.read.read(line);
        }
    }

    fn read_error(&mut self, text: &str) {
        if !self.is_marked
            && let Some(program) = runs(text)
        {
            add(&mut self.errors, Part { program: Some(program), read: Errors::default() });
        }
        let target = text.strip_prefix("    `").and_then(|target| target.strip_suffix('`'));
        if text.strip_prefix("error: ").is_some_and(is_list_of_targets) {
            (self.targets, self.in_targets) = (Some(BTreeSet::new()), true);
            return;
        }
        match (target, &mut self.targets) {
            (Some(target), Some(targets)) if self.in_targets && targets.len() < MOST_PROGRAMS => {
                targets.insert(target.to_owned());
            }
            _ => self.in_targets = false,
        }
        if let Some(part) = self.errors.last_mut() {
            part.read.read(text);
        }
    }

    /// The findings of a `cargo test` that failed. `packages` has the package of each program. `from_root`
    /// turns a path in the output into a path from the repository's root.
    pub fn findings(self, packages: &Packages, from_root: &dyn Fn(&str) -> String) -> Vec<Finding> {
        let mut found = Collected { findings: Findings::default(), keys: HashSet::new(), from_root };
        let runs = self.runs();
        let all_panics: Vec<&Panics> = self.errors.iter().map(|part| &part.read.panics).collect();
        for (program, out, errors) in &runs {
            let package = program.and_then(|program| package_of(packages, program));
            let spec = errors.and_then(|errors| self.failed_spec(errors));
            // If a program passed, failures in its output are not real.
            if errors.is_some() && spec.is_none() {
                continue;
            }
            let is_doc = program.is_some_and(|program| program.starts_with(DOC));
            let several = is_doc || !self.is_marked;
            let panics = errors.map_or_else(|| all_panics.clone(), |errors| vec![&errors.panics]);
            let any = out.is_some_and(|out| found.tests(out, several, &panics, package, spec));
            let any = any || (out.is_none() && found.any());
            if let Some(finding) = errors.and_then(|errors| errors.finding(any)) {
                found.add(Finding { package: package.map(str::to_owned), ..finding }, spec);
            }
        }
        if !found.any() {
            for (program, out, _) in &runs {
                let package = program.and_then(|program| package_of(packages, program));
                out.map(|out| found.tests(out, true, &all_panics, package, None));
            }
        }
        found.findings.into_vec()
    }

    /// The tests that ran, as the test programs named them. `packages` has the package of each program. A test
    /// program can print any names, so nothing but the list of tests follows from this.
    pub fn tests(&self, packages: &Packages) -> Vec<Test> {
        let mut all = Tests::default();
        for (program, out, _) in self.runs() {
            let package = program.and_then(|program| package_of(packages, program));
            for test in out.into_iter().flat_map(Libtest::told) {
                all.add(Test {
                    name: test.name.clone(),
                    package: package.map(str::to_owned),
                    target: program.map(target_of),
                    verdict: test.verdict,
                    seconds: test.seconds,
                });
            }
        }
        all.into_vec()
    }

    /// The options that run a program again, if cargo says that it failed.
    fn failed_spec<'e>(&self, errors: &'e Errors) -> Option<&'e str> {
        let spec = errors.spec()?;
        let listed = |targets: &BTreeSet<String>| targets.is_empty() || targets.contains(spec);
        self.targets.as_ref().is_none_or(listed).then_some(spec)
    }

    /// The programs that ran, each with its output on both streams. If it is unknown which outputs belong
    /// together, standard outputs come first.
    fn runs(&self) -> Vec<(Option<&str>, Option<&Libtest>, Option<&Errors>)> {
        if self.is_marked || self.outs.len() == self.errors.len() {
            let pairs = self.outs.iter().zip(&self.errors);
            return pairs
                .map(|(out, errors)| {
                    let program = out.program.as_deref().or(errors.program.as_deref());
                    (program, Some(&out.read), Some(&errors.read))
                })
                .collect();
        }
        let outs = self.outs.iter().map(|part| (None, Some(&part.read), None));
        let errors = self.errors.iter().map(|part| (part.program.as_deref(), None, Some(&part.read)));
        outs.chain(errors).collect()
    }
}

/// The number in libtest's line `running 3 tests`.
fn count_of_tests(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line.strip_prefix(b"running ")?).ok()?;
    let (count, word) = text.trim_end().split_once(' ')?;
    if ["test", "tests"].contains(&word) { count.parse().ok() } else { None }
}

/// Findings about tests. Each occurs once for each program.
struct Collected<'a> {
    findings: Findings,
    keys: HashSet<String>,
    from_root: &'a dyn Fn(&str) -> String,
}

impl Collected<'_> {
    fn any(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Adds the failed tests of a program. Returns whether there are any.
    fn tests(
        &mut self,
        out: &Libtest,
        several: bool,
        errors: &[&Panics],
        package: Option<&str>,
        spec: Option<&str>,
    ) -> bool {
        let (failed, more) = out.failed(several, errors);
        let any = !failed.is_empty();
        for test in failed {
            let finding = Finding {
                lint: Some("test".into()),
                package: package.map(str::to_owned),
                rendered: test.rendered,
                ..Finding::error(format!("test {} failed", test.name))
            };
            self.add(with_place(finding, test.place), spec);
        }
        if more > 0 {
            let finding = Finding {
                package: package.map(str::to_owned),
                ..Finding::error(format!("{more} more tests failed"))
            };
            self.add(finding, spec);
        }
        any
    }

    fn add(&mut self, mut finding: Finding, spec: Option<&str>) {
        finding.file = finding.file.map(|file| (self.from_root)(&file));
        // Two programs of one package may have tests with the same name and an unknown place.
        let key =
            |finding: &Finding| format!("{:?} {:?} {}", finding.place(), finding.package, finding.message);
        let mut number = 2;
        let message = finding.message.clone();
        while !self.keys.insert(key(&finding)) {
            let other = spec
                .filter(|_| number == 2)
                .map_or_else(|| format!("program {number}"), |spec| format!("`{spec}`"));
            finding.message = format!("{message} in {other}");
            number += 1;
        }
        self.findings.add(finding);
    }
}

/// Adds a part. If the maximum is reached, the last part also receives everything that follows.
fn add<T>(parts: &mut Vec<T>, part: T) {
    if parts.len() < MOST_PROGRAMS {
        parts.push(part);
    }
}

fn with_place(finding: Finding, place: Option<Place>) -> Finding {
    match place {
        Some(place) => finding.at(place),
        None => finding,
    }
}

/// The package of a program. `program` is its path, or [`DOC`] and a name.
fn package_of<'p>(packages: &'p Packages, program: &str) -> Option<&'p str> {
    let name = if program.starts_with(DOC) { program } else { program.rsplit(['/', '\\']).next()? };
    packages.get(name).map(String::as_str)
}

/// The target of a program, from its path: cargo adds a hash to the file's name.
fn target_of(program: &str) -> String {
    if program.starts_with(DOC) {
        return program.to_owned();
    }
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    let name = name.strip_suffix(".exe").unwrap_or(name);
    let is_hash = |hash: &str| !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    match name.rsplit_once('-') {
        Some((target, hash)) if is_hash(hash) => target.to_owned(),
        _ => name.to_owned(),
    }
}

/// The program that cargo announces with this line: `Running tests/a.rs (target/debug/deps/a-0a1b)`, or
/// `Doc-tests a`.
fn runs(text: &str) -> Option<String> {
    let text = text.strip_prefix("   ")?.trim_start();
    if let Some(rest) = text.strip_prefix("Running ") {
        return Some(rest.strip_suffix(')')?.rsplit_once(" (")?.1.to_owned());
    }
    Some(format!("{DOC}{}", text.strip_prefix("Doc-tests ")?.replace('-', "_")))
}

/// Whether this is the heading of cargo's list: `2 targets failed:`.
fn is_list_of_targets(text: &str) -> bool {
    let number = text.strip_suffix(" targets failed:").or_else(|| text.strip_suffix(" target failed:"));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Where a test failed that ran alone, from its name and its output.
pub fn place(name: &str, output: &str) -> Option<Place> {
    let mut panics = Panics::default();
    output.lines().for_each(|line| panics.read(line));
    place_in_name(name).or_else(|| panics.of_test(name).cloned())
}
