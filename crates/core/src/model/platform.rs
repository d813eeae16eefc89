//! The machines and systems that the standard checks know.

use super::did_you_mean;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// A processor architecture that a step is for, as the predecessor's descriptions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// 64-bit x86.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
    /// 64-bit RISC-V, emulated on x86-64 agents.
    Riscv64,
}

impl Platform {
    /// Every platform, in the order in which steps are made for them.
    pub const ALL: [Self; 3] = [Self::X86_64, Self::Aarch64, Self::Riscv64];

    /// The platforms of an upload for which a repository names none (predecessor's rule).
    pub const DEFAULT: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// The name in options, descriptions and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
            Self::Riscv64 => "riscv64",
        }
    }

    /// The value of the agent tag `platform` of Linux agents (predecessor's rule): riscv64 is
    /// emulated on x86-64 machines.
    pub const fn agent_tag(self) -> &'static str {
        match self {
            Self::X86_64 | Self::Riscv64 => "x86_64.metal",
            Self::Aarch64 => "arm.metal",
        }
    }

    /// Whether the platform's steps run in a virtual machine that nothing of the host is in.
    pub const fn is_emulated(self) -> bool {
        matches!(self, Self::Riscv64)
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

    /// The platform that this program was built for, where it is one of ours.
    pub fn of_this_machine() -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == std::env::consts::ARCH)
    }
}

/// An operating system that steps run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Os {
    /// Linux, gnu or musl.
    Linux,
    /// Windows with the MSVC toolchain.
    Windows,
}

impl Os {
    /// Both systems.
    pub const ALL: [Self; 2] = [Self::Linux, Self::Windows];

    /// The name in options and in the agent tag `os`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Windows => "windows",
        }
    }

    /// The system that this program was built for, where it is one of ours.
    pub fn of_this_machine() -> Option<Self> {
        Self::ALL.into_iter().find(|os| os.as_str() == std::env::consts::OS)
    }
}

/// What `name` means among `all`, or a sentence that says what was expected.
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

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
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
        }
        for os in Os::ALL {
            assert_eq!(os.as_str().parse(), Ok(os));
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
