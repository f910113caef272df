//! `molsieve cancel` and `molsieve rm`: jobs by their numbers, or all that are meant by flags.

use super::{DaemonArgs, each, line_of, shown, state, uid};
use crate::{
    cli::{CliError, Exit, say, say_json},
    daemon::{
        action::Bulk,
        client::{Client, Selection},
        job::{Label, State},
        view::SelectedJob,
    },
    report::answer::ClientAnswer,
    units::counted,
};

/// Several jobs: by numbers, and by flags that narrow your own jobs.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = true)]
pub(in crate::cli) struct SelectArgs {
    /// Numbers of the jobs
    #[arg(value_name = "ID")]
    ids: Vec<u64>,
    /// All your jobs
    #[arg(short, long)]
    all: bool,
    /// Your jobs in this state. May be repeated
    #[arg(short, long, value_name = "STATE", value_delimiter = ',', value_parser = state)]
    state: Vec<State>,
    /// Your jobs with this label. May be repeated; then with all of them
    #[arg(short, long, value_name = "LABEL", value_delimiter = ',')]
    label: Vec<Label>,
    /// Jobs of this user, by name or number; those of others for admins only
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Jobs of all users that you may see
    #[arg(long, conflicts_with = "user")]
    everybody: bool,
}

/// `molsieve cancel` and `molsieve rm`.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct BulkArgs {
    #[command(flatten)]
    jobs: SelectArgs,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

impl SelectArgs {
    /// The jobs that the flags mean; none if no flag is given.
    fn selection(&self) -> Result<Option<Selection>, CliError> {
        let user = self.user.as_deref().map(uid).transpose()?;
        let narrowed = !self.state.is_empty() || !self.label.is_empty() || user.is_some();
        let given = narrowed || self.all || self.everybody;
        Ok(given.then(|| Selection {
            states: self.state.clone(),
            labels: self.label.clone(),
            user,
            everybody: self.everybody,
        }))
    }
}

/// `molsieve cancel`.
pub(in crate::cli) fn cancel(args: &BulkArgs) -> Result<Exit, CliError> {
    let (client, json) = (args.daemon.client()?, args.daemon.json);
    let selection = args.jobs.selection()?;
    let exit = each(&args.jobs.ids, json, |id| {
        let job = client.cancel(id)?;
        if json {
            say_json(&job);
        } else {
            say(&shown::cancelled(&job));
        }
        Ok(())
    });
    if let Some(selection) = selection {
        let (cancelled, stopping) = many(&client, Bulk::Cancel, &selection, json)?;
        if !json {
            say(&match (cancelled, stopping) {
                (0, 0) => "none of these jobs is waiting or running".into(),
                (cancelled, 0) => format!("cancelled {}", counted(cancelled, "job")),
                (cancelled, stopping) => format!(
                    "cancelled {}; {} more will stop at the next checkpoint",
                    counted(cancelled, "job"),
                    stopping
                ),
            });
        }
    }
    Ok(exit)
}

/// `molsieve rm`.
pub(in crate::cli) fn forget(args: &BulkArgs) -> Result<Exit, CliError> {
    let (client, json) = (args.daemon.client()?, args.daemon.json);
    let selection = args.jobs.selection()?;
    let exit = each(&args.jobs.ids, json, |id| {
        client.forget(id)?;
        say(&match json {
            true => line_of(ClientAnswer::Forgotten { id }),
            false => shown::forgotten(id),
        });
        Ok(())
    });
    if let Some(selection) = selection {
        let (forgotten, _) = many(&client, Bulk::Forget, &selection, json)?;
        if !json {
            say(&match forgotten {
                0 => "none of these jobs has ended".into(),
                n => format!("forgot {}; their output stays", counted(n, "job")),
            });
        }
    }
    Ok(exit)
}

/// Cancels or forgets jobs. Returns how many have ended, and how many are being stopped. With `json` prints each.
fn many(
    client: &Client,
    bulk: Bulk,
    selection: &Selection,
    json: bool,
) -> Result<(u64, u64), CliError> {
    let (mut ended, mut stopping) = (0, 0);
    client.many(bulk, selection, &mut |jobs| {
        for SelectedJob { id, state } in jobs {
            match state.is_final() {
                true => ended += 1,
                false => stopping += 1,
            }
            if json {
                say(&line_of(match bulk {
                    Bulk::Cancel => ClientAnswer::Cancelled {
                        id: id.0,
                        state: state.to_string(),
                    },
                    Bulk::Forget => ClientAnswer::Forgotten { id: id.0 },
                }));
            }
        }
    })?;
    Ok((ended, stopping))
}
