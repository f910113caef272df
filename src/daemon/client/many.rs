//! Requests about many jobs.

use std::future::Future;

use form_urlencoded::Serializer;
use hyper::Method;
use tokio::time::{Instant, sleep};

use super::{AGAIN_MAX, Client, ClientError, json, request::JsonBody};
use crate::daemon::{
    action::Bulk,
    api::WaitBody,
    job::{JobId, Label, State},
    view::{EndList, EndView, SelectedJob, SelectedJobs},
};

/// Which jobs to cancel or to forget: one's own, unless `user` or `everybody` says otherwise. An empty list
/// narrows nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Only jobs in one of these states.
    pub states: Vec<State>,
    /// Only jobs with all of these labels.
    pub labels: Vec<Label>,
    /// The jobs of this user.
    pub user: Option<u32>,
    /// The jobs of all users that one may see.
    pub everybody: bool,
}

/// What a client that waits reports.
#[derive(Clone, Debug, PartialEq)]
pub enum WaitEvent {
    /// The daemon stopped answering; the client waits for it to return.
    Lost,
    /// The daemon answers again.
    Back,
}

impl Client {
    /// Cancels or forgets jobs, request after request, and passes on those of each.
    pub fn many(
        &self,
        bulk: Bulk,
        selection: &Selection,
        on: &mut dyn FnMut(&[SelectedJob]),
    ) -> Result<(), ClientError> {
        let mut before = None;
        loop {
            let target = target(bulk, selection, before);
            let asked = self.ask::<SelectedJobs>(Method::POST, &target, None);
            let selected = self.runtime.block_on(asked)?;
            on(&selected.jobs);
            before = selected.next_before;
            if before.is_none() {
                return Ok(());
            }
        }
    }

    /// Waits until at least one of these jobs has ended, and returns those that have; none if `leave` is ready first.
    /// Waits for a daemon that is gone.
    pub fn wait(
        &self,
        ids: &[u64],
        leave: impl Future<Output = ()>,
        on: &mut dyn FnMut(WaitEvent),
    ) -> Result<Vec<EndView>, ClientError> {
        let bytes = json(&WaitBody { jobs: ids.into() })?;
        let body = JsonBody {
            bytes: &bytes,
            key: None,
        };
        self.runtime.block_on(async {
            tokio::select! {
                ended = self.wait_for_ends(body, on) => ended,
                () = leave => Ok(Vec::new()),
            }
        })
    }

    async fn wait_for_ends(
        &self,
        body: JsonBody<'_>,
        on: &mut dyn FnMut(WaitEvent),
    ) -> Result<Vec<EndView>, ClientError> {
        let mut lost: Option<Instant> = None;
        let mut again = self.waits.again;
        loop {
            let answer = self.ask::<EndList>(Method::POST, "/v1/jobs/wait", Some(body));
            match answer.await {
                Ok(list) => {
                    if lost.take().is_some() {
                        on(WaitEvent::Back);
                    }
                    again = self.waits.again;
                    if !list.ended.is_empty() {
                        return Ok(list.ended);
                    }
                    // A daemon that stops answers at once.
                    sleep(again).await;
                }
                Err(error) => {
                    if lost.is_none() && error.passes() {
                        on(WaitEvent::Lost);
                    }
                    let since = *lost.get_or_insert_with(Instant::now);
                    if !error.passes() || since.elapsed() > self.waits.back {
                        return Err(error);
                    }
                    sleep(again).await;
                    again = (2 * again).min(AGAIN_MAX);
                }
            }
        }
    }
}

fn target(bulk: Bulk, selection: &Selection, before: Option<JobId>) -> String {
    let mut pairs = Serializer::new(String::new());
    // Nothing is narrowed by accident: the request says that it means all.
    pairs.append_pair("all", "true");
    if !selection.states.is_empty() {
        let states: Vec<_> = selection.states.iter().map(|state| state.name()).collect();
        pairs.append_pair("state", &states.join(","));
    }
    if !selection.labels.is_empty() {
        pairs.append_pair("label", &super::request::joined(&selection.labels));
    }
    if let Some(uid) = selection.user {
        pairs.append_pair("user", &uid.to_string());
    }
    if selection.everybody {
        pairs.append_pair("everybody", "true");
    }
    if let Some(before) = before {
        pairs.append_pair("before", &before.to_string());
    }
    let path = match bulk {
        Bulk::Cancel => "cancel",
        Bulk::Forget => "forget",
    };
    format!("/v1/jobs/{path}?{}", pairs.finish())
}
