//! Turns a request into a job that fits the node. Fills in missing settings, so that a job process uses at most
//! the resources it was admitted with.

use std::num::NonZeroUsize;

use super::{
    action::{Caller, SubmitRequest},
    job::{Demand, GpuDemand, Job, JobChange, Resources, Submission, SubmitOptions},
    quota::{Quota, QuotaRules, Used},
    refusal::Refusal,
    schedule::fits_node,
};
use crate::{config::JobSettings, sieve::EngineChoice, units::ByteSize};

/// A job that does not set its memory or threads gets one in this many parts of the budget.
const SHARE: u64 = 2;

/// The job of a request, if it can run on this node and within the quota of its user.
pub fn admissible(
    caller: Caller,
    request: SubmitRequest,
    node: &Resources,
    quotas: &QuotaRules,
) -> Result<Submission, Refusal> {
    check_priority(caller, request.priority)?;
    let quota = match caller.admin {
        true => Quota::UNLIMITED,
        false => quotas.of(caller.uid, caller.gid, node),
    };
    let (settings, demand) = filled(request.settings, node, &quota);
    check_demand(demand, node, &quota)?;
    let settings =
        serde_json::to_value(&settings).map_err(|error| Refusal::encode("the settings", &error))?;
    Ok(Submission {
        uid: caller.uid,
        gid: caller.gid,
        exempt: caller.admin,
        name: request.name,
        settings,
        mode: request.mode,
        priority: request.priority,
        demand,
        options: request.options,
        idempotency: request.idempotency_key.map(|key| (key, request.digest)),
    })
}

/// Whether the caller may have a notification of a daemon of this user. A daemon that is not root runs everything as
/// itself: there, a command of another user would have the rights of the daemon.
pub fn check_notify(
    caller: Caller,
    options: &SubmitOptions,
    daemon_uid: u32,
) -> Result<(), Refusal> {
    let as_caller = daemon_uid == 0 || [0, daemon_uid].contains(&caller.uid);
    if options.notify.is_some() && !as_caller {
        let reason = "this daemon runs all jobs as its own user, who alone may have notifications";
        return Err(Refusal::Forbidden(reason.into()));
    }
    Ok(())
}

/// Whether the caller may give this priority to a job.
pub fn check_priority(caller: Caller, priority: i32) -> Result<(), Refusal> {
    if priority > 0 && !caller.admin {
        let reason = "only an admin may raise a job's priority above 0";
        return Err(Refusal::Forbidden(reason.into()));
    }
    Ok(())
}

/// Whether the caller may make this change of a job that has not ended.
pub fn check_change(
    caller: Caller,
    job: &Job,
    change: &JobChange,
    (node, quotas): (&Resources, &QuotaRules),
) -> Result<(), Refusal> {
    if let Some(priority) = change.priority
        && priority != job.submission.priority
    {
        check_priority(caller, priority)?;
    }
    if !change.is_of_resources() {
        return Ok(());
    }
    if !job.course.state.is_waiting() {
        return Err(Refusal::NotWaiting(job.id, job.course.state));
    }
    let submission = &job.submission;
    let quota = match submission.exempt {
        true => Quota::UNLIMITED,
        false => quotas.of(submission.uid, submission.gid, node),
    };
    check_demand(change.demand(submission.demand), node, &quota)
}

/// Whether a job fits the node, and its user's quota, when nothing else runs.
fn check_demand(needs: Demand, node: &Resources, quota: &Quota) -> Result<(), Refusal> {
    if !fits_node(&needs, node) {
        return Err(Refusal::TooLarge { needs, node: *node });
    }
    match quota.holds(&Used::default(), &needs) {
        Some(held) => Err(Refusal::Quota(format!("your quota is {held}"))),
        None => Ok(()),
    }
}

