//! The options of `prefork-log serve`.

use crate::options::Written;
use clap::Args;
use std::path::PathBuf;

/// Receive lines from many processes on a Unix socket, and write them to rolling files
///
/// Programs with the Rust library `tracing-prefork` send through `SocketWriter`: each line is acknowledged when it is
/// in its file, and sent again if this program ends before. Programs in other languages write lines to the socket of
/// `--stream-socket`. A socket that systemd hands over (`LISTEN_FDS`) is used as it is.
///
/// SIGTERM and SIGINT end: what was sent is written first. SIGHUP opens the files anew. On a full disk nothing is
/// acknowledged, so clients keep their lines, and this program goes on when there is room.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) written: Written,
    #[command(flatten)]
    pub(crate) sockets: Sockets,
}

/// Where lines are received, and from whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sockets")]
pub(crate) struct Sockets {
    /// The socket for `SocketWriter` (SOCK_SEQPACKET); a stale one is replaced
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// A socket for lines that end in newlines (SOCK_STREAM), of programs in any language. These lines are not
    /// acknowledged, and have the time at which they are received
    #[arg(long, value_name = "PATH")]
    pub(crate) stream_socket: Option<PathBuf>,
    /// Where this program notes what it is about to write, so that no line comes twice when it is killed and started
    /// again. Without this option it is a hidden file beside the socket; systemd's sockets have none
    #[arg(long, value_name = "PATH")]
    journal: Option<PathBuf>,
    /// The exact permissions of the sockets, in octal: who may write to a socket may send
    #[arg(long, value_name = "MODE", default_value = "600", value_parser = mode)]
    pub(crate) socket_mode: u32,
    /// The user that the sockets belong to, by name or number
    #[arg(long, value_name = "USER")]
    pub(crate) socket_user: Option<String>,
    /// The group that the sockets belong to, by name or number
    #[arg(long, value_name = "GROUP")]
    pub(crate) socket_group: Option<String>,
    /// Users that may send, by number, besides root and this program's own. Without this option and `--allow-gid`, the
    /// permissions of the socket decide alone
    #[arg(long, value_name = "UID", value_delimiter = ',')]
    pub(crate) allow_uid: Vec<u32>,
    /// Groups whose processes may send, by number. It is the process's own group that counts, not the further ones of
    /// its user
    #[arg(long, value_name = "GID", value_delimiter = ',')]
    pub(crate) allow_gid: Vec<u32>,
    /// The most connections at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    pub(crate) max_connections: usize,
    /// The most connections of one process at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    pub(crate) max_per_process: usize,
}

impl Sockets {
    pub(crate) fn journal_path(&self) -> Option<PathBuf> {
        let beside = |socket: &PathBuf| {
            let name = socket.file_name()?.to_string_lossy();
            Some(socket.with_file_name(format!(".{name}.journal")))
        };
        self.journal.clone().or_else(|| self.socket.as_ref().and_then(beside))
    }
}

/// Permissions in octal: `660`, `0660` or `0o660`.
fn mode(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| "expected permissions in octal, such as 660".to_owned())
}

const EXAMPLES: &str = "\
Examples:
  For programs of the group app, with SocketWriter:
    prefork-log serve --socket /run/app/log.sock --socket-mode 660 --socket-group app \\
        /var/log/app --prefix app --suffix log --rotate daily --keep 14

  For programs in any language, too:
    prefork-log serve --socket /run/app/log.sock --stream-socket /run/app/lines.sock /var/log/app --prefix app
    echo 'a line' | nc -UN /run/app/lines.sock

  As a service of systemd: Type=notify, ExecReload=kill -HUP $MAINPID, and a socket unit with
  ListenSequentialPacket=/run/app/log.sock

Exit codes:
  0  ended by a signal; all lines that were received are in the files
  1  nobody can listen there, the files could not be opened, or lines could not be written before the end
  2  the command line or the settings are wrong; nothing was received";

#[cfg(test)]
mod tests {
    use super::mode;

    #[test]
    fn permissions_are_read_in_octal() {
        assert_eq!(mode("660"), Ok(0o660));
        assert_eq!(mode("0660"), Ok(0o660));
        assert_eq!(mode("0o600"), Ok(0o600));
        for wrong in ["", "888", "1777", "rw-rw----"] {
            assert!(mode(wrong).is_err(), "{wrong}");
        }
    }
}
