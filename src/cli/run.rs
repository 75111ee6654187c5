//! `flowc run`: runs a flow, shows it at work, and writes what it returns.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args as _, CommandFactory, FromArgMatches, ValueEnum};
use futures::StreamExt;

use super::ask::Asker;
use super::files;
use super::host::{self, Host};
use super::input::{self, Given};
use super::interrupt::Interrupts;
use super::output::{Status, err, misused, out, paint};
use super::progress::{FRAME, Progress};
use super::report;
use crate::compile::compile;
use crate::program::{Flow, Program};
use crate::project::{EngineOptions, Project};
use crate::run::{FieldError, InputError, Run, RunError, StartError};
use crate::source::{DiskLoader, SourceFile};
use crate::tools;
use crate::value::{ErrorKind, Value};

/// Run a flow of a file.
///
/// FLOW, where it is named, comes right after FILE; else the flow is `main`, or the one named like the file, or the
/// only one. Every parameter of the flow is a flag: `flowc run FILE --help` lists them.
#[derive(clap::Args, Debug)]
#[command(disable_help_flag = true, override_usage = "flowc run [OPTIONS] FILE [FLOW] [--PARAMETER VALUE]…")]
pub(super) struct Args {
    #[command(flatten)]
    options: Options,
    /// The file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The flow, and a flag for each of its parameters
    #[arg(value_name = "FLOW and parameters", trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// The flags of `run` itself; they may stand before FILE and among the flow's parameters.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Options {
    /// Read the input from a file of JSON, `-` is standard input; flags of parameters win
    #[arg(long, value_name = "FILE|-")]
    input: Option<PathBuf>,
    /// Write the run's events to standard output as they happen, instead of its result at the end
    #[arg(long, value_enum, value_name = "FORMAT")]
    events: Option<Events>,
    /// How to write the result and what goes wrong
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Let the flow reach addresses of private networks and of this machine
    #[arg(long)]
    allow_private: bool,
    /// Keep the run there: `sqlite:PATH` or `postgres://…`, in place of what flow.toml says; `memory:` keeps nothing
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Give a parameter by its exact name
    #[arg(long, value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// Print help, with the flow's parameters where a file is given
    #[arg(long, short)]
    help: bool,
}

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Events {
    /// One JSON object a line.
    Ndjson,
}

/// How the result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The result as JSON on several lines; failures in words.
    #[default]
    Human,
    /// The result as JSON on one line; failures and diagnostics as JSON on standard error.
    Json,
    /// A result that is a string as it is; anything else as JSON.
    Text,
}

/// Everything a run needs.
struct Job {
    program: Arc<Program>,
    flow: String,
    project: Project,
    options: Options,
}

pub(super) fn run(args: Args) -> Status {
    let Some(path) = args.file else {
        return if args.options.help { help(None) } else { misused("a file is needed: `flowc run FILE`") };
    };
    let file = match files::read(&path) {
        Ok(file) => file,
        Err(why) => return misused(why),
    };
    let project = match host::project(&file) {
        Ok(project) => project,
        Err(status) => return status,
    };
    let program = match compile(file.clone(), &project.catalog(), &DiskLoader) {
        Ok(program) => Arc::new(program),
        Err(found) => {
            let json = args.rest.iter().any(|arg| arg == "--format=json") || args.options.format == Some(Format::Json);
            let format = if json { report::Format::Json } else { report::Format::Human };
            report::diagnostics(&found.list, &found.sources, format);
            if !json {
                err(report::tally(&found.list, found.sources.iter().count()));
            }
            return Status::Failed;
        }
    };
    match settle(&program, &file, args.options, args.rest, project) {
        Ok((job, input)) => start(job, input),
        Err(status) => status,
    }
}

/// Chooses the flow and reads its parameters.
fn settle(
    program: &Arc<Program>,
    file: &SourceFile,
    before: Options,
    mut rest: Vec<String>,
    project: Project,
) -> Result<(Job, Value), Status> {
    let named = rest.first().filter(|first| !first.starts_with('-')).cloned();
    if named.is_some() {
        rest.remove(0);
    }
    let flow = choose(program, named.as_deref(), file).map_err(|why| {
        if before.help || rest.iter().any(|arg| arg == "--help" || arg == "-h") { help(None) } else { misused(why) }
    })?;
    let matches = parameters(flow, file).try_get_matches_from(rest).map_err(|why| {
        let _ = why.print();
        Status::Misused
    })?;
    let options = Options::from_arg_matches(&matches).unwrap_or_default().after(before);
    if options.help {
        return Err(help(Some((flow, file))));
    }
    let mut given = Given::default();
    if let Some(path) = &options.input {
        given.fields = input::read_file(path).map_err(misused)?;
    }
    given.take(flow, &matches, &options.param);
    if !given.errors.is_empty() {
        let error = StartError::Input(InputError { flow: flow.name.clone(), fields: with_missing(flow, given) });
        return Err(unfit(&error, file, &options));
    }
    let input = Value::from(serde_json::Value::Object(given.fields));
    Ok((Job { program: Arc::clone(program), flow: flow.name.to_string(), project, options }, input))
}

