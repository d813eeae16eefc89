//! A program for tests under Wine, compiled by rustc alone; its first argument says what it does.
//!
//! `family FILE`: starts a second process, which adds to FILE for five minutes, and waits for it. `alone FILE`: is
//! that second process. `print ARG...`: prints its arguments, a line each. `exit STATUS`: ends with this status
//! of 32 bits. `race RUNS PROGRAM`: how long PROGRAM's `hook command` takes, and cmd. Under the name `cargo` it
//! notes its calls and its variables beside itself, and what it builds is the program that a variable names.

#![allow(clippy::disallowed_macros, reason = "a test prints for a person")]
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, exit};
use std::time::{Duration, Instant};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let me = std::env::current_exe().unwrap();
    if me.file_stem().unwrap() == "cargo" {
        return cargo(&me, &args);
    }
    match args[0].as_str() {
        "family" => {
            let mut child = Command::new(me).args(["alone", &args[1]]).spawn().unwrap();
            println!("under way");
            exit(child.wait().unwrap().code().unwrap_or(1));
        }
        "alone" => {
            let mut file = OpenOptions::new().create(true).append(true).open(&args[1]).unwrap();
            for _ in 0..6000 {
                file.write_all(b".").unwrap();
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        "race" => race(args[1].parse().unwrap(), &args[2]),
        "exit" => exit(args[1].parse::<u32>().unwrap().cast_signed()),
        "print" => args[1..].iter().for_each(|arg| println!("<{arg}>")),
        other => panic!("{other}"),
    }
}

/// The programs run by turns, so that other load on the machine affects all of them equally. The results are
/// medians in microseconds.
fn race(runs: usize, program: &str) {
    let racers: [&[&str]; 3] = [
        &["cmd", "/c", "exit", "0"],
        &["cmd", "/c", "cmd", "/c", "exit", "0"],
        &[program, "hook", "command"],
    ];
    let mut took: [Vec<u128>; 3] = Default::default();
    for run in 0..=runs {
        for (racer, took) in racers.iter().zip(&mut took) {
            let begin = Instant::now();
            assert!(Command::new(racer[0]).args(&racer[1..]).status().unwrap().success());
            // The first one reads the files.
            took.extend((run > 0).then(|| begin.elapsed().as_micros()));
        }
    }
    took.iter_mut().for_each(|took| took.sort_unstable());
    println!("{} {} {}", took[0][runs / 2], took[1][runs / 2], took[2][runs / 2]);
}

fn cargo(me: &Path, args: &[String]) {
    if args == ["-vV"] {
        println!("cargo 1.95.0\nhost: x86_64-pc-windows-msvc\nos: a stub");
        return;
    }
    let mut note = format!("{}\n", args.join(" "));
    std::env::vars().for_each(|(name, value)| note.push_str(&format!("  {name}={value}\n")));
    let mut log = OpenOptions::new().create(true).append(true).open(me.with_extension("log")).unwrap();
    log.write_all(note.as_bytes()).unwrap();
    let value = |name: &str| args[args.iter().position(|arg| arg == name).unwrap() + 1].clone();
    let folder = Path::new(&value("--target-dir")).join(value("--target")).join("release");
    std::fs::create_dir_all(&folder).unwrap();
    // As cargo, which builds for one at a time, and once: who comes second waits, and finds all fresh.
    let lock = OpenOptions::new().create(true).append(true).open(folder.join(".cargo-lock")).unwrap();
    lock.lock().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let program = std::env::var("RUST_VMM_CI_TEST_PROGRAM").unwrap();
    let built = folder.join("rust-vmm-ci.exe");
    if !built.exists() {
        std::fs::copy(program, built).unwrap();
    }
}
