//! The Windows side: a tool that lets the Linux side do its work.

use super::{PORT, STATUS, STDERR, STDOUT, read_frame, write_frame};
use std::io::{self, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::ExitCode;

pub fn main() -> ExitCode {
    let port = std::env::var(PORT).expect("the tests say where the other side listens");
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the other side listens");
    let me = std::env::current_exe().unwrap();
    let mut request = vec![
        me.file_stem().unwrap().to_string_lossy().into_owned(),
        std::env::current_dir().unwrap().to_string_lossy().into_owned(),
    ];
    let variables: Vec<_> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    request.push(variables.len().to_string());
    request.extend(variables);
    request.extend(std::env::args().skip(1));
    // No text of these has a zero byte in it.
    write_frame(&mut stream, 0, request.join("\0").as_bytes()).unwrap();

    let mut input = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut input);
        let _ = input.shutdown(Shutdown::Write);
    });
    loop {
        match read_frame(&mut stream) {
            Ok((STDOUT, bytes)) => drop(io::stdout().write_all(&bytes).and_then(|()| io::stdout().flush())),
            Ok((STDERR, bytes)) => drop(io::stderr().write_all(&bytes)),
            // Other statuses than a byte do not come from Linux.
            Ok((STATUS, bytes)) => return ExitCode::from(bytes[0]),
            Ok(_) => {}
            Err(error) => panic!("the other side is gone: {error}"),
        }
    }
}
