// Does what its first argument says, by Rust's standard library on WASI.
use std::collections::HashMap;
use std::io::{BufRead, Read, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let argument = args.get(2).map(String::as_str).unwrap_or("");
    match args.get(1).map(String::as_str).unwrap_or("") {
        "lines" => {
            for (index, line) in std::io::stdin().lock().lines().enumerate() {
                println!("{}: {}", index + 1, line.unwrap().to_uppercase());
            }
        }
        "count" => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).unwrap();
            println!("{} bytes, sum {}", bytes.len(), bytes.iter().map(|&byte| byte as u64).sum::<u64>());
        }
        "args" => println!("{:?}", args),
        "env" => println!("{:?}", std::env::vars().collect::<Vec<_>>()),
        "exit" => {
            eprintln!("leaving");
            std::process::exit(argument.parse().unwrap());
        }
        "panic" => {
            let values: Vec<i32> = Vec::new();
            println!("{}", values[argument.len()]);
        }
        "time" => {
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let before = Instant::now();
            std::thread::sleep(Duration::from_secs(3600));
            println!("{:?} {:?}", wall, before.elapsed());
        }
        "random" => {
            // Its order is decided by random keys.
            let map: HashMap<u32, u32> = (0..1000).map(|key| (key, key)).collect();
            println!("{:?}", map.keys().take(20).collect::<Vec<_>>());
        }
        "floats" => println!("{} {:e} {:?} {}", 0.1 + 0.2, 1e300 * 1e10, f32::MIN_POSITIVE, f64::NAN.sqrt()),
        "write" => {
            let block = vec![b'x'; argument.parse().unwrap()];
            std::io::stdout().write_all(&block).unwrap();
        }
        "vectored" => {
            let slices: Vec<_> = (0..3000).map(|_| std::io::IoSlice::new(b"ab")).collect();
            println!("{}", std::io::stdout().write_vectored(&slices).unwrap());
        }
        "open" => {
            println!("{:?}", std::fs::read_to_string(argument).map_err(|error| error.kind()));
            println!("{:?}", std::fs::write(argument, "x").map_err(|error| error.kind()));
            println!("{:?}", std::fs::read_dir(argument).map(|_| ()).map_err(|error| error.kind()));
        }
        "connect" => println!("{:?}", std::net::TcpStream::connect(argument).map_err(|error| error.kind())),
        "spawn" => println!("{:?}", std::process::Command::new(argument).output().map_err(|error| error.kind())),
        "thread" => println!("{:?}", std::thread::Builder::new().spawn(|| 1).map(|_| ()).map_err(|error| error.kind())),
        _ => std::process::exit(64),
    }
}
