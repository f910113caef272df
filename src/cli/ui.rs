//! `molsieve ui`: the daemon's jobs and their reports in a browser.
//!
//! A web server on 127.0.0.1 for one user. It passes requests to the daemon's socket as the user who started it, one
//! connection for each, so that the daemon decides what this user may see and do. It stores nothing.
//!
//! Everybody on the machine can connect to a port, and every web page can send requests to it. So each request passes
//! these checks, in this order:
//!
//! 1. The client's end of the connection belongs to the same user, or to root (`peer`).
//! 2. `Host` is 127.0.0.1 or localhost with this port; no page of another site sends the request; a request that
//!    changes something has the header `x-molsieve` (`guard`).
//! 3. The session's cookie. The token in the printed address is exchanged for it, once (`access`).
//! 4. The path is one of a fixed list (`route`).
//!
//! | module | what |
//! |---|---|
//! | `server` | connections, the order of the checks |
//! | `peer`, `guard`, `access`, `route` | the checks |
//! | `refused` | every refusal: status, code, message |
//! | `proxy` | requests that the daemon answers |
//! | `report` | the report of a job |
//! | `answer` | the page's files; headers of all answers |

mod access;
mod answer;
mod guard;
mod peer;
mod proxy;
mod refused;
mod report;
mod route;
mod server;
#[cfg(test)]
mod tests;

use std::{
    env, io,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

use self::{
    access::{Access, Secret},
    server::Ui,
};
use super::{
    CliError, Exit,
    jobs::{DaemonArgs, asked_to_leave},
    say,
};
use crate::{
    daemon::{client::Client, view::JobView},
    report::answer::{self as lines, ClientAnswer},
    store::plain,
};

/// `molsieve ui`.
#[derive(clap::Args, Debug)]
pub(super) struct UiArgs {
    /// Port of 127.0.0.1 to listen at [default: one that is free]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Print the address only, and open no browser
    #[arg(long)]
    no_browser: bool,
    #[command(flatten)]
    pub(super) daemon: DaemonArgs,
}

/// `molsieve ui`: serves the page until SIGINT or SIGTERM.
pub(super) fn ui(args: &UiArgs) -> Result<Exit, CliError> {
    // If no daemon answers, the user gets the reason here and not in a browser.
    let place = args.daemon.place()?;
    Client::at(place.clone())?.node()?;
    let cannot_listen = |error: io::Error| CliError::CannotListen {
        port: args.port,
        reason: plain(&error),
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).map_err(cannot_listen)?;
    listener.set_nonblocking(true).map_err(cannot_listen)?;
    let port = listener.local_addr().map_err(cannot_listen)?.port();
    let token = Secret::random().map_err(cannot_listen)?;
    let address = format!("http://127.0.0.1:{port}/?token={}", token.text());
    let access = Access::new(token, port).map_err(cannot_listen)?;
    let ui = Ui::new(port, access, place.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cannot_listen)?;
    say(&match args.daemon.json {
        true => lines::line(&ClientAnswer::<JobView>::Listening {
            address: address.clone(),
        }),
        false => address.clone(),
    });
    if !args.no_browser && has_display() {
        open_browser(&address);
    }
    runtime
        .block_on(server::serve(listener, ui, asked_to_leave()))
        .map_err(cannot_listen)?;
    // Tasks of the server may hold it.
    place.close();
    Ok(Exit::Done)
}

/// Whether there is a screen to open a browser on.
fn has_display() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

/// Opens the address in the user's browser. Other users of the machine can read the arguments of this process; the
/// token there is of no use to them, because the server refuses their connections.
fn open_browser(address: &str) {
    let mut command = Command::new("xdg-open");
    command
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C in the terminal ends this program and not the browser.
        .process_group(0);
    if let Err(error) = command.spawn() {
        tracing::debug!("cannot start xdg-open: {error}");
    }
}
