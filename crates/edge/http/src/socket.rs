//! A TCP or Unix socket as one type, and how both are opened.

use crate::error::ListenError;
use crate::settings::{Address, UnixOwner};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

pub(crate) enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Acceptor {
    pub(crate) async fn open(address: &Address) -> Result<Self, ListenError> {
        match address {
            Address::Tcp(text) => {
                let bound = TcpListener::bind(text.as_str()).await;
                bound.map(Self::Tcp).map_err(|cause| ListenError::Bind { address: text.clone(), cause })
            }
            Address::Unix { path, owner } => open_unix(path, owner).await,
        }
    }

    pub(crate) fn local_address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or_else(|_| String::new(), |a| a.to_string()),
            Self::Unix(_, path) => path.display().to_string(),
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, remote) = listener.accept().await?;
                // Answers are written in one piece; waiting for more to send only delays them. A client that is gone already
                // is found out by reading.
                let _ = stream.set_nodelay(true);
                Ok((Socket::Tcp(stream), Some(plain(remote))))
            }
            Self::Unix(listener, _) => Ok((Socket::Unix(listener.accept().await?.0), None)),
        }
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What a server finds where its socket should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketPlace {
    Free,
    /// A socket that nobody answers on: left over by a crash, and replaced.
    Leftover,
}

impl SocketPlace {
    /// Looks, and changes nothing. A symbolic link is not followed: it, too, is something other than a socket.
    ///
    /// # Errors
    /// Another server listens there, or what is there is no socket and so not ours to replace.
    pub async fn at(path: &Path) -> io::Result<Self> {
        let found = match std::fs::symlink_metadata(path) {
            Ok(about) => about.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Free),
            Err(error) => return Err(error),
        };
        if !found.is_socket() {
            let what = if found.is_symlink() {
                "a symbolic link"
            } else if found.is_dir() {
                "a folder"
            } else {
                "a file"
            };
            return Err(io::Error::other(format!("there is {what} in its place, which is not replaced")));
        }
        match UnixStream::connect(path).await {
            Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(Self::Leftover),
            // So busy that it takes nobody in.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(io::ErrorKind::AddrInUse.into()),
            Err(error) => Err(error),
        }
    }
}

async fn open_unix(path: &Path, owner: &UnixOwner) -> Result<Acceptor, ListenError> {
    let fail = |cause| ListenError::Bind { address: path.display().to_string(), cause };
    if SocketPlace::at(path).await.map_err(fail)? == SocketPlace::Leftover {
        std::fs::remove_file(path).map_err(fail)?;
    }
    let listener = UnixListener::bind(path).map_err(fail)?;
    let acceptor = Acceptor::Unix(listener, path.to_owned());
    set_owner(path, owner)?;
    Ok(acceptor)
}

fn set_owner(path: &Path, owner: &UnixOwner) -> Result<(), ListenError> {
    let fail = |cause| ListenError::Owner { path: path.to_owned(), cause };
    let (user, group) = owner.numbers()?;
    if user.is_some() || group.is_some() {
        std::os::unix::fs::chown(path, user, group).map_err(fail)?;
    }
    if let Some(mode) = owner.mode {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(fail)?;
    }
    Ok(())
}

impl UnixOwner {
    /// Of user and group, as far as they are named.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn numbers(&self) -> Result<(Option<u32>, Option<u32>), ListenError> {
        let user = self.user.as_deref().map(|name| number_of(name, "/etc/passwd")).transpose()?;
        let group = self.group.as_deref().map(|name| number_of(name, "/etc/group")).transpose()?;
        Ok((user, group))
    }
}

/// A user's or group's number, from itself or from the third column of the system's table.
fn number_of(name: &str, table: &str) -> Result<u32, ListenError> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let text = std::fs::read_to_string(table).unwrap_or_default();
    let mut rows = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let row = rows.find(|row| row.first() == Some(&name));
    row.and_then(|row| row.get(2)?.parse().ok()).ok_or_else(|| ListenError::UnknownOwner(name.to_owned()))
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// An IPv4 client of a listener for both families comes as `::ffff:127.0.0.1`; tokens are bound to, and audit shows,
/// the address as people write it.
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Tokens bound to IPv4 networks were refused on such a listener.
    #[tokio::test]
    async fn an_ipv4_client_of_a_listener_for_both_families_has_its_ipv4_address() {
        let Ok(acceptor) = Acceptor::open(&Address::Tcp("[::]:0".into())).await else { return };
        let port = acceptor.local_address().rsplit_once(':').unwrap().1.parse().unwrap();
        let _client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (_socket, remote) = acceptor.accept().await.unwrap();
        assert_eq!(remote.unwrap().ip().to_string(), "127.0.0.1");
    }

    async fn open(path: &Path) -> Result<Acceptor, String> {
        open_unix(path, &UnixOwner::default()).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn only_a_socket_that_nobody_answers_on_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        // Dropping a listener of the system's library leaves its file, as a crash does.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert_eq!(SocketPlace::at(&path).await.unwrap(), SocketPlace::Leftover);
        let first = open(&path).await.unwrap();
        assert!(open(&path).await.is_err(), "it answers");
        drop(first);
        assert_eq!(SocketPlace::at(&path).await.unwrap(), SocketPlace::Free);
    }

    #[tokio::test]
    async fn files_links_and_folders_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "mine").unwrap();
        drop(std::os::unix::net::UnixListener::bind(at("socket")).unwrap());
        std::os::unix::fs::symlink(at("socket"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("nothing"), at("astray")).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        for (name, what) in
            [("file", "a file"), ("link", "a symbolic link"), ("astray", "link"), ("folder", "a folder")]
        {
            let problem = open(&at(name)).await.err().unwrap();
            assert!(problem.contains(what), "{name}: {problem}");
            assert!(std::fs::symlink_metadata(at(name)).is_ok(), "{name} is gone");
        }
        assert_eq!(std::fs::read_to_string(at("file")).unwrap(), "mine");
        assert!(std::fs::symlink_metadata(at("nothing")).is_err(), "nothing is made behind a link");
    }

    #[test]
    fn owners_are_names_or_numbers() {
        assert_eq!(number_of("0", "/etc/passwd").unwrap(), 0);
        assert_eq!(number_of("root", "/etc/passwd").unwrap(), 0);
        assert!(number_of("no-such-user", "/etc/passwd").is_err());
    }
}
