//! The options of a submission, checked.

use super::SubmissionBody;
use crate::{
    daemon::{
        api::{error::ApiError, query::NUMBER_MAX},
        job::{JobId, Label, Notify, SubmitOptions},
    },
    limits::{JOB_AFTER_MAX, JOB_LABELS_MAX, JOB_RETRIES_MAX},
};

/// The options that a body asks for.
pub(super) fn options(body: &SubmissionBody) -> Result<SubmitOptions, ApiError> {
    let after = jobs("after", &body.after)?;
    let mut after_any = jobs("after_any", &body.after_any)?;
    if after.len() + after_any.len() > JOB_AFTER_MAX {
        let reason = format!("a job waits for at most {JOB_AFTER_MAX} others");
        return Err(ApiError::invalid("after", reason));
    }
    after_any.retain(|id| after.binary_search(id).is_err());
    if body
        .retries
        .is_some_and(|retries| retries > JOB_RETRIES_MAX)
    {
        let reason = format!("must be from 0 to {JOB_RETRIES_MAX}");
        return Err(ApiError::invalid("retries", reason));
    }
    Ok(SubmitOptions {
        labels: labels(&body.labels)?,
        after,
        after_any,
        retries: body.retries,
        notify: body.notify.as_deref().map(notify).transpose()?,
        unmet: Vec::new(),
    })
}

fn labels(texts: &[String]) -> Result<Vec<Label>, ApiError> {
    let label = |(at, text): (usize, &String)| {
        text.parse()
            .map_err(|reason: String| ApiError::invalid(format!("labels[{at}]"), reason))
    };
    let mut labels = texts
        .iter()
        .enumerate()
        .map(label)
        .collect::<Result<Vec<Label>, ApiError>>()?;
    labels.sort_unstable();
    labels.dedup();
    if labels.len() > JOB_LABELS_MAX {
        let reason = format!("has more than {JOB_LABELS_MAX} labels");
        return Err(ApiError::invalid("labels", reason));
    }
    Ok(labels)
}

/// Job numbers, sorted, each once.
fn jobs(field: &str, numbers: &[u64]) -> Result<Vec<JobId>, ApiError> {
    let outside = |number: &u64| !(1..=NUMBER_MAX).contains(number);
    if let Some(at) = numbers.iter().position(outside) {
        let reason = format!("must be a number from 1 to {NUMBER_MAX}");
        return Err(ApiError::invalid(format!("{field}[{at}]"), reason));
    }
    let mut jobs: Vec<JobId> = numbers.iter().copied().map(JobId).collect();
    jobs.sort_unstable();
    jobs.dedup();
    Ok(jobs)
}

fn notify(text: &str) -> Result<Notify, ApiError> {
    text.parse()
        .map_err(|reason: String| ApiError::invalid("notify", reason))
}
