//! The least that a fan-out does: one loop that writes finished frames to every socket.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::time::Instant;

use hyper::body::Bytes;

use crate::crowd::Crowd;

const FRAMES: &str = "frames";

/// Writes the frames into a file of the folder, each after its length as four bytes.
pub(crate) fn save(folder: &Path, frames: &[Bytes]) {
    let mut bytes = Vec::new();
    for frame in frames {
        bytes.extend(u32::try_from(frame.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(frame);
    }
    std::fs::write(folder.join(FRAMES), bytes).unwrap();
}

/// Accepts the sockets, writes every frame to each, and keeps them open until the process is
/// killed.
///
/// The frames of a run follow one another, and the runs have the pace of the measured ones: a
/// socket whose client never waits costs less.
pub(crate) fn serve(folder: &Path, crowd: Crowd) {
    let bytes = std::fs::read(folder.join(FRAMES)).unwrap();
    let frames = split(&bytes);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("listening on http://{}", listener.local_addr().unwrap());
    let sockets = listener.incoming().take(crowd.clients);
    let mut sockets: Vec<_> = sockets.map(Result::unwrap).collect();
    for socket in &sockets {
        socket.set_nodelay(true).unwrap();
    }
    let begin = Instant::now();
    for (number, run) in frames.chunks(frames.len().div_ceil(crowd.runs)).enumerate() {
        let due = begin + crowd.pause() * u32::try_from(number).unwrap();
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for frame in run {
            for socket in &mut sockets {
                socket.write_all(frame).unwrap();
            }
        }
    }
    loop {
        std::thread::park();
    }
}

fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
        let (frame, rest) = rest.split_at(length);
        frames.push(frame);
        bytes = rest;
    }
    frames
}
