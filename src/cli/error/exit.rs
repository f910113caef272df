//! The exit code of each error.

use super::{CliError, DrawError, WorkerError};
use crate::cli::Exit;
use crate::{
    bench::BenchError,
    chem::ChemistryError,
    daemon::{client::ClientError, store::JobStoreError},
    diff::DiffError,
    export::ExportError,
    filter::FilterError,
    page::PageError,
    pipeline::{PipelineError, PrepareError, ReagentError},
    plan::PlanError,
    report::manifest::ManifestError,
    route::RouteError,
    show::ShowError,
    store::StoreError,
    trial::TrialError,
};

impl CliError {
    /// The table of exit codes. It names every error, so that a new one gets its code on purpose.
    pub(in crate::cli) fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::NothingToResume(_)
            | Self::InputInOutput { .. }
            | Self::OutputIsNoFile { .. }
            | Self::OutputNotToml(_)
            | Self::StandardInput(_)
            | Self::StandardOutput(_)
            | Self::Export(_)
            | Self::StandardInputKept(_)
            | Self::Path(_)
            | Self::Settings(_)
            | Self::NoUser(_)
            | Self::Array(_)
            | Self::TooManyJobs(_)
            | Self::NoTerminal
            | Self::NotOnTheNode(_)
            | Self::ArrayOnTheNode(_)
            | Self::Client(ClientError::Address { .. })
            | Self::NotUtf8
            | Self::DiskTooSmall { .. }
            | Self::Worker(WorkerError::Assignment(_))
            | Self::Bench(BenchError::Engine(_) | BenchError::TooManyProducts(_))
            | Self::Engine(_)
            | Self::Admin(
                JobStoreError::NoStore(_)
                | JobStoreError::Exists(_)
                | JobStoreError::Foreign(_)
                | JobStoreError::Newer { .. },
            )
            | Self::Manifest(ManifestError::Newer { .. }) => Exit::Usage,
            Self::Store(error) | Self::Manifest(ManifestError::Store(error)) => {
                exit_of_store(error)
            }
            Self::NoSpace { error, .. } => error.exit(),
            Self::Rules(_)
            | Self::ConvertedTooLarge { .. }
            | Self::Source(_)
            | Self::StandardInputEmpty
            | Self::Bench(BenchError::NoSmiles(_)) => Exit::Input,
            Self::Chemistry(error) | Self::Trial(TrialError::Chemistry(error)) => {
                exit_of_chemistry(error)
            }
            Self::Prepare(error) => exit_of_prepare(error),
            Self::Pipeline(error) => exit_of_pipeline(error),
            Self::Route(error) => exit_of_route(error),
            Self::Exported(error) => exit_of_export(error),
            Self::Diff(error) => exit_of_diff(error),
            Self::Page(error) => exit_of_page(error),
            Self::Show(error) => exit_of_show(error),
            Self::Draw(error) => exit_of_draw(error),
            Self::Stopped(_) => Exit::Stopped,
            Self::ArrayStopped { error, .. } => error.exit(),
            Self::Trial(_)
            | Self::Attempt { .. }
            | Self::Crashed { .. }
            | Self::StreamCrashed { .. }
            | Self::StreamDisk { .. }
            | Self::Manifest(ManifestError::Unreadable { .. })
            | Self::Worker(
                WorkerError::User { .. } | WorkerError::System { .. } | WorkerError::Notify { .. },
            )
            | Self::Signals(_)
            | Self::Terminal(_)
            | Self::Bench(_)
            | Self::Client(_)
            | Self::TunnelEnded(_)
            | Self::CannotListen { .. }
            | Self::Serve(_)
            | Self::Admin(_)
            | Self::Log(_)
            | Self::Stream(_)
            | Self::TooLarge(_)
            | Self::Unsure { .. }
            | Self::NoFolder(_)
            | Self::SampleStuck { .. }
            | Self::CannotWrite { .. } => Exit::Failed,
        }
    }
}

fn exit_of_prepare(error: &PrepareError) -> Exit {
    match error {
        PrepareError::Column(_)
        | PrepareError::Plan(PlanError::Budget { .. } | PlanError::Engine(_)) => Exit::Usage,
        PrepareError::Rules(_)
        | PrepareError::Source(_)
        | PrepareError::Exclude(_)
        | PrepareError::Plan(PlanError::Source(_)) => Exit::Input,
        PrepareError::Chemistry(error)
        | PrepareError::Plan(PlanError::Trial(TrialError::Chemistry(error))) => {
            exit_of_chemistry(error)
        }
        PrepareError::Reagents(error) => exit_of_reagents(error),
        PrepareError::Filters(error) => exit_of_filters(error),
        PrepareError::Plan(PlanError::Trial(_)) => Exit::Failed,
    }
}

