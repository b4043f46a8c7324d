// A command: sorts the lines of stdin. `sort_lines [--unique] [--reverse]`
use std::io::{self, BufWriter, Read, Write};
use std::process::exit;

#[derive(Default)]
struct Options {
    is_unique: bool,
    is_reverse: bool,
}

fn parse(args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    for arg in args {
        match arg.as_str() {
            "--unique" => options.is_unique = true,
            "--reverse" => options.is_reverse = true,
            _ => return Err(format!("unknown option {arg}; there are --unique and --reverse")),
        }
    }
    Ok(options)
}

fn sort(options: &Options) -> io::Result<()> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    if options.is_unique {
        lines.dedup();
    }
    if options.is_reverse {
        lines.reverse();
    }
    let mut out = BufWriter::new(io::stdout().lock());
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

fn main() {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            exit(2);
        }
    };
    if let Err(error) = sort(&options) {
        eprintln!("cannot sort: {error}");
        exit(1);
    }
}
