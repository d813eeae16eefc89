//! The hooks find the binary, or build it.
