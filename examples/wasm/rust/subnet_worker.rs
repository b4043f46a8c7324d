//! The world `subnet:worker/handler` for Rust without a library: what the canonical ABI makes of its types and functions.
//! A program has this file as a module, and `fn run(input: Value) -> Result<Value, Failure>` at its root.
#![allow(dead_code)] // Of a world, a program needs a part.

use std::alloc::{alloc, realloc, Layout};

/// `value`: an input or an output.
pub enum Value {
    Text(String),
    Json(String),
    Bytes(Vec<u8>),
}

/// `failure`: why a run failed.
pub struct Failure {
    /// For programs: a short name that does not change.
    pub code: &'static str,
    pub message: String,
    /// Whether the same run may succeed when it is tried again.
    pub is_retryable: bool,
}

pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// Writes to the run's log.
pub fn log(level: Level, message: &str) {
    // SAFETY: the host reads the text before it returns, and keeps no pointer.
    unsafe { host_log(level as u32, message.as_ptr(), message.len()) }
}

/// Tells how far the run is: from 0 to 1, or `None` where it cannot be said.
pub fn progress(fraction: Option<f64>, message: &str) {
    let is_known = fraction.is_some() as u32;
    // SAFETY: as above.
    unsafe {
        host_progress(
            is_known,
            fraction.unwrap_or(0.0),
            message.as_ptr(),
            message.len(),
        )
    }
}

// Text is an address and a length, an enum its index, an option whether it is there and what it then is.
#[link(wasm_import_module = "subnet:worker/host@0.1.0")]
extern "C" {
    #[link_name = "log"]
    fn host_log(level: u32, message: *const u8, length: usize);
    #[link_name = "progress"]
    fn host_progress(is_known: u32, fraction: f64, message: *const u8, length: usize);
}

/// Where the host puts the input.
#[no_mangle]
unsafe extern "C" fn cabi_realloc(
    old: *mut u8,
    old_size: usize,
    align: usize,
    new_size: usize,
) -> *mut u8 {
    if new_size == 0 {
        return align as *mut u8;
    }
    let memory = match old_size {
        0 => alloc(Layout::from_size_align_unchecked(new_size, align)),
        _ => realloc(
            old,
            Layout::from_size_align_unchecked(old_size, align),
            new_size,
        ),
    };
    if memory.is_null() {
        std::process::abort();
    }
    memory
}

/// A variant is passed as its index and its content; a result that is no single number comes back by its address.
#[export_name = "run"]
unsafe extern "C" fn exported_run(which: u32, bytes: *mut u8, length: usize) -> *const RawResult {
    let content = match length {
        0 => Vec::new(),
        // SAFETY: `cabi_realloc` has made it for this call, of that size and without alignment.
        _ => Vec::from_raw_parts(bytes, length, length),
    };
    let input = match which {
        // SAFETY: the host passes nothing as text that is not UTF-8.
        0 => Value::Text(String::from_utf8_unchecked(content)),
        1 => Value::Json(String::from_utf8_unchecked(content)),
        _ => Value::Bytes(content),
    };
    Box::leak(Box::new(RawResult::from(crate::run(input))))
}

// In memory, a variant is a byte with its index and, aligned, what the widest case needs.

#[derive(Clone, Copy)]
#[repr(C)]
struct RawList {
    bytes: *const u8,
    length: usize,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct RawValue {
    which: u8,
    content: RawList,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct RawFailure {
    code: RawList,
    message: RawList,
    is_retryable: u8,
}

#[repr(C)]
union RawEither {
    value: RawValue,
    failure: RawFailure,
}

#[repr(C)]
struct RawResult {
    is_failure: u8,
    either: RawEither,
}

impl From<Result<Value, Failure>> for RawResult {
    fn from(result: Result<Value, Failure>) -> Self {
        match result {
            Ok(value) => {
                let (which, content) = match value {
                    Value::Text(text) => (0, text.into_bytes()),
                    Value::Json(text) => (1, text.into_bytes()),
                    Value::Bytes(bytes) => (2, bytes),
                };
                let value = RawValue {
                    which,
                    content: leaked(content),
                };
                RawResult {
                    is_failure: 0,
                    either: RawEither { value },
                }
            }
            Err(Failure {
                code,
                message,
                is_retryable,
            }) => {
                let (code, message) = (leaked(code.into()), leaked(message.into_bytes()));
                let failure = RawFailure {
                    code,
                    message,
                    is_retryable: is_retryable as u8,
                };
                RawResult {
                    is_failure: 1,
                    either: RawEither { failure },
                }
            }
        }
    }
}

/// An instance serves one run, so what the host is to read is never given back.
fn leaked(bytes: Vec<u8>) -> RawList {
    let bytes = bytes.leak();
    RawList {
        bytes: bytes.as_ptr(),
        length: bytes.len(),
    }
}
