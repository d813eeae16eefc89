//! The predecessor's formats, read here and nowhere else.

pub mod coverage_file;
