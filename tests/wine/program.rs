//! A program for tests under Wine, compiled by rustc alone; its first argument says what it does.
//!
//! `family FILE`: starts another that adds to FILE for a minute, and waits for it. `alone FILE`: the
//! other. `print ARG...`: prints its arguments, a line each.

use std::io::Write as _;
use std::process::{Command, exit};
use std::time::Duration;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args[0].as_str() {
        "family" => {
            let me = std::env::current_exe().unwrap();
            let mut child = Command::new(me).args(["alone", &args[1]]).spawn().unwrap();
            println!("under way");
            exit(child.wait().unwrap().code().unwrap_or(1));
        }
        "alone" => {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&args[1]).unwrap();
            for _ in 0..1200 {
                file.write_all(b".").unwrap();
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        "print" => args[1..].iter().for_each(|arg| println!("<{arg}>")),
        other => panic!("{other}"),
    }
}