fn filled(settings: JobSettings, node: &Resources, quota: &Quota) -> (JobSettings, Demand) {
    let half = (node.memory_bytes / SHARE).min(quota.memory_bytes);
    let memory = settings.memory.unwrap_or(ByteSize(half));
    let half = u64::from(node.threads).div_ceil(SHARE).min(quota.threads);
    let half = NonZeroUsize::new(usize::try_from(half).unwrap_or(usize::MAX));
    let threads = settings.threads.or(half).unwrap_or(NonZeroUsize::MIN);
    let gpu = match settings.engine.unwrap_or(EngineChoice::Auto) {
        EngineChoice::Cpu => GpuDemand::None,
        EngineChoice::Auto => GpuDemand::IfFree,
        EngineChoice::Cuda | EngineChoice::Wgpu => GpuDemand::One,
    };
    let demand = Demand {
        memory_bytes: memory.0,
        threads: u32::try_from(threads.get()).unwrap_or(u32::MAX),
        gpu,
    };
    let settings = JobSettings {
        memory: Some(memory),
        threads: Some(threads),
        ..settings
    };
    (settings, demand)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    use crate::daemon::{
        job::Mode,
        quota::{Amount, QuotaTable},
    };

    const NODE: Resources = Resources {
        memory_bytes: 8 << 30,
        threads: 3,
        gpus: 0,
    };

    fn ask(settings: JobSettings, priority: i32) -> Result<Submission, Refusal> {
        ask_with(settings, priority, QuotaTable::default())
    }

    fn ask_with(
        settings: JobSettings,
        priority: i32,
        quota: QuotaTable,
    ) -> Result<Submission, Refusal> {
        let caller = Caller {
            uid: 1_000,
            gid: 1_000,
            admin: false,
        };
        let request = SubmitRequest {
            settings,
            name: None,
            priority,
            mode: Mode::Refuse,
            options: Default::default(),
            idempotency_key: None,
            digest: [0; 32],
        };
        let quotas = QuotaRules {
            users: HashMap::from([(1_000, quota)]),
            ..QuotaRules::default()
        };
        admissible(caller, request, &NODE, &quotas)
    }

    #[test]
    fn a_job_that_says_nothing_gets_half_of_the_node_and_is_told_so() {
        let job = ask(JobSettings::default(), 0).unwrap();
        let half = Demand {
            memory_bytes: 4 << 30,
            threads: 2,
            gpu: GpuDemand::IfFree,
        };
        assert_eq!(job.demand, half);
        let settings: JobSettings = serde_json::from_value(job.settings).unwrap();
        assert_eq!(settings.memory, Some(ByteSize(4 << 30)));
        assert_eq!(settings.threads, NonZeroUsize::new(2));
    }

    #[test]
    fn a_job_that_never_fits_is_refused_with_what_it_needs() {
        let large = JobSettings {
            memory: Some(ByteSize(9 << 30)),
            ..JobSettings::default()
        };
        let on_gpu = JobSettings {
            engine: Some(EngineChoice::Cuda),
            ..JobSettings::default()
        };
        for settings in [large, on_gpu] {
            let refusal = ask(settings, 0).unwrap_err();
            assert!(matches!(refusal, Refusal::TooLarge { node: NODE, .. }));
        }
    }

    #[test]
    fn a_quota_lowers_the_defaults_and_refuses_what_is_above_it() {
        let quota = QuotaTable {
            threads: Some(Amount::Absolute(1)),
            memory: Some(Amount::Percent(25)),
            ..QuotaTable::default()
        };
        let job = ask_with(JobSettings::default(), 0, quota).unwrap();
        assert_eq!((job.demand.memory_bytes, job.demand.threads), (2 << 30, 1));
        let two = JobSettings {
            threads: NonZeroUsize::new(2),
            ..JobSettings::default()
        };
        let refusal = ask_with(two, 0, quota).unwrap_err();
        let expected = "your quota is 1 thread, of which 0 are in use; the job needs 2";
        assert_eq!(refusal, Refusal::Quota(expected.into()));
    }

    #[test]
    fn no_user_has_a_command_run_with_the_rights_of_another() {
        let options = SubmitOptions {
            notify: Some("true".parse().unwrap()),
            ..SubmitOptions::default()
        };
        let allowed = |uid, options: &SubmitOptions, daemon_uid| {
            let caller = Caller {
                uid,
                gid: uid,
                admin: true,
            };
            check_notify(caller, options, daemon_uid).is_ok()
        };
        // A daemon of root becomes the user.
        assert!(allowed(1_000, &options, 0) && allowed(0, &options, 0));
        assert!(allowed(1_000, &options, 1_000) && allowed(0, &options, 1_000));
        assert!(!allowed(1_001, &options, 1_000));
        assert!(allowed(1_001, &SubmitOptions::default(), 1_000));
    }

    #[test]
    fn users_may_stand_back_and_not_push_forward() {
        assert_eq!(ask(JobSettings::default(), -3).unwrap().priority, -3);
        let refusal = ask(JobSettings::default(), 1).unwrap_err();
        assert!(matches!(refusal, Refusal::Forbidden(_)));
    }
}
