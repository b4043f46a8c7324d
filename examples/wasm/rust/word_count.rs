// `execute`: text in; how many lines, words and characters it has, and its most frequent words, as JSON out.
use std::collections::BTreeMap;

/// Negative results say what is wrong.
const NOT_UTF8: isize = -1;

const MOST: usize = 3;

/// # Safety
///
/// The host has put `length` bytes at `input`.
#[no_mangle]
pub unsafe extern "C" fn execute(input: *const u8, length: usize) -> *const u8 {
    // The input is at address 0, where no slice of Rust may begin: it is copied first.
    let bytes: Vec<u8> = (0..length).map(|at| input.wrapping_add(at).read_volatile()).collect();
    match String::from_utf8(bytes) {
        Ok(text) => answer(&count(&text)),
        Err(_) => NOT_UTF8 as *const u8,
    }
}

/// Four bytes of length, little-endian, then the content. It is not freed: an instance serves one run.
fn answer(content: &str) -> *const u8 {
    let mut bytes = (content.len() as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(content.as_bytes());
    bytes.leak().as_ptr()
}

fn count(text: &str) -> String {
    let mut times = BTreeMap::<String, u32>::new();
    let mut words = 0;
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        words += 1;
        *times.entry(word.to_lowercase()).or_default() += 1;
    }
    let mut ranked: Vec<_> = times.into_iter().collect();
    // Words of the same count stay in the order of the alphabet.
    ranked.sort_by_key(|(_, count)| core::cmp::Reverse(*count));
    let most: Vec<String> =
        ranked.iter().take(MOST).map(|(word, count)| format!("[\"{word}\",{count}]")).collect();
    format!(
        "{{\"lines\":{},\"words\":{words},\"characters\":{},\"most\":[{}]}}",
        text.lines().count(),
        text.chars().count(),
        most.join(","),
    )
}
