//! What the HTTP interface accepts and says: parts of a request become checked values, or an [`ApiError`]
//! that names the part and what is wrong with it. Pure: nothing here reads a file or a socket, so that all
//! of it can be fuzzed.
//!
//! | module | what |
//! |---|---|
//! | `query` | parameters |
//! | `submit` | the body of a submission |
//! | `change` | the body of a change of a job |
//! | `many` | which jobs to cancel, to forget or to wait for |
//! | `error` | every error: status, code, message, field |
//! | `openapi` | the OpenAPI document |
//!
//! The routes are in [`super::http`], the JSON of answers in [`super::view`].

mod change;
mod error;
mod many;
mod openapi;
mod query;
mod submit;
#[cfg(test)]
pub(super) mod tests;

pub use change::{ChangeBody, change};
pub use error::ApiError;
pub use many::{SelectParams, WaitBody, wait};
pub use openapi::{ServerSentEvent, document};
pub use query::{
    EventParams, LIST_JOBS_DEFAULT, ListParams, LogParams, NoParams, job_id, parameters,
};
pub use submit::{SubmissionBody, submission};
