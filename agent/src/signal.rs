//! The signal that stops a container. An image may name anything; what is none is SIGTERM, as `docker stop` has it.

/// Linux's signals by name (signal(7)); the real-time ones are counted from both ends.
const NAMES: &[&str] = &[
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL",
    "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP",
    "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
];
/// The highest number of a signal.
const LAST: u8 = 64;
/// How far real-time signals are counted from either end.
const REAL_TIME: u8 = 15;

/// What is sent to stop a container whose image or configuration names this signal.
pub(crate) fn to_stop(named: Option<&str>) -> String {
    named.filter(|name| is_signal(name)).unwrap_or("SIGTERM").to_owned()
}

fn is_signal(named: &str) -> bool {
    if named.bytes().all(|byte| byte.is_ascii_digit()) {
        return named.parse().is_ok_and(|number: u8| (1..=LAST).contains(&number));
    }
    let name = named.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let counted = |from: &str, sign| {
        let count = name.strip_prefix(from).and_then(|rest| rest.strip_prefix(sign));
        count.and_then(|count| count.parse().ok()).is_some_and(|count: u8| count <= REAL_TIME)
    };
    NAMES.contains(&name) || counted("RTMIN", '+') || counted("RTMAX", '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_signal_is_sent_as_it_is_named() {
        for name in ["SIGQUIT", "quit", "SIGRTMIN+3", "SIGRTMAX-2", "RTMIN", "3", "15", "64"] {
            assert_eq!(to_stop(Some(name)), name);
        }
    }

    #[test]
    fn what_is_none_is_sigterm() {
        for name in ["SIGGARBAGE", "0", "-9", "65", "+9", "", "SIG", "SIGRTMIN+99", "9.5", "\u{1f}"]
        {
            assert_eq!(to_stop(Some(name)), "SIGTERM", "{name}");
        }
        assert_eq!(to_stop(None), "SIGTERM");
    }
}
