//! LLVM's tools for coverage: `llvm-profdata` and `llvm-cov`.

use super::context::Judgement;
use super::toolchain::Toolchain;
use crate::process::{self, Captured, Command};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::report::{Finding, Verdict};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The two tools, and the version that they must have.
pub struct Llvm {
    cov: PathBuf,
    profdata: PathBuf,
    /// The version of LLVM in rustc.
    of_rustc: Option<String>,
    /// How to get tools that fit.
    remedy: String,
}

/// How to get LLVM's tools for a toolchain.
fn remedy(toolchain: &Toolchain) -> String {
    let brought = toolchain.remedy("component add llvm-tools", "LLVM's tools");
    format!("{brought}; or set LLVM_COV and LLVM_PROFDATA to tools of rustc's LLVM")
}

impl Llvm {
    /// `LLVM_COV` and `LLVM_PROFDATA`, as cargo-llvm-cov takes them, from the check's variables or
    /// this process's; else the toolchain's component `llvm-tools`.
    pub fn find(toolchain: &Toolchain, env: &[(String, String)]) -> Option<Self> {
        let variable = |name: &str| {
            let own =
                env.iter().rev().find(|(known, _)| known == name).map(|(_, value)| PathBuf::from(value));
            own.or_else(|| std::env::var_os(name).map(PathBuf::from))
                .filter(|path| !path.as_os_str().is_empty())
        };
        Some(Self {
            cov: variable("LLVM_COV").or_else(|| toolchain.llvm_tool("llvm-cov"))?,
            profdata: variable("LLVM_PROFDATA").or_else(|| toolchain.llvm_tool("llvm-profdata"))?,
            of_rustc: toolchain.llvm.clone(),
            remedy: remedy(toolchain),
        })
    }

    /// The judgement where the tools are not there.
    pub fn missing(toolchain: &Toolchain) -> Judgement {
        Judgement::missing(
            format!("LLVM's tools for coverage are not installed for {}", toolchain.version),
            remedy(toolchain),
        )
    }

    /// The judgement where a tool failed because it is of another LLVM than rustc; `None` where it is
    /// not.
    fn of_another_version(&self, tool: &Path, captured: &Captured) -> Option<Judgement> {
        const SIGNS: [&str; 3] =
            ["version mismatch", "unsupported instrumentation profile", "unsupported coverage format"];
        let said = captured.complaint();
        let sign = said.lines().find(|line| SIGNS.iter().any(|sign| line.contains(sign)))?;
        Some(Judgement::missing(
            format!(
                "`{}` is of another LLVM than rustc's ({}): {sign}",
                tool.display(),
                self.of_rustc.as_deref().unwrap_or("not known")
            ),
            self.remedy.clone(),
        ))
    }
}

/// Merged counts, and the programs that they belong to.
pub struct Report<'a> {
    llvm: &'a Llvm,
    profile: PathBuf,
    objects: &'a BTreeSet<PathBuf>,
    lcov: Vec<u8>,
}

impl<'a> Report<'a> {
    /// Merges the counts in `profiles` and exports them. A judgement where the tools cannot read them,
    /// or there is nothing in the programs to measure.
    ///
    /// # Errors
    /// Where a tool cannot be started or fails otherwise: exit 3.
    pub fn make(
        llvm: &'a Llvm,
        profiles: &[PathBuf],
        objects: &'a BTreeSet<PathBuf>,
        folder: &Path,
    ) -> Result<std::result::Result<Self, Judgement>> {
        // The list is in a file, because the length of a command line is limited.
        let list = folder.join("profiles.list");
        let lines = profiles.iter().fold(String::new(), |mut lines, profile| {
            let _ = writeln!(lines, "{}", profile.display());
            lines
        });
        std::fs::write(&list, lines).with_context(|| format!("writing {}", list.display()))?;
        let profile = folder.join("coverage.profdata");
        let merge =
            Command::new(&llvm.profdata).args(["merge", "-sparse", "-f"]).arg(&list).arg("-o").arg(&profile);
        let merged = process::capture(&merge)?;
        if !merged.status.success() {
            return match llvm.of_another_version(&llvm.profdata, &merged) {
                Some(judgement) => Ok(Err(judgement)),
                None => Err(refused(&llvm.profdata, &merged)),
            };
        }
        let mut report = Self { llvm, profile, objects, lcov: Vec::new() };
        let exported = process::capture(&report.command(&["export", "-format=lcov"]))?;
        if !exported.status.success() {
            if exported.complaint().contains("no coverage data found") {
                let finding =
                    Finding::error("there is no code in the workspace whose coverage could be measured");
                let findings = vec![Finding { rendered: Some(exported.complaint()), ..finding }];
                return Ok(Err(Judgement { verdict: Verdict::Failed, findings, ..Judgement::default() }));
            }
            return match llvm.of_another_version(&llvm.cov, &exported) {
                Some(judgement) => Ok(Err(judgement)),
                None => Err(refused(&llvm.cov, &exported)),
            };
        }
        report.lcov = exported.stdout;
        Ok(Ok(report))
    }

    /// What ran, in lcov's format, with every file.
    ///
    /// # Errors
    /// Where it is not UTF-8.
    pub fn lcov(&self) -> Result<&str> {
        std::str::from_utf8(&self.lcov).context("reading llvm-cov's export")
    }

    /// One page of HTML with these files.
    ///
    /// # Errors
    /// Where the tool cannot be started or fails: exit 3.
    pub fn html<'p>(&self, files: impl Iterator<Item = &'p Path>) -> Result<Vec<u8>> {
        let options = ["show", "-format=html", "-show-instantiations=false", "-show-line-counts-or-regions"];
        let shown = process::capture(&self.command(&options).arg("-sources").args(files))?;
        if shown.status.success() { Ok(shown.stdout) } else { Err(refused(&self.llvm.cov, &shown)) }
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut profile = std::ffi::OsString::from("-instr-profile=");
        profile.push(&self.profile);
        let command = Command::new(&self.llvm.cov).args(options).arg(profile);
        self.objects.iter().fold(command, |command, object| command.arg("-object").arg(object))
    }
}

fn refused(tool: &Path, captured: &Captured) -> anyhow::Error {
    exit::infrastructure(format!(
        "`{}` failed ({}): {}",
        tool.display(),
        captured.status,
        captured.complaint()
    ))
}
