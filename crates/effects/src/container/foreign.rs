//! Whether this machine runs the programs of another platform. Linux does so through an emulator that is
//! registered with it (`Documentation/admin-guide/binfmt-misc.rst` of the kernel), such as qemu-user.

use super::Engine;
use crate::process::{self, Command, TemporaryFolder};
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::model::Platform;
use std::fs::{self, File};
use std::io::Write as _;

/// The folder of the kernel's list of emulators.
const REGISTERED: &str = "/proc/sys/fs/binfmt_misc";
/// The status with which the test program ends. No shell ends so when it takes the program for a script.
const STATUS: u8 = 42;
/// The address at which the test program is loaded.
const AT: u64 = 0x0040_0000;

/// Whether the programs of another platform run in containers of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emulation {
    /// They run.
    Works,
    /// They do not run at all.
    Missing,
    /// They run, but not in containers: the kernel looks for the emulator in the container.
    OutsideOnly,
    /// The system does not tell.
    Unknown,
}

impl Emulation {
    /// Asks the kernel to run a program of the platform. The program does nothing.
    pub fn of(platform: Platform) -> Self {
        let Some(code) = code(platform) else { return Self::Unknown };
        let runs = runs(&program(platform, code));
        if runs != Some(true) {
            return runs.map_or(Self::Unknown, |_| Self::Missing);
        }
        let emulators: Vec<String> = fs::read_dir(REGISTERED)
            .into_iter()
            .flatten()
            .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
            .collect();
        Self::in_containers(&header(platform, 0, 0), &emulators)
    }

    /// Whether an emulator that runs on this machine also runs in containers. `emulators` are the kernel's
    /// descriptions; there are none where the list is not mounted.
    fn in_containers(header: &[u8], emulators: &[String]) -> Self {
        let mut fitting = emulators.iter().filter(|text| is_for(text, header)).peekable();
        if fitting.peek().is_some() && !fitting.any(|text| flags(text).contains('F')) {
            return Self::OutsideOnly;
        }
        Self::Works
    }

    /// Refuses a container whose programs do not run on this machine.
    ///
    /// # Errors
    /// Exit 3 with the command that makes them run.
    pub fn require(self, platform: Platform, engine: Engine) -> anyhow::Result<()> {
        let what = match self {
            Self::Works | Self::Unknown => return Ok(()),
            Self::Missing => "this machine has no emulator for its programs",
            Self::OutsideOnly => {
                "this machine's emulator for its programs does not run in containers (flag F)"
            }
        };
        let (tag, architecture) = (platform.agent_tag(), platform.image_architecture());
        let run = match engine {
            Engine::Docker => "docker run --privileged --rm tonistiigi/binfmt",
            Engine::Podman => "sudo podman run --privileged --rm docker.io/tonistiigi/binfmt",
        };
        Err(exit::infrastructure(format!(
            "platform: {platform} cannot run here: {what}\nto mend it: `{run} --install {architecture}`, or on \
             Debian `apt-get install qemu-user-static binfmt-support`; or run the job on an agent with \
             `platform={tag}`"
        )))
    }
}

/// Whether the kernel runs the program: `None` where that cannot be tried.
fn runs(program: &[u8]) -> Option<bool> {
    let folder = TemporaryFolder::make().ok()?;
    let path = folder.path().join("program");
    let mut file = File::create_new(&path).ok()?;
    file.write_all(program).ok()?;
    drop(file);
    super::owner::make_executable(&path).ok()?;
    match process::ask(&Command::new(&path)) {
        Ok(captured) => Some(captured.status.code() == Some(STATUS.into())),
        // A folder of temporary files may be one from which nothing runs.
        Err(process::Error::NotStarted { error, .. })
            if error.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            None
        }
        Err(process::Error::NotStarted { .. } | process::Error::NotFound { .. }) => Some(false),
        Err(_) => None,
    }
}

/// The instructions that end a process with [`STATUS`], by the system call `exit`.
fn code(platform: Platform) -> Option<&'static [u8]> {
    match platform {
        // mov edi, 42; mov eax, 60; syscall
        Platform::X86_64 => Some(&[0xbf, STATUS, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05]),
        // mov x0, #42; mov x8, #93; svc #0
        Platform::Aarch64 => Some(&[0x40, 0x05, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4]),
        // No container of ours has its programs.
        Platform::Riscv64 => None,
    }
}

