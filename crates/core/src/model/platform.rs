//! The platforms and operating systems of the standard checks.

use super::did_you_mean;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A processor architecture. The names are those of the predecessor's descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// 64-bit x86.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
    /// 64-bit RISC-V, emulated on x86-64 agents.
    Riscv64,
}

impl Platform {
    /// Every platform, in the order of the steps in a pipeline.
    pub const ALL: [Self; 3] = [Self::X86_64, Self::Aarch64, Self::Riscv64];

    /// The platforms of an upload if the repository names none. The predecessor has the same default.
    pub const DEFAULT: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// The name in options, descriptions and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
            Self::Riscv64 => "riscv64",
        }
    }

    /// The value of the agent tag `platform` on Linux agents, as in the predecessor's steps. riscv64
    /// is emulated on x86-64 machines.
    pub const fn agent_tag(self) -> &'static str {
        match self {
            Self::X86_64 | Self::Riscv64 => "x86_64.metal",
            Self::Aarch64 => "arm.metal",
        }
    }

    /// Whether the steps of this platform run in an emulated machine. No file of the host is visible
    /// in it.
    pub const fn is_emulated(self) -> bool {
        matches!(self, Self::Riscv64)
    }

    /// The platform whose programs are in the images for this one. The image of an emulated platform is an
    /// x86-64 image, whose emulator is such a program.
    #[must_use]
    pub const fn of_image(self) -> Self {
        match self {
            Self::X86_64 | Self::Riscv64 => Self::X86_64,
            Self::Aarch64 => Self::Aarch64,
        }
    }

    /// The processor's name in images (`GOARCH`, OCI image specification, "architecture").
    pub const fn image_architecture(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
            Self::Riscv64 => "riscv64",
        }
    }

    /// The platform of an image that is named as for `docker run --platform`, such as `linux/arm64/v8` or
    /// `arm64`; `None` where it is none of ours.
    pub fn of_image_platform(name: &str) -> Option<Self> {
        let mut parts = name.split('/');
        let first = parts.next()?;
        let architecture = if first == "linux" { parts.next()? } else { first };
        // Docker takes the kernel's names too (containerd, `platforms/database.go`).
        Self::ALL
            .into_iter()
            .find(|platform| [platform.image_architecture(), platform.as_str()].contains(&architecture))
    }

    /// The number of the processor in the header of a program (`e_machine`, `elf(5)`).
    pub const fn elf_machine(self) -> u8 {
        match self {
            Self::X86_64 => 62,
            Self::Aarch64 => 183,
            Self::Riscv64 => 243,
        }
    }

    /// The platforms that have machines of their own, in order.
    pub fn native() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|platform| !platform.is_emulated())
    }

    /// The platforms that are emulated, in order.
    pub fn emulated() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|platform| platform.is_emulated())
    }

    /// What the tag of the pinned image ends in, where the platform has an image of its own: an x86-64
    /// image that boots an emulator.
    pub const fn image_suffix(self) -> &'static str {
        match self {
            Self::X86_64 | Self::Aarch64 => "",
            Self::Riscv64 => "-riscv",
        }
    }

    /// The platform of a target triple, where it is one of ours.
    pub fn of_triple(triple: &str) -> Option<Self> {
        let architecture = triple.split('-').next().unwrap_or(triple);
        // The RISC-V triples of rustc name the extensions too: `riscv64gc`.
        Self::ALL
            .into_iter()
            .find(|p| architecture == p.as_str() || (p.is_emulated() && architecture.starts_with(p.as_str())))
    }

    /// The platform that this program was built for, where it is one of ours. It says nothing about the code
    /// that is checked: rustc's host decides that.
    pub fn of_this_machine() -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == std::env::consts::ARCH)
    }
}

/// An operating system on which steps run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Os {
    /// Linux, with the gnu or the musl target.
    Linux,
    /// Windows with the MSVC toolchain.
    Windows,
}

impl Os {
    /// Both operating systems.
    pub const ALL: [Self; 2] = [Self::Linux, Self::Windows];

    /// The name in options and in the agent tag `os`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Windows => "windows",
        }
    }

    /// The operating system for which this program was built, or `None` if it is not in [`Os::ALL`].
    pub fn of_this_machine() -> Option<Self> {
        Self::ALL.into_iter().find(|os| os.as_str() == std::env::consts::OS)
    }
}

/// Finds the item of `all` whose text is `name`. The error is a sentence that says what was expected.
fn parse<T: Copy>(what: &str, name: &str, all: &[T], text: impl Fn(T) -> &'static str) -> Result<T, String> {
    all.iter().copied().find(|item| text(*item) == name).ok_or_else(|| {
        format!("unknown {what} `{name}`{}", did_you_mean(name, all.iter().map(|item| text(*item))))
    })
}

macro_rules! named {
    ($type:ident, $what:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                parse($what, name, &Self::ALL, Self::as_str)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

named!(Platform, "platform");
named!(Os, "os");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_and_system_is_read_as_it_is_written() {
        for platform in Platform::ALL {
            assert_eq!(platform.as_str().parse(), Ok(platform));
            assert_eq!(serde_json::from_value::<Platform>(platform.as_str().into()).unwrap(), platform);
        }
        for os in Os::ALL {
            assert_eq!(os.as_str().parse(), Ok(os));
            assert_eq!(serde_json::from_value::<Os>(os.as_str().into()).unwrap(), os);
        }
    }

    #[test]
    fn a_target_triple_has_a_platform() {
        for (triple, platform) in [
            ("x86_64-unknown-linux-gnu", Some(Platform::X86_64)),
            ("aarch64-unknown-linux-musl", Some(Platform::Aarch64)),
            ("riscv64gc-unknown-linux-gnu", Some(Platform::Riscv64)),
            ("aarch64_be-unknown-linux-gnu", None),
            ("i686-pc-windows-msvc", None),
            ("", None),
        ] {
            assert_eq!(Platform::of_triple(triple), platform, "{triple}");
        }
    }

    #[test]
    fn the_platform_of_an_image_is_read_as_docker_reads_it() {
        for (name, platform) in [
            ("linux/amd64", Some(Platform::X86_64)),
            ("linux/arm64/v8", Some(Platform::Aarch64)),
            ("aarch64", Some(Platform::Aarch64)),
            ("linux/arm/v7", None),
            ("windows/amd64", None),
            ("linux", None),
        ] {
            assert_eq!(Platform::of_image_platform(name), platform, "{name}");
        }
        for platform in Platform::ALL {
            let name = format!("linux/{}", platform.of_image().image_architecture());
            assert_eq!(Platform::of_image_platform(&name), Some(platform.of_image()));
        }
    }

    #[test]
    fn a_misspelt_platform_is_refused_with_what_was_meant() {
        assert_eq!(
            "x86-64".parse::<Platform>(),
            Err("unknown platform `x86-64`; did you mean `x86_64`?".to_owned())
        );
        assert_eq!("mac".parse::<Os>(), Err("unknown os `mac`; one of: linux, windows".to_owned()));
    }
}
