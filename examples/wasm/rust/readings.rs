// A handler: lines of "sensor value" in, count, minimum, maximum and mean of each sensor out, as JSON.
mod subnet_worker;

use std::collections::BTreeMap;
use subnet_worker::{log, progress, Failure, Level, Value};

struct Summary {
    count: u32,
    min: f64,
    max: f64,
    sum: f64,
}

impl Summary {
    fn add(&mut self, value: f64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum += value;
    }
}

impl Default for Summary {
    fn default() -> Self {
        Summary {
            count: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            sum: 0.0,
        }
    }
}

/// Progress is told once for so many lines: each time is a call out of the sandbox.
const LINES_PER_PROGRESS: usize = 1_000;

fn run(input: Value) -> Result<Value, Failure> {
    let text = match input {
        Value::Text(text) => text,
        _ => return Err(refuse("not-text", "the input must be text")),
    };
    let lines_count = text.lines().count();
    let mut sensors: BTreeMap<&str, Summary> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        if index % LINES_PER_PROGRESS == 0 {
            progress(
                Some(index as f64 / lines_count as f64),
                &format!("line {}", index + 1),
            );
        }
        match parse(line) {
            Some((sensor, value)) => sensors.entry(sensor).or_default().add(value),
            None => log(
                Level::Warn,
                &format!("line {} is left out: {line}", index + 1),
            ),
        }
    }
    if sensors.is_empty() {
        return Err(refuse("no-readings", "no line has a sensor and a number"));
    }
    log(Level::Info, &format!("read {} sensors", sensors.len()));
    Ok(Value::Json(to_json(&sensors)))
}

/// The same input fails again, so none of these is worth another try.
fn refuse(code: &'static str, message: &str) -> Failure {
    Failure {
        code,
        message: message.to_string(),
        is_retryable: false,
    }
}

/// Larger ones are no readings, and their sum might be no number that JSON has.
const LARGEST: f64 = 1e100;

/// A sensor has a name of letters, digits and hyphens, so that it needs no escapes in JSON.
fn parse(line: &str) -> Option<(&str, f64)> {
    let (sensor, value) = line.split_once(' ')?;
    let is_name = !sensor.is_empty()
        && sensor
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let value: f64 = value.trim().parse().ok()?;
    (is_name && value.abs() <= LARGEST).then(|| (sensor, value))
}

fn to_json(sensors: &BTreeMap<&str, Summary>) -> String {
    let members: Vec<String> = sensors
        .iter()
        .map(
            |(
                sensor,
                Summary {
                    count,
                    min,
                    max,
                    sum,
                },
            )| {
                let mean = sum / f64::from(*count);
                format!(r#""{sensor}":{{"count":{count},"min":{min},"max":{max},"mean":{mean}}}"#)
            },
        )
        .collect();
    format!("{{{}}}", members.join(","))
}
