// What every Rust program here has in common: `execute` over its `run`.

/// `execute` of the raw ABI: a number in, the number that `run` makes of it out, both in decimal digits.
///
/// # Safety
///
/// `length` bytes at `input` must be readable: the host wrote them.
#[no_mangle]
pub unsafe extern "C" fn execute(input: *const u8, length: usize) -> *const u8 {
    // The input may begin at address 0, where no slice of Rust may.
    let text: String = (0..length).map(|at| core::ptr::read_volatile(input.wrapping_add(at)) as char).collect();
    let n = match text.parse::<i32>() {
        Ok(n) => n,
        Err(_) => return usize::MAX as *const u8,
    };
    let digits = (run(n) as u32).to_string();
    let mut answer = (digits.len() as u32).to_le_bytes().to_vec();
    answer.extend_from_slice(digits.as_bytes());
    answer.leak().as_ptr()
}

/// Numbers that look random and are the same everywhere: a linear congruential generator (Numerical Recipes).
pub fn next_random(state: &mut u32) -> u32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    *state
}
