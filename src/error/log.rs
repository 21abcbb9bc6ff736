//! Lines of the host's log, contained: a panic of the log's subscriber does not end the code that
//! only wanted to log.
//!
//! `panic` catches it, and `span` contains spans. What is logged is left to the caller.

/// Logs an error, as `tracing::error!` does.
macro_rules! error_line {
    ($($line:tt)*) => { $crate::error::contain(|| tracing::error!($($line)*)) };
}

/// Logs a warning, as `tracing::warn!` does.
macro_rules! warn_line {
    ($($line:tt)*) => { $crate::error::contain(|| tracing::warn!($($line)*)) };
}

/// Logs an information, as `tracing::info!` does.
macro_rules! info_line {
    ($($line:tt)*) => { $crate::error::contain(|| tracing::info!($($line)*)) };
}

/// Logs a line for those who debug, as `tracing::debug!` does.
macro_rules! debug_line {
    ($($line:tt)*) => { $crate::error::contain(|| tracing::debug!($($line)*)) };
}

/// Creates a span, as `tracing::info_span!` does.
macro_rules! info_span_line {
    ($($span:tt)*) => { $crate::error::LogSpan::new(|| tracing::info_span!($($span)*)) };
}

pub(crate) use {
    debug_line as debug, error_line as error, info_line as info, info_span_line as info_span,
    warn_line as warn,
};
