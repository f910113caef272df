//! Tables: [`source`] reads libraries, [`sink`] writes parts.

pub mod sink;
pub mod source;
