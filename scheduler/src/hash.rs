//! Numbers that look drawn and stay the same: what is planned again and again must come out the same each time.

/// FNV-1a: the same on every build, unlike the standard library's hashers.
pub(crate) fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
