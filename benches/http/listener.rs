//! The listener of the servers that this program itself has.

use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// Serves each connection with this future until the process is killed.
pub(crate) async fn listen<F>(serve: impl Fn(TokioIo<TcpStream>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on http://{}", listener.local_addr().unwrap());
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        tokio::spawn(serve(TokioIo::new(socket)));
    }
}
