//! The program behind every stub: a link to it plays the part that its name says. It notes how it
//! was called in `NAME.log` beside it, then does what `NAME.does` says, a line each.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, process, thread, time};

fn main() {
    let me = env::current_exe().unwrap();
    let args: Vec<String> = env::args().skip(1).collect();
    if args == ["--version"] && me.file_stem().unwrap() != "cargo" {
        // The hooks ask it of every binary; that is no call of the job's.
        println!("rust-vmm-ci 1.0.0");
        return;
    }
    note(&me, &args);
    if me.file_stem().unwrap() == "certutil" {
        // No SHA-256, but as long, and another one for other bytes: FNV-1a (<http://isthe.com/chongo/tech/comp/fnv>).
        let bytes = fs::read(&args[1]).unwrap();
        let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        println!("SHA256 hash of {}:\n{}\nCertUtil: done", args[1], format!("{sum:016x}").repeat(4));
        return;
    }
    let orders = fs::read_to_string(beside(&me, "does")).unwrap_or_default();

    if me.file_stem().unwrap() == "cargo" {
        if args == ["-vV"] {
            println!("cargo 1.95.0\nhost: x86_64-unknown-linux-gnu\nos: a stub");
            return;
        }
        let built = option(&args, "--target-dir")
            .join(option(&args, "--target"))
            .join("release/rust-vmm-ci")
            .with_extension(env::consts::EXE_EXTENSION);
        fs::create_dir_all(built.parent().unwrap()).unwrap();
        if orders.contains("half") {
            fs::write(&built, "half a binary").unwrap();
            thread::sleep(time::Duration::from_secs(600));
        }
        follow(&orders);
        let _ = fs::remove_file(&built);
        fs::hard_link(&me, &built).unwrap();
        return;
    }
    follow(&orders);
}

fn follow(orders: &str) {
    for order in orders.lines() {
        match order.split_once(' ').unwrap_or((order, "")) {
            ("say", text) => eprintln!("{text}"),
            ("wait-for", file) => {
                while !Path::new(file).exists() {
                    thread::sleep(time::Duration::from_millis(10));
                }
            }
            // As a compiler cache's server does.
            ("leave-running", seconds) => drop(process::Command::new("sleep").arg(seconds).spawn().unwrap()),
            ("exit", status) => process::exit(status.parse().unwrap()),
            _ => {}
        }
    }
}

/// One `write`, so that the notes of several that run at once do not mix.
fn note(me: &Path, args: &[String]) {
    let mut text = format!("{}\n", args.join(" "));
    writeln!(text, "  in {}", env::current_dir().unwrap().display()).unwrap();
    for (name, value) in env::vars() {
        writeln!(text, "  {name}={value}").unwrap();
    }
    let mut log = fs::OpenOptions::new().append(true).create(true).open(beside(me, "log")).unwrap();
    log.write_all(text.as_bytes()).unwrap();
}

fn beside(me: &Path, extension: &str) -> PathBuf {
    me.with_extension(extension)
}

fn option(args: &[String], name: &str) -> PathBuf {
    PathBuf::from(&args[args.iter().position(|a| a == name).unwrap() + 1])
}
