//! The Linux side: runs the real tools.

#[path = "paths.rs"]
mod paths;

use super::{PORT, STATUS, STDERR, STDOUT, STILL_THERE, read_frame, write_frame};
use std::io::{self, BufRead as _, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The triple that the tools take for the host's.
const TARGET: &str = "x86_64-pc-windows-gnu";
/// Variables of these beginnings are the caller's; all others are this machine's.
const HANDED_OVER: [&str; 5] = ["CARGO", "RUST", "GIT_", "HOME", "XDG_CONFIG_HOME"];

pub fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let toolchain = args.next().expect("the folder of the tools");
    let command = args.next().expect("a command");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let toolchain = toolchain.clone();
            std::thread::spawn(move || serve(stream, &toolchain));
        }
    });
    let status = Command::new(command).args(args).env(PORT, port.to_string()).status().unwrap();
    ExitCode::from(byte(status))
}

/// A status as a shell has it.
fn byte(status: std::process::ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn serve(mut stream: TcpStream, toolchain: &str) {
    let _ = stream.set_nodelay(true);
    let Ok((_, request)) = read_frame(&mut stream) else { return };
    let request = String::from_utf8(request).unwrap();
    let mut parts = request.split('\0');
    let (tool, dir) = (parts.next().unwrap(), paths::to_linux(parts.next().unwrap()));
    let count: usize = parts.next().unwrap().parse().unwrap();
    let variables: Vec<&str> = parts.by_ref().take(count).collect();
    let args: Vec<String> = parts.map(paths::to_linux).collect();
    if tool == "rustc" && args == ["--print", "sysroot"] {
        let _ = write_frame(&mut stream, STDOUT, format!("{}\n", paths::to_windows(toolchain)).as_bytes());
        let _ = write_frame(&mut stream, STATUS, &[0]);
        return;
    }
    // `certutil -hashfile FILE SHA256`, which Wine's own does not know.
    let (program, args) = match tool {
        "certutil" => ("sha256sum", args[1..2].to_vec()),
        _ => (tool, args),
    };
    let mut command = Command::new(program);
    if ["cargo", "rustc"].contains(&tool) {
        command.arg("+cross");
    }
    for (name, _) in std::env::vars().filter(|(name, _)| handed_over(name)) {
        command.env_remove(name);
    }
    for (name, value) in variables.iter().filter_map(|variable| variable.split_once('=')) {
        if handed_over(name) {
            command.env(name, paths::to_linux(value));
        }
    }
    if tool == "cargo" {
        let runner = std::env::var("WINE_RUN").expect("the tests say how Windows programs are run");
        command.env("CARGO_BUILD_TARGET", TARGET).env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", runner);
    }
    for name in ["CARGO_HOME", "RUSTUP_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let piped = command.args(args).current_dir(dir).process_group(0);
    let piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let stream = Arc::new(Mutex::new(stream));
    match piped.spawn() {
        Ok(child) => see_to_its_end(child, tool, &stream),
        Err(error) => {
            let mut stream = stream.lock().unwrap();
            let _ = write_frame(&mut *stream, STDERR, format!("{tool}: {error}\n").as_bytes());
            let _ = write_frame(&mut *stream, STATUS, &[127]);
        }
    }
}

fn handed_over(name: &str) -> bool {
    name != PORT && HANDED_OVER.iter().any(|beginning| name.starts_with(beginning))
}

fn see_to_its_end(mut child: Child, tool: &str, stream: &Arc<Mutex<TcpStream>>) {
    let mut input = child.stdin.take().unwrap();
    let mut from = stream.lock().unwrap().try_clone().unwrap();
    std::thread::spawn(move || drop(io::copy(&mut from, &mut input)));
    let outputs = [
        pass_on(child.stdout.take().unwrap(), STDOUT, tool, Arc::clone(stream)),
        pass_on(child.stderr.take().unwrap(), STDERR, tool, Arc::clone(stream)),
    ];
    let group = format!("-{}", child.id());
    let over = Arc::new(AtomicBool::new(false));
    std::thread::spawn({
        let (over, stream) = (Arc::clone(&over), Arc::clone(stream));
        move || {
            while !over.load(Ordering::Relaxed) {
                if write_frame(&mut *stream.lock().unwrap(), STILL_THERE, &[]).is_err() {
                    let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    });
    let status = child.wait().unwrap();
    over.store(true, Ordering::Relaxed);
    for output in outputs {
        let _ = output.join();
    }
    let _ = write_frame(&mut *stream.lock().unwrap(), STATUS, &[byte(status)]);
}

fn pass_on(
    from: impl Read + Send + 'static,
    kind: u8,
    tool: &str,
    to: Arc<Mutex<TcpStream>>,
) -> std::thread::JoinHandle<()> {
    let tool = tool.to_owned();
    std::thread::spawn(move || {
        let mut from = BufReader::with_capacity(64 << 10, from);
        let (mut line, mut said) = (Vec::new(), Vec::new());
        while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            said.extend_from_slice(&paths::said_on_windows(&tool, &line));
            line.clear();
            // A frame costs as much as a thousand lines.
            if from.buffer().is_empty() {
                if write_frame(&mut *to.lock().unwrap(), kind, &said).is_err() {
                    break;
                }
                said.clear();
            }
        }
        let _ = write_frame(&mut *to.lock().unwrap(), kind, &said);
    })
}
