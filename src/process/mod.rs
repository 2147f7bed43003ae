//! Making processes: the runtime's side acts on a plan and talks to init; init walks its steps and never returns.

mod birthplace;
mod console;
mod credentials;
mod error;
mod failure;
mod foreground;
mod hints;
pub mod hooks;
mod idmaps;
mod image;
mod init;
mod net_devices;
mod notify_socket;
mod passwd;
pub mod seal;
mod slots;
mod spawn;
mod start;
pub mod sync;
mod terminal;

pub use error::Error;
pub use foreground::Foreground;
pub use idmaps::namespace as mapped_user_ns;
pub use notify_socket::NotifySocket;
pub use slots::Sockets;
pub use spawn::{ExecLaunch, Launch, Moment, Spawned, create, exec, run_hooks};
pub use start::start;
pub use terminal::Terminal;
