// `execute` by Rust's standard library: how often each word is there, most frequent first.
use std::collections::HashMap;

#[no_mangle]
pub extern "C" fn execute(input: *const u8, length: usize) -> *const u8 {
    let input = unsafe { std::slice::from_raw_parts(input, length) }.to_vec();
    let text = match std::str::from_utf8(&input) {
        Ok(text) => text,
        Err(_) => return -22i32 as usize as *const u8,
    };
    let mut counts: HashMap<&str, u32> = HashMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let said = sorted.iter().map(|(word, count)| format!("{} {}", word, count)).collect::<Vec<_>>().join("\n");
    let mut output = (said.len() as u32).to_le_bytes().to_vec();
    output.extend_from_slice(said.as_bytes());
    Box::leak(output.into_boxed_slice()).as_ptr()
}
