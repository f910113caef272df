//! Which user the client's end of a connection belongs to, by the kernel's table of TCP sockets. It refuses other
//! users of the machine, whatever token or cookie they have come by.

use std::{fs, net::SocketAddrV4};

use nix::unistd::Uid;

/// The tables of sockets. Some programs use a socket for IPv6 for addresses of IPv4 too.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// How an address of IPv4 begins in the table for IPv6.
const MAPPED: &str = "0000000000000000FFFF0000";

/// Whether the process at `client` belongs to this process's user or to root. Without a table of sockets the token and
/// the cookie must do, and the answer is yes. Reads files of the kernel, so it blocks for a moment.
pub(super) fn is_own(client: SocketAddrV4, server: SocketAddrV4) -> bool {
    let own = Uid::effective().as_raw();
    let tables: Vec<_> = TABLES
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect();
    let mut owners = tables
        .iter()
        .filter_map(|table| owner(table, client, server));
    match owners.next() {
        Some(uid) => uid == own || uid == 0,
        None => tables.is_empty(),
    }
}

/// The user of the socket that is bound to `client` and connected to `server`.
pub(super) fn owner(table: &str, client: SocketAddrV4, server: SocketAddrV4) -> Option<u32> {
    let (client, server) = (in_table(client), in_table(server));
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let local = fields.next()?;
        let remote = fields.next()?;
        let is_it = plain(local) == client && plain(remote) == server;
        // State, queues, timer, retransmissions, uid.
        fields.nth(4).filter(|_| is_it)?.parse().ok()
    })
}

fn plain(address: &str) -> &str {
    address.strip_prefix(MAPPED).unwrap_or(address)
}

/// An address as the kernel writes it: the number as it lies in memory, and the port, in hex.
fn in_table(address: SocketAddrV4) -> String {
    let number = u32::from_ne_bytes(address.ip().octets());
    format!("{number:08X}:{:04X}", address.port())
}
