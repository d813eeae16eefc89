//! Puts the flags for rustc into effect that a check's command asks for.

use rust_vmm_ci_core::checks::cargo::CargoCommand;
use rust_vmm_ci_core::workspace::flags::{DENY, Mentions, are_known};

/// How the flags of a command are put into effect.
pub(super) struct Flags {
    /// `RUSTFLAGS` for the command, where it is set.
    pub rustflags: Option<String>,
    /// Whether the flags have their effect without the variable.
    pub by_message: bool,
    /// Whether warnings are denied by reading cargo's messages.
    pub deny: bool,
}

impl Flags {
    /// By the variable, as the command says.
    pub fn as_described(command: &CargoCommand) -> Self {
        Self {
            rustflags: command.variable("RUSTFLAGS").map(ToOwned::to_owned),
            by_message: false,
            deny: false,
        }
    }

    /// Without the variable where the verdict is the same: then one check can use what another has
    /// compiled. The variable is needed where other flags are in effect, which it would replace, and where
    /// it holds flags that are not known here.
    pub fn of(command: &CargoCommand, others_in_effect: impl FnOnce() -> bool) -> Self {
        let Some(described) = command.variable("RUSTFLAGS") else { return Self::as_described(command) };
        if !are_known(described) || others_in_effect() {
            return Self::as_described(command);
        }
        Self { rustflags: None, by_message: true, deny: described == DENY }
    }

    /// Whether sources mention something that would notice that the variable is not set.
    pub fn are_noticed(&self, mentions: Mentions) -> bool {
        self.by_message
            && (mentions.variable
                || mentions.elsewhere
                || if self.deny { mentions.warnings } else { mentions.doc_cfg })
    }
}
