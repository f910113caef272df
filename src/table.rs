//! Tables: [`source`] reads libraries, [`sink`] writes parts. [`kept`] is what both know of columns of the input that rows
//! carry along, [`part`] reads the parts of an output again, [`product`] has one of their rows; `content` is the size of arrays.

mod content;
pub mod kept;
pub mod part;
pub mod product;
pub mod sink;
pub mod source;