/// The flow as a command: its parameters, then the flags of `run`.
fn parameters(flow: &Flow, file: &SourceFile) -> clap::Command {
    let command = clap::Command::new("flowc run").no_binary_name(true).disable_help_flag(true);
    let usage = format!("flowc run {} {} [--PARAMETER VALUE]…", file.name(), flow.name);
    let command = input::flags(command, flow).override_usage(usage);
    Options::augment_args(command.next_help_heading("Options"))
}

/// What cannot be read, and what is not there at all.
fn with_missing(flow: &Flow, given: Given) -> Vec<FieldError> {
    let mut fields = given.errors;
    for param in &flow.params {
        let known =
            given.fields.contains_key(param.name.as_str()) || fields.iter().any(|error| error.field == param.name);
        if !param.optional && !known {
            fields
                .push(FieldError { field: param.name.clone(), message: format!("is missing: expected {}", param.ty) });
        }
    }
    fields
}

impl Options {
    /// These, and what was said before FILE.
    fn after(self, before: Options) -> Options {
        Options {
            input: self.input.or(before.input),
            events: self.events.or(before.events),
            format: self.format.or(before.format),
            allow_private: self.allow_private || before.allow_private,
            database: self.database.or(before.database),
            param: before.param.into_iter().chain(self.param).collect(),
            help: self.help || before.help,
        }
    }
}

/// The named flow, else `main`, else the one named like the file, else the only one.
pub(super) fn choose<'a>(program: &'a Program, named: Option<&str>, file: &SourceFile) -> Result<&'a Flow, String> {
    let own: Vec<&Flow> = program.flows.iter().filter(|flow| flow.exported).collect();
    let names = || own.iter().map(|flow| format!("`{}`", flow.name)).collect::<Vec<_>>().join(", ");
    if own.is_empty() {
        return Err(format!("`{}` has no flow to run", file.name()));
    }
    if let Some(named) = named {
        let near = crate::diagnostic::nearest(named, own.iter().map(|flow| flow.name.as_str()));
        let near = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
        return own
            .iter()
            .copied()
            .find(|flow| flow.name == named)
            .ok_or_else(|| format!("`{}` has no flow `{named}`{near}; it has {}", file.name(), names()));
    }
    let stem =
        PathBuf::from(file.name()).file_stem().map(|stem| stem.to_string_lossy().replace('-', "_")).unwrap_or_default();
    let find = |name: &str| own.iter().copied().find(|flow| flow.name == name);
    match (find("main").or_else(|| find(&stem)), own.as_slice()) {
        (Some(flow), _) => Ok(flow),
        (None, [only]) => Ok(only),
        (None, _) => Err(format!("`{}` has several flows: name the one to run: {}", file.name(), names())),
    }
}

/// The help: of the command, or of a flow with its parameters.
fn help(flow: Option<(&Flow, &SourceFile)>) -> Status {
    let mut cli = super::Cli::command();
    cli.build();
    let Some(run) = cli.find_subcommand("run").cloned() else { return Status::Fine };
    let command = match flow {
        None => run,
        Some((flow, file)) => {
            let about = flow.doc.trim().to_owned();
            parameters(flow, file).about(about)
        }
    };
    out(command.term_width(super::output::columns()).clone().render_help().to_string().trim_end());
    Status::Fine
}

/// Says what is wrong with the input, field by field.
fn unfit(error: &StartError, file: &SourceFile, options: &Options) -> Status {
    if options.format == Some(Format::Json) {
        let fields = match error {
            StartError::Input(input) => input.fields.as_slice(),
            _ => &[],
        };
        let fields: Vec<_> =
            fields.iter().map(|error| serde_json::json!({ "field": error.field, "message": error.message })).collect();
        err(serde_json::json!({ "error": { "kind": "invalid", "message": error.to_string(), "fields": fields } }));
        return Status::Misused;
    }
    misused(error);
    if matches!(error, StartError::Input(_)) {
        err(format_args!(
            "{} `flowc run {} --help` lists the parameters",
            paint().cyan().apply_to("help:"),
            file.name()
        ));
    }
    Status::Misused
}