/// A static program of these instructions (`elf(5)`): the header, one segment with everything, the code.
fn program(platform: Platform, code: &[u8]) -> Vec<u8> {
    let start = 64 + 56;
    let length = start + code.len() as u64;
    let mut program = header(platform, AT + start, 64);
    // A segment that is loaded (1), readable and executable (5).
    program.extend([1_u32, 5].iter().flat_map(|number| number.to_le_bytes()));
    let segment = [0, AT, AT, length, length, 0x1000_u64];
    program.extend(segment.iter().flat_map(|number| number.to_le_bytes()));
    program.extend_from_slice(code);
    program
}

/// The header of a program (`elf(5)`, `Elf64_Ehdr`).
fn header(platform: Platform, entry: u64, segments: u64) -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(16, 0);
    header.extend([2, 0, platform.elf_machine(), 0, 1, 0, 0, 0]);
    header.extend([entry, segments, 0].iter().flat_map(|number| number.to_le_bytes()));
    header.extend([0_u16, 0, 64, 56, 1, 0, 0, 0].iter().flat_map(|number| number.to_le_bytes()));
    header
}

/// Whether one of the kernel's descriptions is that of an emulator that is in use for programs with this
/// header.
fn is_for(description: &str, header: &[u8]) -> bool {
    let value = |key: &str| {
        description.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')).map(str::trim)
    };
    let (Some(magic), Some(offset)) = (value("magic").and_then(bytes), value("offset")) else { return false };
    let mask = value("mask").and_then(bytes).unwrap_or_else(|| vec![0xff; magic.len()]);
    let begin = offset.parse().ok().and_then(|offset: usize| header.get(offset..));
    let fits = begin.is_some_and(|begin| {
        begin.len() >= magic.len()
            && begin.iter().zip(&magic).zip(&mask).all(|((byte, magic), mask)| (byte ^ magic) & mask == 0)
    });
    description.lines().next() == Some("enabled") && fits
}

/// The flags in one of the kernel's descriptions.
fn flags(description: &str) -> &str {
    description.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or_default()
}

/// The bytes that a text of hexadecimal digits means.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<char> = text.chars().collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QEMU: &str = "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\n\
                        magic 7f454c460201010000000000000000000200b700\n\
                        mask ffffffffffffff00fffffffffffffffffeffffff\n";

    fn found(emulators: &[&str]) -> Emulation {
        let emulators: Vec<String> = emulators.iter().map(|text| (*text).to_owned()).collect();
        Emulation::in_containers(&header(Platform::Aarch64, 0, 0), &emulators)
    }

    #[test]
    fn an_emulator_that_containers_cannot_reach_is_told_from_one_that_they_can() {
        assert_eq!(found(&["enabled\n", QEMU]), Emulation::Works);
        let by_path = QEMU.replace("OCF", "OC");
        assert_eq!(found(&[&by_path]), Emulation::OutsideOnly);
        // Another one, and one that is switched off, say nothing.
        let other = by_path.replace("0200b700", "0200f300");
        let off = by_path.replace("enabled", "disabled");
        assert_eq!(found(&[&other, &off, "enabled\nflags: F\nmagic zz\noffset 0\n", ""]), Emulation::Works);
    }

    #[test]
    fn what_is_missing_is_refused_with_the_command_that_brings_it() {
        let refusal = |emulation: Emulation, engine| {
            let error = emulation.require(Platform::Aarch64, engine).unwrap_err();
            assert_eq!(exit::of(&error), exit::Exit::Infrastructure);
            error.to_string()
        };
        let docker = refusal(Emulation::Missing, Engine::Docker);
        assert!(
            docker.contains("`docker run --privileged --rm tonistiigi/binfmt --install arm64`"),
            "{docker}"
        );
        assert!(docker.contains("qemu-user-static binfmt-support"), "{docker}");
        let podman = refusal(Emulation::OutsideOnly, Engine::Podman);
        assert!(podman.contains("podman run") && podman.contains("flag F"), "{podman}");
        for emulation in [Emulation::Works, Emulation::Unknown] {
            emulation.require(Platform::Aarch64, Engine::Docker).unwrap();
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_program_that_is_tried_runs_where_it_is_at_home() {
        let here = Platform::of_this_machine().unwrap();
        assert_eq!(runs(&program(here, code(here).unwrap())), Some(true));
        let mut broken = program(here, code(here).unwrap());
        // A machine that there is not.
        broken[18..20].copy_from_slice(&[0xff, 0xfe]);
        assert_eq!(runs(&broken), Some(false));
    }
}
