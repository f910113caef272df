//! molsieve turns a chemical library into a derivative library on one node, inside a memory budget
//! fixed beforehand, and writes every distinct product once.
//!
//! The binary `molsieve` is what users see; this library is its inside. Layers, each using only those
//! before it:
//!
//! [`limits`], [`units`], [`key`], [`machine`], [`store`] → [`rules`], [`reject`], [`account`], [`slot`] → [`ring`], [`chem`],
//! [`identity`], [`table`] → [`sieve`], [`settle`], [`trial`] → [`config`], [`plan`] → [`pipeline`] → [`daemon`] → [`cli`]

pub mod account;
pub mod bench;
pub mod chem;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod doctor;
#[cfg(feature = "failpoints")]
mod faults;
pub mod identity;
pub mod key;
pub mod limits;
pub mod machine;
pub mod nvidia;
pub mod pipeline;
pub mod plan;
pub mod reject;
pub mod ring;
pub mod rules;
pub mod settle;
pub mod sieve;
pub mod slot;
pub mod store;
mod sync;
pub mod table;
pub mod trial;
pub mod units;
