//! Tables in and out: [`source`] reads libraries, [`sink`] writes parts, [`earlier`] reads the keys of
//! earlier runs.

pub mod earlier;
pub mod sink;
pub mod source;
