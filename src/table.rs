//! Tables: [`source`] reads libraries, [`sink`] writes parts. [`kept`] is what both know of columns of the input that rows
//! carry along, `content` the size of arrays.

mod content;
pub mod kept;
pub mod sink;
pub mod source;