fn exit_of_pipeline(error: &PipelineError) -> Exit {
    match error {
        PipelineError::Changed(_) => Exit::Usage,
        PipelineError::Store(error) => exit_of_store(error),
        PipelineError::Source(_) | PipelineError::Exclude(_) => Exit::Input,
        PipelineError::Chemistry(error) | PipelineError::Trial(TrialError::Chemistry(error)) => {
            exit_of_chemistry(error)
        }
        _ => Exit::Failed,
    }
}

fn exit_of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::NotEmpty(_)
        | StoreError::Unfinished(_)
        | StoreError::NoRun(_)
        | StoreError::Foreign(_)
        | StoreError::Busy(_)
        | StoreError::OtherVersion(_)
        | StoreError::NotADirectory(_)
        | StoreError::Exists(_) => Exit::Usage,
        StoreError::DiskFull(_)
        | StoreError::QuotaFull(_)
        | StoreError::Damaged { .. }
        | StoreError::Io { .. } => Exit::Failed,
    }
}

fn exit_of_chemistry(error: &ChemistryError) -> Exit {
    match error {
        ChemistryError::Rule { .. } | ChemistryError::Filter { .. } => Exit::Input,
        ChemistryError::StartUp(_) | ChemistryError::Failed(_) => Exit::Failed,
    }
}

fn exit_of_filters(error: &FilterError) -> Exit {
    match error {
        FilterError::Store(error) => exit_of_store(error),
        FilterError::TooManyDrops { .. } => Exit::Usage,
        _ => Exit::Input,
    }
}

fn exit_of_export(error: &ExportError) -> Exit {
    match error {
        ExportError::Stopped => Exit::Stopped,
        ExportError::NotComplete(_)
        | ExportError::NotParquet { .. }
        | ExportError::NoStep { .. }
        | ExportError::Column(_) => Exit::Usage,
        ExportError::Chemistry(error) => exit_of_chemistry(error),
        ExportError::Part(_)
        | ExportError::Manifest(_)
        | ExportError::Threads(_)
        | ExportError::Sink(_) => Exit::Failed,
    }
}

fn exit_of_reagents(error: &ReagentError) -> Exit {
    match error {
        ReagentError::Unused { .. }
        | ReagentError::NothingToSample
        | ReagentError::TooManyToSample
        | ReagentError::Memory(_) => Exit::Usage,
        ReagentError::Thread(_) | ReagentError::Store(_) | ReagentError::Chemistry(_) => {
            Exit::Failed
        }
        _ => Exit::Input,
    }
}

fn exit_of_route(error: &RouteError) -> Exit {
    match error {
        RouteError::NotComplete(_)
        | RouteError::NoRules(_)
        | RouteError::NotParquet { .. }
        | RouteError::Smiles(_) => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn exit_of_diff(error: &DiffError) -> Exit {
    match error {
        DiffError::NotComplete(_)
        | DiffError::Same { .. }
        | DiffError::OutputInSide { .. }
        | DiffError::Memory { .. } => Exit::Usage,
        DiffError::Kinds { .. }
        | DiffError::Definitions { .. }
        | DiffError::NotParquet(_)
        | DiffError::Part(_) => Exit::Input,
        DiffError::Manifest(_)
        | DiffError::Store(_)
        | DiffError::Encode { .. }
        | DiffError::Stopped
        | DiffError::Threads(_) => Exit::Failed,
    }
}

fn exit_of_page(error: &PageError) -> Exit {
    match error {
        PageError::NotComplete(_) | PageError::Memory { .. } => Exit::Usage,
        PageError::Part(_) => Exit::Input,
        _ => Exit::Failed,
    }
}

fn exit_of_show(error: &ShowError) -> Exit {
    match error {
        ShowError::NotComplete(_)
        | ShowError::NotParquet { .. }
        | ShowError::OtherFile(_)
        | ShowError::NoRule { .. }
        | ShowError::NoColumn { .. }
        | ShowError::Column(_) => Exit::Usage,
        ShowError::Part(_) => Exit::Input,
        ShowError::Manifest(_) => Exit::Failed,
    }
}

fn exit_of_draw(error: &DrawError) -> Exit {
    match error {
        DrawError::NoTerminal
        | DrawError::Format(_)
        | DrawError::TooMany(_)
        | DrawError::NoMolecules => Exit::Usage,
        DrawError::Undrawn(_) => Exit::Failed,
    }
}