fn start(job: Job, input: Value) -> Status {
    let done = host::block_on(async {
        let status = match host::verify(&job.project, &job.program.tools).await {
            Ok(()) => perform(&job, input).await.unwrap_or_else(|status| status),
            Err(status) => status,
        };
        job.project.close().await;
        status
    });
    done.unwrap_or_else(|status| status)
}

async fn perform(job: &Job, input: Value) -> Result<Status, Status> {
    let store = host::store(&job.project, job.options.database.as_deref()).await?;
    let kept = store.is_some();
    let options = EngineOptions { allow_private: job.options.allow_private, ..EngineOptions::default() };
    let host = Host::new(&job.project, options, store)?;
    let status = match host.engine.start(&job.program, &job.flow, input) {
        Ok(run) => watch(&run, kept, job).await,
        Err(error) => {
            let file = SourceFile::new(job.program.sources.first().map_or("", |source| &source.name), "");
            unfit(&error, &file, &job.options)
        }
    };
    host.close().await;
    Ok(status)
}

async fn watch(run: &Run, kept: bool, job: &Job) -> Status {
    let Some(flow) = job.program.flow(&job.flow) else { return Status::Misused };
    let mut progress = Progress::new(flow, job.options.events.is_none());
    follow(run, kept, &mut progress, job.options.events).await;
    let end = run.value().await;
    progress.finish();
    let status = conclude(end, &progress, job, Some(run.id()).filter(|_| kept && !run.recorded().is_empty()));
    if kept && status == Status::Failed && job.options.format != Some(Format::Json) {
        err(paint().dim().apply_to(onward(run)));
    }
    status
}

/// What can be done about a run that failed, or that stopped where it stands.
pub(super) fn onward(run: &Run) -> String {
    match run.recorded().last().map(|event| event.kind.ends_run()) {
        Some(true) => format!("flowc runs show {}", run.id()),
        Some(false) => format!("flowc runs resume {}", run.id()),
        // No effect begins before the run's start is durable.
        None => "nothing of it was done: run it again".to_owned(),
    }
}

/// Shows the run until its end. The first Ctrl-C asks it to end, the second ends the process at once.
pub(super) async fn follow_run(run: &Run, kept: bool, progress: &mut Progress) {
    follow(run, kept, progress, None).await;
}

async fn follow(run: &Run, kept: bool, progress: &mut Progress, events: Option<Events>) {
    let mut stream = run.events();
    let mut interrupts = Interrupts::listen();
    let mut frames = tokio::time::interval(FRAME);
    frames.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut asker = Asker::new(run, kept);
    let mut asked = false;
    loop {
        tokio::select! {
            biased;
            () = interrupts.next() => {
                if asked {
                    progress.clear();
                    tools::kill_all();
                    std::process::exit(i32::from(Status::Interrupted.code()));
                }
                asked = true;
                run.cancel();
                progress.cancelling();
            }
            event = stream.next() => {
                let Some(event) = event else { return };
                if events == Some(Events::Ndjson) {
                    out(serde_json::to_string(&*event).unwrap_or_default());
                }
                progress.event(&event);
                asker.event(&event, run, progress);
            }
            line = asker.line() => asker.take(line.as_deref(), run, progress),
            _ = frames.tick(), if progress.live() => progress.frame(),
        }
    }
}

/// Writes the result, or says why there is none.
fn conclude(end: Result<Value, RunError>, progress: &Progress, job: &Job, kept: Option<&str>) -> Status {
    let format = job.options.format.unwrap_or_default();
    match end {
        Ok(_) if job.options.events.is_some() => Status::Fine,
        Ok(value) => {
            match (format, value.as_str()) {
                (Format::Text, Some(text)) => out(text),
                (Format::Json, _) => out(value.to_json_text()),
                _ => out(report::pretty(&serde_json::Value::from(&value))),
            }
            Status::Fine
        }
        Err(error) if format == Format::Json => {
            err(match kept {
                Some(run) => serde_json::json!({ "error": error, "run": run }),
                None => serde_json::json!({ "error": error }),
            });
            if error.kind == ErrorKind::Cancelled { Status::Interrupted } else { Status::Failed }
        }
        Err(error) => failed(&error, progress, &job.program),
    }
}

/// Says why a run failed; one that was asked to end has said so itself.
pub(super) fn failed(error: &RunError, progress: &Progress, program: &Program) -> Status {
    if error.kind == ErrorKind::Cancelled && error.step.is_empty() {
        return Status::Interrupted;
    }
    err(report::failure(error, "the flow", progress.label(&error.step), program).trim_end());
    Status::Failed
}
